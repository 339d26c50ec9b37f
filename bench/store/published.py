"""The records of a published folder as one Parquet file: for people who only read, and for programs that ship it.

A row is a trial's last attempt. Its columns are those of `table.frame`, which say in words what was trained and carry
every number that was measured; then three more:

    evaluations   every evaluation: a list of {step, metrics}, metrics being a map from name to value
    record        the record as JSON, without the curves of training, so that a program has exactly what was recorded
    digest        SHA-256 of the whole record, curves and all

A value that does not exist is null. The bytes depend on the version of Arrow that wrote them; what they hold does not.
"""

import io
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from bench.config.trial import canonical_json
from bench.files.regular import UnusableFileError, read_regular
from bench.store.journal import latest_attempts
from bench.store.record import EvaluationsAlone, History, Record, content_digest

if TYPE_CHECKING:
    import pyarrow as pa

FILE: Final = "records.parquet"
"""What the file is called in a published folder."""

_LARGEST: Final = 2**30
"""Bytes of a file: a trial has about 2,000."""


def to_parquet(records: Iterable[Record]) -> bytes:
    """Write the last attempts of all trials, in the order of `table.frame`.

    The records need their evaluations: those that were read without histories are refused.
    """
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(_arrow(latest_attempts(records)), sink, compression="zstd", row_group_size=10_000)
    return sink.getvalue()


def holds(content: bytes, records: Iterable[Record]) -> bool:
    """Say whether a file holds exactly the records, whatever version of Arrow has written it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(io.BytesIO(content))
    except (pa.ArrowException, OSError):
        return False
    return bool(table.equals(_arrow(latest_attempts(records))))


def read_parquet(path: Path) -> list[Record]:
    """Read the records of a file, with their evaluations and without the curves of training.

    Raises:
        ValueError: the file cannot be read, or is not of this kind; the message names it.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(io.BytesIO(read_regular(path, largest=_LARGEST)), columns=["record", "digest"])
        texts, digests = (table.column(name).to_pylist() for name in ("record", "digest"))
        return [_decoded(text, digest) for text, digest in zip(texts, digests, strict=True)]
    except (UnusableFileError, pa.ArrowException, msgspec.MsgspecError, OSError, KeyError, TypeError) as error:
        raise ValueError(f"{path} holds no published records that this version reads ({error})") from error


def published_files() -> list[Path]:
    """Return the files of all published folders: of the checkout, or those that the installed package ships.

    They are `results/published/NAME/records.parquet` there, and `bench/published/NAME.parquet` here.
    """
    package = Path(__file__).resolve().parents[1]
    in_checkout = sorted((package.parent / "results" / "published").glob(f"*/{FILE}"))
    return in_checkout or sorted((package / "published").glob("*.parquet"))


def published_name(path: Path) -> str:
    """Return the name of the published folder that a file of `published_files` is of."""
    return path.parent.name if path.name == FILE else path.stem


def _arrow(latest: list[Record]) -> "pa.Table":
    import pyarrow as pa

    from bench.store.table import frame

    tidy = frame(latest)
    by_id = {record.trial_id: record for record in latest}
    ordered = [by_id[trial_id] for trial_id in tidy["trial_id"]]
    evaluations = pa.array([_evaluations(record) for record in ordered], _evaluations_type())
    table = pa.Table.from_pandas(tidy, preserve_index=False).replace_schema_metadata(None)
    for name, values in (
        ("evaluations", evaluations),
        ("record", pa.array([_encoded(record) for record in ordered], pa.string())),
        ("digest", pa.array([content_digest(record) for record in ordered], pa.string())),
    ):
        table = table.append_column(name, values)
    return table


def _evaluations_type() -> "pa.DataType":
    import pyarrow as pa

    return pa.list_(pa.struct({"step": pa.int64(), "metrics": pa.map_(pa.string(), pa.float64())}))


def _evaluations(record: Record) -> list[dict[str, Any]]:
    return [
        {"step": evaluation.step, "metrics": sorted(evaluation.metrics.items())}
        for evaluation in record.history.evaluations
    ]


def _encoded(record: Record) -> str:
    plain = History(evaluations=record.history.evaluations)
    return canonical_json(msgspec.structs.replace(record, history=plain)).decode()


def _decoded(text: str, digest: str) -> Record:
    record = msgspec.json.decode(text, type=Record)
    known = EvaluationsAlone(evaluations=record.history.evaluations, digest=digest)
    return msgspec.structs.replace(record, history=known)
