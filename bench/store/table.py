"""Records as tidy pandas tables. Both are pure functions of the records: the same records give the same table."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec
import pandas as pd

from bench.config.trial import Spec, canonical_json, trial_id
from bench.store.journal import latest_attempts
from bench.store.record import Record

_LEADING: Final[dict[str, Callable[[Record], Any]]] = {
    "trial_id": lambda record: record.trial_id,
    "attempt": lambda record: record.attempt,
    "protocol_version": lambda record: record.protocol_version,
    "track": lambda record: record.spec.track,
    "method": lambda record: record.spec.method_name,
    "expression": lambda record: record.spec.method,
    "workload": lambda record: record.spec.workload,
    "d_norm": lambda record: record.spec.network.d_norm,
    "seed": lambda record: record.spec.seed,
    "steps": lambda record: record.spec.steps,
    "batch_size": lambda record: record.spec.batch_size,
    "samples": lambda record: record.spec.samples,
    "precision": lambda record: record.spec.precision,
    "allow_invalid": lambda record: record.spec.allow_invalid,
    "components": lambda record: canonical_json(record.components).decode(),
    "status": lambda record: record.status,
}

_TRAILING: Final[dict[str, Callable[[Record], Any]]] = {
    "device_name": lambda record: record.environment.device_name if record.environment else None,
    "fingerprint": lambda record: record.fingerprint,
    "threads": lambda record: record.environment.threads if record.environment else None,
    "started_at": lambda record: record.started_at,
}

_GROUPS: Final = ("metrics", "stability", "cost")

_SETTING: Final[dict[str, Callable[[Record], Any]]] = {
    "network": lambda record: f"{record.spec.network.name}, width {record.spec.network.width}",
    "evaluate_every": lambda record: record.spec.evaluate_every,
    "budget": lambda record: _budget(record.spec),
    "cell": lambda record: _cell(record),
}

CELL: Final = [
    "protocol_version", "track", "network", "d_norm", "precision", "batch_size", "budget", "workload", "method", "cell",
]  # fmt: skip
"""The columns by which to group a frame: what trials have in common that differ in their seed alone. `cell` says it
all, the others say it in words."""

_DTYPES: Final = {
    **dict.fromkeys(("attempt", "seed", "steps", "batch_size", "samples"), "int64"),
    "allow_invalid": "bool",
    "threads": "Int64",
}
"""Columns that are neither text nor a measured number. A measured number is a float64, NaN where there is none."""


def table(records: Iterable[Record]) -> pd.DataFrame:
    """Return one row per trial, its last attempt's, ordered by workload, track, norm, method, budget and seed.

    Columns, in this order: `trial_id attempt protocol_version track method expression workload d_norm seed steps
    batch_size samples precision allow_invalid components status`, then `metrics.*`, `stability.*` and `cost.*` (each
    group sorted by name; a column exists where any record has the value), then `device_name fingerprint threads
    started_at`. `components` is JSON text: rows that differ in it alone were run by different versions of a component.

    Raises:
        ValueError: the records follow more than one protocol version, which may not stand in one table.
    """
    return _table(_checked(records))


def frame(records: Iterable[Record]) -> pd.DataFrame:
    """Return the table of records of any protocols, with columns that keep apart whatever does not belong together.

    The columns are those of `table`, and after `status` four more: `network`, `evaluate_every`, `budget` in words, and
    `cell`. Rows of one `cell` differ in their seed alone: group by it, or by `CELL`. Rows are ordered by protocol
    first.
    """
    latest = latest_attempts(records)
    rows = _table(latest)
    by_id = {record.trial_id: record for record in latest}
    index = list(rows.columns).index("status") + 1
    for name, value in reversed(_SETTING.items()):
        kind = "int64" if name == "evaluate_every" else None
        rows.insert(index, name, pd.Series([value(by_id[identity]) for identity in rows["trial_id"]], dtype=kind))
    return rows


def _table(latest: list[Record]) -> pd.DataFrame:
    rows = sorted(latest, key=_order)
    columns: dict[str, Any] = {name: [value(record) for record in rows] for name, value in _LEADING.items()}
    for group in _GROUPS:
        values: list[Mapping[str, float | None]] = [getattr(record, group) for record in rows]
        for key in sorted(set().union(*values)):
            columns[f"{group}.{key}"] = pd.Series([numbers.get(key) for numbers in values], dtype="float64")
    columns |= {name: [value(record) for record in rows] for name, value in _TRAILING.items()}
    return pd.DataFrame(columns).astype(_DTYPES)


def evaluations(records: Iterable[Record]) -> pd.DataFrame:
    """Return the evaluations of every trial's last attempt, one row per measured number.

    Columns: `trial_id attempt method workload d_norm seed step metric value`; `value` is NaN where there is none.

    Raises:
        ValueError: as for `table`.
    """
    columns = ("trial_id", "attempt", "method", "workload", "d_norm", "seed", "step", "metric", "value")
    rows = [
        (*(_LEADING[name](record) for name in columns[:6]), evaluation.step, metric, value)
        for record in sorted(_checked(records), key=_order)
        for evaluation in record.history.evaluations
        for metric, value in sorted(evaluation.metrics.items())
    ]
    types = {"attempt": "int64", "seed": "int64", "step": "int64", "value": "float64"}
    return pd.DataFrame(rows, columns=list(columns)).astype(types)


def _budget(spec: Spec) -> str:
    every = f"evaluated every {spec.evaluate_every:,} on {spec.samples:,}"
    return f"{spec.steps:,} steps of {spec.batch_size:,}, {every}"


def _cell(record: Record) -> str:
    """Name by twelve digits everything that a trial's id is made of, but its seed."""
    return trial_id(msgspec.structs.replace(record.spec, seed=0), record.components)[:12]


def _checked(records: Iterable[Record]) -> list[Record]:
    latest = latest_attempts(records)
    versions = sorted({record.protocol_version for record in latest})
    if len(versions) > 1:
        raise ValueError(
            f"records of the protocols {', '.join(versions)} may not stand in one table; pass those of one"
        )
    return latest


def _order(record: Record) -> tuple[object, ...]:
    spec = record.spec
    setting = (record.protocol_version, spec.workload, spec.track, spec.network.d_norm)
    return (*setting, spec.method_name, spec.method, spec.steps, spec.seed, record.trial_id)
