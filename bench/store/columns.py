"""Records without their histories as the columns of an Arrow table, and back, exact to the last bit.

A row has what differs from run to run; its numbers are one list of float64. All else (spec, components, machine, the
names of the numbers) is a template that the runs of a method share, in the table and in memory.
"""

from array import array
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from bench.store.record import History, Record, UnreadHistory, content_digest

if TYPE_CHECKING:
    import pyarrow as pa

_GROUPS: Final = ("metrics", "stability", "cost")


class Stamp(NamedTuple):
    """What identifies a file as the one that was read. The second time is its inode's, where there is one.

    Whoever edits a file and sets its first time back does not set the second one back.
    """

    size: int
    modified_ns: int
    changed_ns: int


class Rows:
    """Columns that grow record by record, in the space that their numbers need."""

    def __init__(self) -> None:
        self._texts: dict[str, list[str]] = {name: [] for name in _TEXTS}
        self._stamps = array("q")
        self._templates: dict[bytes, int] = {}
        self._codes = array("i")
        self._values = array("d")
        self._ends = array("q", [0])

    def __len__(self) -> int:
        return len(self._codes)

    def append(self, record: Record, stamp: Stamp) -> None:
        for name, value in _TEXTS.items():
            self._texts[name].append(value(record))
        self._stamps.extend(stamp)
        self._codes.append(self._templates.setdefault(_template(record), len(self._templates)))
        for group in _GROUPS:
            # JSON has no NaN, so that it can stand for a number that is not there.
            self._values.extend(float("nan") if value is None else value for value in getattr(record, group).values())
        self._ends.append(len(self._values))

    def table(self) -> "pa.Table":
        import numpy as np
        import pyarrow as pa

        stamps = np.frombuffer(self._stamps, dtype=np.int64).reshape(-1, len(Stamp._fields))
        templates = pa.array([template.decode() for template in self._templates], pa.large_string())
        values = pa.LargeListArray.from_arrays(
            np.frombuffer(self._ends, dtype=np.int64), pa.array(np.frombuffer(self._values, dtype=np.float64))
        )
        columns = {
            **{name: pa.array(texts, pa.large_string()) for name, texts in self._texts.items()},
            **{name: pa.array(stamps[:, index]) for index, name in enumerate(Stamp._fields)},
            "template": pa.DictionaryArray.from_arrays(np.frombuffer(self._codes, dtype=np.int32), templates),
            "values": values,
        }
        return pa.table(columns)


_TEXTS: Final[Mapping[str, Callable[[Record], str]]] = {
    "trial_id": lambda record: record.trial_id,
    # As text, since a file can name a number of any size.
    "attempt": lambda record: str(record.attempt),
    "seed": lambda record: str(record.spec.seed),
    "message": lambda record: record.message,
    "started_at": lambda record: record.started_at,
    "finished_at": lambda record: record.finished_at,
    "digest": content_digest,
}


def _template(record: Record) -> bytes:
    """Encode what a record shares with others: everything but what has a column."""
    blank: dict[str, Any] = {group: dict.fromkeys(getattr(record, group)) for group in _GROUPS}
    shared = msgspec.structs.replace(
        record,
        **blank,
        spec=msgspec.structs.replace(record.spec, seed=0),
        history=History(),
        **dict.fromkeys(("trial_id", "message", "started_at", "finished_at"), ""),
        attempt=0,
    )
    return msgspec.json.encode(shared)


def records_of(table: "pa.Table") -> Iterator[Record]:
    """Make records of the rows of an index; those of one template share all that it holds."""
    for batch in table.to_batches():
        column = {name: batch.column(name) for name in batch.schema.names}
        templates = [_Template(text) for text in column["template"].dictionary.to_pylist()]
        values = iter(_numbers(column["values"].flatten()))
        rows = zip(column["template"].indices.to_pylist(), *(column[name].to_pylist() for name in _TEXTS), strict=True)
        for code, *texts in rows:
            yield templates[code].record(values, *texts)


def _numbers(column: "pa.Array") -> list[float | None]:
    import numpy as np

    numbers = column.to_numpy()
    objects = numbers.astype(object)
    objects[np.isnan(numbers)] = None
    listed: list[float | None] = objects.tolist()
    return listed


class _Template:
    def __init__(self, text: str) -> None:
        self._shared = msgspec.json.decode(text, type=Record)
        self._names = [tuple(getattr(self._shared, group)) for group in _GROUPS]

    def record(
        self,
        values: Iterator[float | None],
        trial_id: str,
        attempt: str,
        seed: str,
        message: str,
        started_at: str,
        finished_at: str,
        digest: str,
    ) -> Record:
        """Fill in what a row holds; `values` are at its first number, and left behind its last."""
        metrics, stability, cost = (dict(zip(names, islice(values, len(names)), strict=True)) for names in self._names)
        shared = self._shared
        return msgspec.structs.replace(
            shared,
            trial_id=trial_id,
            attempt=int(attempt),
            spec=msgspec.structs.replace(shared.spec, seed=int(seed)),
            message=message,
            metrics=metrics,
            history=UnreadHistory(digest=digest),
            stability=stability,
            cost=cost,
            started_at=started_at,
            finished_at=finished_at,
        )


def names_of(table: "pa.Table") -> list[str]:
    pairs = zip(table["trial_id"].to_pylist(), table["attempt"].to_pylist(), strict=True)
    return [f"{trial_id}.{attempt}.json" for trial_id, attempt in pairs]
