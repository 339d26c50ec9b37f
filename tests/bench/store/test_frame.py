"""`bench.load`: a frame in which nothing is pooled that does not belong together."""

import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pandas as pd
import pytest

import bench
from bench.store.journal import Store
from bench.store.record import Record

PAGE = (Path(__file__).parents[3] / "docs" / "how-to" / "use-the-records.md").read_text(encoding="utf-8")
READERS = [block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "bench.load(" in block]

CHANGES = {
    "protocol_version": {"protocol_version": "2.0"},
    "track": {"track": "paper"},
    "precision": {"precision": "bf16"},
    "batch_size": {"batch_size": 32},
    "steps": {"steps": 450},
    "evaluate_every": {"evaluate_every": 150},
    "samples": {"samples": 500},
    "data_hash": {"data_hash": "other"},
    "critic_steps": {"critic_steps": 5},
    "allow_invalid": {"allow_invalid": True},
    "method": {"method": "hinge", "method_name": "hinge"},
}


def write(folder: Path, records: list[Record]) -> Path:
    store = Store(folder)
    for each in records:
        store.append(each)
    return folder


def altered(record: Record, **changes: object) -> Record:
    spec = msgspec.structs.replace(record.spec, **changes)
    made = msgspec.structs.replace(record, spec=spec, protocol_version=spec.protocol_version)
    return msgspec.structs.replace(made, trial_id=made.trial.id)


@pytest.fixture
def base(record: Callable[..., Record], workload: object) -> list[Record]:
    return [record(workload, "nsgan", seed, distance=50.0 + seed) for seed in range(3)]


@pytest.mark.parametrize("what", CHANGES)
def test_what_differs_in_more_than_its_seed_has_a_cell_of_its_own(tmp_path, base, what):
    others = [altered(each, **CHANGES[what]) for each in base]
    frame = bench.load(write(tmp_path, [*base, *others]))
    assert len(frame) == 6
    for keys in (bench.CELL, "cell"):
        counts = frame.groupby(keys)["metrics.distance"].count()
        assert counts.tolist() == [3, 3], what


def test_another_network_or_version_has_a_cell_of_its_own(tmp_path, base):
    network = msgspec.structs.replace(base[0].spec.network, width=8)
    wider = altered(base[0], network=network)
    newer = msgspec.structs.replace(base[0], components={**base[0].components, "losses": "99"})
    newer = msgspec.structs.replace(newer, trial_id=newer.trial.id)
    frame = bench.load(write(tmp_path, [*base, wider, newer]))
    assert sorted(frame.groupby("cell").size()) == [1, 1, 3]


def test_what_the_columns_say(tmp_path, base):
    frame = bench.load(write(tmp_path, base))
    first = frame.iloc[0]
    spec = base[0].spec
    assert first["network"] == f"{spec.network.name}, width {spec.network.width}"
    assert first["evaluate_every"] == spec.evaluate_every
    assert first["budget"] == (
        f"{spec.steps:,} steps of {spec.batch_size:,}, evaluated every {spec.evaluate_every:,} on {spec.samples:,}"
    )
    assert frame["seed"].tolist() == [0, 1, 2]
    assert set(bench.CELL) <= set(frame.columns)


def test_failed_runs_have_rows_and_the_last_attempt_counts(tmp_path, record, workload):
    lost = record(workload, "nsgan", 0, distance=None, status="error")
    again = msgspec.structs.replace(record(workload, "nsgan", 0), attempt=1)
    failed = record(workload, "nsgan", 1, distance=None, status="nonfinite")
    frame = bench.load(write(tmp_path, [lost, again, failed]))
    assert frame["status"].tolist() == ["ok", "nonfinite"]


def test_an_attempt_that_is_lost_after_a_result_takes_no_row_from_it(tmp_path, record, workload):
    lost = record(workload, attempt=1, distance=None, status="timeout")
    frame = bench.load(write(tmp_path, [record(workload), lost]))
    assert frame[["attempt", "status"]].to_numpy().tolist() == [[0, "ok"]]
    for promise in (bench.load.__doc__, PAGE):
        assert "last attempt with a result" in promise


def test_only_what_is_damaged_is_refused(tmp_path, base):
    folder = write(tmp_path / "r", base)
    edited = msgspec.structs.replace(base[0], metrics={**base[0].metrics, "distance": -5.0})
    (folder / "records" / f"{base[0].trial_id}.0.json").write_bytes(msgspec.json.encode(edited))
    with pytest.raises(ValueError, match=r"distance is -5 and must be above 0"):
        bench.load(folder)
    with pytest.raises(ValueError, match=r"no results folder .*; make one with: python -m bench run"):
        bench.load(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    assert bench.load(tmp_path / "empty").empty
    with pytest.raises(AttributeError):
        bench.nothing  # noqa: B018


def test_export_writes_the_same_table(tmp_path, base):
    from click.testing import CliRunner

    from bench.cli.main import cli

    other = altered(base[0], protocol_version="2.0")
    folder = write(tmp_path / "r", [*base, other])
    file = tmp_path / "table.parquet"
    result = CliRunner().invoke(cli, ["export", "--format", "parquet", "-o", str(file), "--results", str(folder)])
    assert result.exit_code == 0, result.output
    pd.testing.assert_frame_equal(pd.read_parquet(file), bench.load(folder))


def test_the_snippet_of_the_page_runs(tmp_path, base, monkeypatch):
    (block,) = READERS
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "results" / "local", [*base, altered(base[0], steps=450, evaluate_every=150)])
    names: dict[str, object] = {}
    *before, last = block.strip().splitlines()
    exec("\n".join(before), names)
    medians = eval(last, names)
    assert sorted(medians) == [50.0, 51.0], "the two budgets are apart"
