from collections.abc import Callable

import msgspec
import numpy as np
import pandas as pd
import pytest

from bench.config.workload import Workload
from bench.store.record import Record
from bench.store.table import evaluations, table

LEADING = ["trial_id", "attempt", "protocol_version", "track", "method", "expression", "workload", "d_norm", "seed"]
LEADING += ["steps", "batch_size", "samples", "precision", "allow_invalid", "components", "status"]
TRAILING = ["device_name", "fingerprint", "threads", "started_at"]


def test_columns_and_order_of_rows(planted: Callable[..., list[Record]]) -> None:
    frame = table(planted(2))
    columns = list(frame.columns)
    assert columns[: len(LEADING)] == LEADING
    assert columns[-len(TRAILING) :] == TRAILING
    groups = [name.split(".")[0] for name in columns[len(LEADING) : -len(TRAILING)]]
    assert list(dict.fromkeys(groups)) == ["metrics", "stability", "cost"]
    assert len(frame) == 8
    assert list(zip(frame["method"], frame["seed"], strict=True)) == sorted(
        zip(frame["method"], frame["seed"], strict=True)
    )


def test_same_records_in_any_order_give_the_same_table(planted: Callable[..., list[Record]]) -> None:
    records = planted(2)
    pd.testing.assert_frame_equal(table(records), table(reversed(records)))


def test_last_attempt_counts(record: Callable[..., Record], workload: Workload) -> None:
    first = record(workload, status="error", distance=None)
    frame = table([record(workload, attempt=1), first])
    assert frame[["attempt", "status"]].to_numpy().tolist() == [[1, "ok"]]


def test_missing_values_are_nan_and_types_are_stable(record: Callable[..., Record], workload: Workload) -> None:
    lost = msgspec.structs.replace(record(workload, seed=1, distance=None), environment=None)
    frame = table([record(workload), lost])
    assert np.isnan(frame.loc[1, "metrics.distance"])
    assert frame["metrics.distance"].dtype == "float64"
    assert frame["seed"].dtype == "int64"
    assert frame["allow_invalid"].dtype == "bool"
    assert frame["threads"].tolist() == [1, pd.NA]
    assert frame["components"][0] == '{"losses":"1"}'
    assert pd.isna(frame["device_name"][1])


def test_empty_table_has_its_columns() -> None:
    frame = table([])
    assert list(frame.columns) == LEADING + TRAILING
    assert frame.empty
    assert evaluations([]).empty


def test_protocols_are_not_mixed(record: Callable[..., Record], workload: Workload) -> None:
    other = msgspec.structs.replace(record(workload, seed=1), protocol_version="2.0")
    for function in (table, evaluations):
        with pytest.raises(ValueError, match=r"protocols 1\.0, 2\.0 may not stand in one table"):
            function([record(workload), other])


def test_evaluations_in_long_form(record: Callable[..., Record], workload: Workload) -> None:
    frame = evaluations([record(workload, distance=None)])
    assert list(frame.columns) == [
        "trial_id",
        "attempt",
        "method",
        "workload",
        "d_norm",
        "seed",
        "step",
        "metric",
        "value",
    ]
    distances = frame[frame["metric"] == "fd"]
    assert distances["step"].tolist() == [0, 200, 400, 600]
    assert distances["value"].iloc[0] == pytest.approx(8000.0)
    assert np.isnan(distances["value"].iloc[-1])


def test_tables_survive_parquet(planted: Callable[..., list[Record]], tmp_path: object) -> None:
    file = f"{tmp_path}/table.parquet"
    frame = table(planted(1))
    frame.to_parquet(file)
    pd.testing.assert_frame_equal(pd.read_parquet(file), frame)
