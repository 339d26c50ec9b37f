"""Records of all kinds for the index, and how to tell whether what it gives is what the files say."""

import struct
import time
from pathlib import Path

import msgspec
from planted_records import make_workload, planted_record
from synthetic import write

from bench.store.journal import Store
from bench.store.record import History, Record, content_digest

replace = msgspec.structs.replace

SECOND = 10**9


def world(seeds: int = 12) -> list[Record]:
    """Records of all kinds: failed, lost, without a machine, of other spellings, with numbers that few have."""
    workload = make_workload()
    records = [
        planted_record(workload, method, seed, distance=50.0 + seed / 3)
        for method in ("nsgan", "hinge + r1(gamma=10)")
        for seed in range(seeds)
    ]
    odd = planted_record(workload, "nsgan", 2**62, attempt=3, protocol_version="1.1")
    extremes = {"a": -0.0, "b": 5e-324, "c": 1.7976931348623157e308, "d": 0.1 + 0.2, "e": None}
    return [
        *records,
        planted_record(workload, "mmgan", 1, distance=None, status="nonfinite"),
        replace(
            planted_record(workload, "mmgan", 2, status="error"),
            message='broken: "ü",\n\t\u2028 and more',
            metrics={},
            stability={},
            cost={},
            history=History(),
            environment=None,
            commit=None,
        ),
        replace(odd, metrics={**dict(reversed(odd.metrics.items())), **extremes}, stability=extremes),
    ]


def store_of(tmp_path: Path, records: list[Record]) -> Store:
    return Store(write(records, tmp_path / "results"))


def scalars(record: Record) -> dict[str, object]:
    """All of a record but its curves, with every float as its bits, since -0.0 == 0.0; and the order of its names."""

    def exact(value: object) -> object:
        if isinstance(value, float):
            return struct.pack("d", value)
        if isinstance(value, dict):
            return [(name, exact(each)) for name, each in value.items()]
        return value

    return {name: exact(getattr(record, name)) for name in record.__struct_fields__ if name != "history"}


def assert_same(found: list[Record], whole: list[Record]) -> None:
    assert [scalars(record) for record in found] == [scalars(record) for record in whole]
    assert [content_digest(record) for record in found] == [content_digest(record) for record in whole]


def edit(path: Path, old: bytes, new: bytes) -> None:
    time.sleep(0.02)  # longer than a tick of the clock of files
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))
