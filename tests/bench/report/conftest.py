"""A method index for pages, so that their tests do not move with the library's."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from bench.cli.report import write_report
from bench.report import methods
from bench.report.methods import MethodEntry
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


@pytest.fixture(scope="module")
def chromium() -> Iterator[object]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: make browser")
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        pytest.skip("no Chromium here: install it with apt-get install chromium")
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=arguments)
        yield browser
        browser.close()


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
