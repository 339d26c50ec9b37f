"""What losses cost: one immutable JSON file, ROOT/kernels/<id>.json, for each method, setting and machine.

Samples are kept, not summaries: a median, a ratio or a test on blocks is a function of a record. No torch is needed.
"""

import hashlib
import re
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple

import msgspec
from msgspec import Struct

from bench.config.trial import PART, DiscriminatorNorm, Precision, canonical_json
from bench.files.places import resolved
from bench.files.writing import create_exclusively
from bench.store.journal import RecordError, read_struct
from bench.store.record import Environment

KERNEL_SCHEMA: Final = 1

Mode = Literal["eager", "captured", "compiled"]
"""How the operators are launched: one by one; from a CUDA graph; by what `torch.compile` made of them."""

_NAME: Final = re.compile(r"(?P<id>[0-9a-f]{16})\.json")


class KernelSetting(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was run beside the method. Rows of one table differ in the method alone."""

    batch_size: int
    image_size: int
    channels: int
    width: int
    d_norm: DiscriminatorNorm
    precision: Precision
    mode: Mode

    @property
    def description(self) -> str:
        """Name it: "batch 64, 32x32x3, width 64, ln, fp32, eager"."""
        return (
            f"batch {self.batch_size}, {self.image_size}x{self.image_size}x{self.channels}, width {self.width}, "
            f"{self.d_norm}, {self.precision}, {self.mode}"
        )


class Accelerator(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What nvidia-ml-py says of a GPU when a run begins; clocks in MHz, power in watts. None where it does not say."""

    name: str
    driver: str
    sm_clock: int | None = None
    sm_clock_maximum: int | None = None
    memory_clock: int | None = None
    memory_clock_maximum: int | None = None
    power_limit: float | None = None


class Rates(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The best that this machine was seen to do: a large matrix product and a large copy."""

    flops_per_second: float
    bytes_per_second: float


class Machine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where it was measured. Times may be compared exactly if the `fingerprint` is equal.

    On CUDA the driver is part of it where it is known, and clocks at their maximum; the present clocks change by the
    second and are told, not compared.
    """

    fingerprint: str
    environment: Environment
    accelerator: Accelerator | None
    rates: Rates


class Kernel(Struct, frozen=True, forbid_unknown_fields=True):
    """One kernel (on the CPU, one operator) by name: how often it ran in one call, and for how long in all."""

    name: str
    calls: int
    seconds: float


class Profile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One call under the profiler.

    - kernels, kernel_seconds: kernels launched on CUDA, outermost operators called on the CPU, and their time.
    - wall_seconds: the call's time, on CUDA without the profiler, on the CPU with it, as the operators' is.
    - top: the kernels that took longest, by name.
    - peak_extra_bytes: the most memory that was held above what was held before.
    - flops: of matrix products and convolutions; bytes: what operators read and write, each on its own.
    """

    kernels: int
    kernel_seconds: float
    wall_seconds: float
    top: list[Kernel]
    peak_extra_bytes: int
    flops: int
    bytes: int

    @property
    def launch_share(self) -> float:
        """The share of the wall clock in which no kernel ran: 1 - kernel time / wall, and not below 0."""
        return max(0.0, 1.0 - self.kernel_seconds / self.wall_seconds)

    def floor(self, rates: Rates) -> float:
        """Return the seconds that the machine's best rates imply: max(flops / rate, bytes / bandwidth)."""
        return max(self.flops / rates.flops_per_second, self.bytes / rates.bytes_per_second)


class Timing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One path of a method, interleaved with a path of the reference method in blocks A B B A, A being the reference.

    `blocks` and `reference_blocks` are seconds a call, in the order in which they were run; each block is `calls` or
    `reference_calls` calls long. `stages` are the median seconds of the ranges that a call is made of, each without
    those inside it; "rest" is what lies outside all of them. The losses on logits have none.
    """

    path: str
    reference: str
    """The reference method's path."""
    calls: int
    reference_calls: int
    blocks: list[float]
    reference_blocks: list[float]
    stages: dict[str, float] = {}
    profile: Profile | None = None

    @property
    def seconds(self) -> "Quartiles":
        """Seconds of a call, over the blocks."""
        return quartiles(self.blocks)

    @property
    def ratios(self) -> list[float]:
        """The path's time over the reference's, one for each A B B A."""
        return [
            sum(self.blocks[start : start + 2]) / sum(self.reference_blocks[start : start + 2])
            for start in range(0, len(self.blocks), 2)
        ]

    @property
    def ratio(self) -> "Quartiles":
        return quartiles(self.ratios)


class KernelRecord(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one method costs in one setting on one machine; a part alone is the method that adds it to the reference.

    `notes` say why a path that one would expect is missing.
    """

    schema_version: int
    id: str
    method: str
    """The canonical spelling."""
    label: str
    critic_steps: int
    """The discriminator's updates for one of the generator, by the method itself: a "d_step" is one of them."""
    setting: KernelSetting
    components: dict[str, str]
    """Versions of what was timed: of the engine, of what the losses share, and of the method's own parts."""
    machine: Machine
    timings: list[Timing]
    notes: list[str] = []
    commit: str | None = None
    measured_at: str

    def timing(self, path: str) -> Timing | None:
        """Return the timing of a path, or None where the method has no such path."""
        return next((timing for timing in self.timings if timing.path == path), None)


class Quartiles(NamedTuple):
    """A median between its quartiles."""

    low: float
    median: float
    high: float


def quartiles(values: Sequence[float]) -> Quartiles:
    """Return the median and the quartiles of at least one value, by linear interpolation."""
    if len(values) == 1:
        return Quartiles(values[0], values[0], values[0])
    return Quartiles(*statistics.quantiles(values, n=4, method="inclusive"))


def kernel_id(method: str, setting: KernelSetting, components: dict[str, str], fingerprint: str) -> str:
    """Return the identity of a measurement: 16 hexadecimal digits of SHA-256 over what decides the times."""
    identity = {"method": method, "setting": setting, "components": components, "fingerprint": fingerprint}
    return hashlib.sha256(canonical_json(identity)).hexdigest()[:16]


class KernelStore:
    """The kernel records of one results folder."""

    def __init__(self, root: Path) -> None:
        self.folder = resolved(root) / "kernels"

    def path(self, identity: str) -> Path:
        return self.folder / f"{identity}.json"

    def holds(self, identity: str) -> bool:
        """Whether this measurement is recorded; to measure again, delete the file or name another folder."""
        return self.path(identity).exists()

    def append(self, record: KernelRecord) -> bool:
        """Store a record unless there is one of its identity, which then stays; return whether it was stored."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            create_exclusively(self.path(record.id), msgspec.json.encode(record))
        except FileExistsError:
            return False
        return True

    def records(self) -> list[KernelRecord]:
        """Read all records, in the order of their tables: machine, setting, label.

        Raises:
            RecordError: a file there is no kernel record, is damaged, or was written by a newer program.
        """
        records = map(read_kernel_record, kernel_files(self.folder.parent))
        return sorted(records, key=lambda record: (_group(record), record.label, record.id))


def kernel_files(root: Path) -> list[Path]:
    """Return the paths of a results folder's kernel records, in order; what is being written is left out."""
    if not holds_kernels(root):
        return []
    return sorted(path for path in (root / "kernels").iterdir() if not path.name.startswith("."))


def holds_kernels(root: Path) -> bool:
    """Say whether a results folder has a place for kernel records.

    A results folder may be called `kernels` itself, as that of the published timings is. It has its records in folders
    of their own, and makes no results folder of the one that it lies in.
    """
    folder = root / "kernels"
    within = any((folder / name).is_dir() for name in ("records", "kernels"))
    return folder.is_dir() and not (within and not any(folder.glob("*.json")))


def is_results_folder(folder: Path) -> bool:
    """Say whether a folder is one of results, and not one that holds a results folder called records or kernels."""
    records = folder / "records"
    has_records = records.is_dir() and not any((records / name).is_dir() for name in ("records", "kernels"))
    return has_records or holds_kernels(folder)


def read_kernel_record(path: Path) -> KernelRecord:
    """Read one record.

    Raises:
        RecordError: it is damaged, has an unknown key or one twice, lies under another record's name, is of a newer
            schema or of none, or its id is not the one of what was measured.
    """
    name = _NAME.fullmatch(path.name)
    if name is None:
        raise RecordError(f"{path} is not a kernel record (<id>.json); move it out of the kernels folder")
    record = read_struct(path, KernelRecord, KERNEL_SCHEMA, again="have it measured again")
    if record.id != name["id"]:
        raise RecordError(f"{path} holds the record of {record.id}; give it its own name back")
    identity = kernel_id(record.method, record.setting, record.components, record.machine.fingerprint)
    if record.id != identity:
        raise RecordError(
            f"{path} calls itself {record.id}, and what it says was measured is {identity}: one of them was edited; "
            "restore it as it was recorded, or delete it to have it measured again"
        )
    return record


def groups(records: Iterable[KernelRecord]) -> list[list[KernelRecord]]:
    """Split records into those that may stand in one table: same machine, setting and versions of what all share.

    Of a method whose own parts were measured in several versions the last measurement counts, as on the leaderboard.
    """
    by_group: dict[tuple[object, ...], dict[str, KernelRecord]] = {}
    for record in records:
        group = by_group.setdefault(_group(record), {})
        known = group.get(record.method)
        if known is None or (record.measured_at, record.id) > (known.measured_at, known.id):
            group[record.method] = record
    return [list(group.values()) for group in by_group.values()]


def _group(record: KernelRecord) -> tuple[object, ...]:
    setting = record.setting
    versions = [item for item in sorted(record.components.items()) if not item[0].startswith(PART)]
    return (
        record.machine.environment.device_name,
        record.machine.fingerprint,
        *(setting.image_size, setting.channels, setting.width, setting.d_norm),
        *(setting.precision, setting.mode, setting.batch_size, *versions),
    )
