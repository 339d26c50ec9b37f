"""A method index for pages, so that their tests do not move with the library's."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from browser_pages import opened

from bench.cli.report import write_report
from bench.report import methods
from bench.report.methods import MethodEntry
from bench.statistics.ranking import rank
from bench.store.journal import Store

INDEX = (
    MethodEntry(name="nsgan", kind="method", summary="The reference.", expression="bce_ns", citation="Goodfellow 2014"),
    MethodEntry(
        name="bce_ns", kind="objective", summary="Logistic.", formula="G: softplus(-b)", citation="Part source"
    ),
    MethodEntry(name="r1", kind="regularizer", summary="Zero-centered.", formula="E |grad D|^2"),
)


@pytest.fixture(scope="module")
def index():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(methods, "index", lambda: INDEX)
        yield


@pytest.fixture(scope="session")
def boards(planted, record, workload):
    """One table of six methods: one failed run, a name with a bar, and a variant that is listed apart."""
    records = planted(6)[:-1]
    records += [record(workload, "odd | name", seed, distance=500.0 + seed) for seed in range(5)]
    records.append(record(workload, "odd | name", 5, distance=None, status="nonfinite"))
    records.append(record(workload, "variant", 0, allow_invalid=True))
    return rank(records, {"digits": workload}, resamples=300)


@pytest.fixture
def ranked_results(results: Path, planted) -> Path:
    """The results of the other tests with three seeds more: of three nothing is ranked, and there is no such figure."""
    for each in planted(6):
        if each.spec.seed > 2:
            (results / "records" / f"{each.trial_id}.0.json").write_bytes(msgspec.json.encode(each))
    return results


@pytest.fixture
def report(ranked_results: Path) -> Path:
    return write_report(ranked_results, Store(ranked_results).records())


@pytest.fixture
def page(chromium, report: Path) -> Iterator[Any]:
    """The report in a browser, where nothing may go wrong and nothing be fetched."""
    problems: list[str] = []
    tab = opened(chromium, report, problems)
    yield tab
    tab.context.close()
    assert problems == []
