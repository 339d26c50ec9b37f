"""Golden traces: what the first steps of every loss compute, kept in one small file. Reading it needs no torch."""

from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from bench.config.trial import Network, Optimizer
from bench.files.regular import UnusableFileError, read_regular
from bench.store.journal import read_struct
from bench.store.strict_json import UNREADABLE

GOLDEN_SCHEMA: Final = 2
"""Since 2 a trace names the revisions of its parts."""

KIND: Final = "golden-traces"
"""By what the file says of itself that it is no file of timings."""

DIGITS: Final = 9
"""Significant digits: the fewest that tell any two float32 numbers apart."""


class GoldenSetting(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was trained beside the loss. Traces of two settings are traces of different things."""

    network: Network
    optimizer: Optimizer
    images: str
    """Of what the made-up images are a function: the name of their stream."""
    image_count: int
    batch_size: int
    steps: int
    seed: int


class Trace(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The first steps of one method.

    `revisions` has the version of each of its parts by the part's name, as in the components of a trial. `values` has
    a list for each quantity, one number per step; None stands for what is no finite number.
    """

    method: str
    """The method's name, or the canonical expression of one without a name."""
    expression: str
    revisions: dict[str, str] = {}
    """Empty where the file is older than revisions are."""
    values: dict[str, list[float | None]]


class GoldenTraces(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag=KIND):
    """One file: the traces in the order of their methods, and what they were recorded with."""

    schema_version: int
    setting: GoldenSetting
    device: str
    cpu: str
    """The model of the processor: another one adds in another order."""
    versions: dict[str, str]
    """Of torch, of the engine and of the losses."""
    traces: list[Trace]

    @property
    def torch_minor(self) -> str:
        """The first two numbers of torch's version, "2.5" for "2.5.1+cpu"."""
        return ".".join(self.versions.get("torch", "").split("+")[0].split(".")[:2])


class _Kind(Struct, frozen=True):
    kind: str = ""


def is_golden(path: Path) -> bool:
    """Whether a file says of itself that it holds golden traces; what cannot be read or decoded does not."""
    try:
        return msgspec.json.decode(read_regular(path), type=_Kind).kind == KIND
    except (UnusableFileError, *UNREADABLE):  # what reads it as another kind of file says what is wrong with it
        return False


def encode_golden(traces: GoldenTraces) -> bytes:
    """Return the file's bytes, the same from the same numbers: a trace a line, so that a diff names the method."""
    head = msgspec.json.encode(msgspec.structs.replace(traces, traces=[]), order="deterministic")
    assert head.endswith(b"[]}"), "the traces come last"
    lines = [msgspec.json.encode(trace, order="deterministic") for trace in traces.traces]
    return head.removesuffix(b"]}") + b"\n" + b",\n".join(lines) + b"\n]}\n"


def read_golden(path: Path) -> GoldenTraces:
    """Read a file of golden traces.

    Raises:
        RecordError: it is damaged, has an unknown key, a list of another length, or a newer schema.
    """
    return read_struct(path, GoldenTraces, GOLDEN_SCHEMA, again="record it again with: python -m bench golden")


def rounded(value: float) -> float:
    """Return the number with `DIGITS` significant digits."""
    return float(f"{value:.{DIGITS}g}")
