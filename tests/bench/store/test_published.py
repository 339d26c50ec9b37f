"""The records of a published folder in one Parquet file: for people as columns, for programs exactly as recorded."""

import io
import re
from pathlib import Path

import msgspec
import pandas as pd
import pytest
from planted_records import make_toy, make_workload, planted_record

from bench.store import published
from bench.store.record import UnreadHistoryError, content_digest, without_history

RECORDS = [
    *(planted_record(make_workload(), seed=seed, distance=50.0 + seed) for seed in range(3)),
    planted_record(make_workload(), "hinge", distance=None, status="nonfinite"),
    planted_record(make_toy(), "hinge", distance=0.3),
]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "records.parquet"
    path.write_bytes(published.to_parquet(RECORDS))
    return path


def test_programs_get_exactly_what_was_recorded_but_for_the_curves_of_training(file):
    found = {record.trial_id: record for record in published.read_parquet(file)}
    assert len(found) == len(RECORDS)
    for record in RECORDS:
        read = found[record.trial_id]
        assert content_digest(read) == content_digest(record)
        assert read.history.evaluations == record.history.evaluations
        for name in set(record.__struct_fields__) - {"history"}:
            assert getattr(read, name) == getattr(record, name), name


def test_the_curves_that_were_not_read_are_not_taken_for_empty_ones(file):
    record = published.read_parquet(file)[0]
    with pytest.raises(UnreadHistoryError, match="training"):
        record.history.training  # noqa: B018
    with pytest.raises(AttributeError):
        msgspec.json.encode(record)


def test_people_get_a_tidy_table_with_the_evaluations(file):
    frame = pd.read_parquet(file)
    failed = frame[frame["status"] == "nonfinite"]
    assert len(frame) == len(RECORDS)
    assert failed["metrics.distance"].isna().all()
    row = frame[(frame["method"] == "nsgan") & (frame["seed"] == 1)].iloc[0]
    assert row["metrics.distance"] == 51.0
    assert [each["step"] for each in row["evaluations"]] == [0, 200, 400, 600]
    assert dict(row["evaluations"][-1]["metrics"])["fd"] == pytest.approx(51.0, rel=1e-12)


def test_only_the_last_attempt_of_a_trial_is_there():
    first = planted_record(make_workload(), status="timeout", distance=None)
    second = planted_record(make_workload(), attempt=1)
    assert published.to_parquet([first, second]) == published.to_parquet([second])


def changed(record, **fields):
    return msgspec.structs.replace(record, **fields)


@pytest.mark.parametrize(
    "others",
    [
        RECORDS[1:],
        [*RECORDS, planted_record(make_workload(), seed=7)],
        [changed(RECORDS[0], metrics={**RECORDS[0].metrics, "distance": 50.000000001}), *RECORDS[1:]],
        [changed(RECORDS[0], message="edited"), *RECORDS[1:]],
    ],
    ids=["one is gone", "one more", "a number", "a text"],
)
def test_a_file_holds_its_records_and_no_others(others):
    content = published.to_parquet(RECORDS)
    assert published.holds(content, RECORDS)
    assert published.holds(content, list(reversed(RECORDS)))
    assert not published.holds(content, others)


def test_a_file_of_other_bytes_with_the_same_table_holds_them_too():
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(pq.read_table(io.BytesIO(published.to_parquet(RECORDS))), sink, compression="snappy")
    assert sink.getvalue() != published.to_parquet(RECORDS)
    assert published.holds(sink.getvalue(), RECORDS)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + bytes(100) + b"PAR1", published.to_parquet(RECORDS)[:-9]])
def test_a_damaged_file_is_refused_by_its_name(content, tmp_path):
    path = tmp_path / "records.parquet"
    path.write_bytes(content)
    assert not published.holds(content, RECORDS)
    with pytest.raises(ValueError, match=r"records\.parquet holds no published records"):
        published.read_parquet(path)


def test_a_table_of_something_else_is_refused_by_its_name(tmp_path):
    path = tmp_path / "records.parquet"
    pd.DataFrame({"record": ["{}"], "digest": ["0"]}).to_parquet(path)
    with pytest.raises(ValueError, match="holds no published records"):
        published.read_parquet(path)
    pd.DataFrame({"a": [1]}).to_parquet(path)
    with pytest.raises(ValueError, match="holds no published records"):
        published.read_parquet(path)


def test_records_without_their_evaluations_are_refused():
    with pytest.raises(UnreadHistoryError):
        published.to_parquet([without_history(record) for record in RECORDS])


def test_the_page_about_the_table_names_every_column():
    page = (Path(__file__).parents[3] / "docs" / "published-records.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z_]+)(?:\.\*)?`", page))
    columns = pd.read_parquet(io.BytesIO(published.to_parquet(RECORDS))).columns
    assert {column.partition(".")[0] for column in columns} - named == set()


def test_a_run_that_has_not_learned_keeps_its_distance():
    """As the page about the table says: only what was not finite has none."""
    folders = (Path(__file__).parents[3] / "results" / "published").glob("*/records.parquet")
    columns = ["status", "metrics.distance"]
    trials = pd.concat([pd.read_parquet(path, columns=columns) for path in folders])
    failed = trials[trials["status"].isin(["not_learned", "diverged"])]
    assert len(failed) >= 71
    assert failed["metrics.distance"].notna().all()
