"""The weights of Inception, and on which workloads a campaign uses them. It imports no torch."""

from pathlib import Path
from typing import Final

from msgspec import Struct

from bench.config.protocol import INCEPTION, INCEPTION_SHA256
from bench.config.workload import Workload
from bench.data import OnProgress
from bench.extractors import weight_files
from bench.extractors.weight_files import Source, Weights
from bench.store.record import Record

FILE: Final = f"weights-inception-2015-12-05-{INCEPTION_SHA256}.pth"
URL: Final = f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{FILE}"
SIZE: Final = "91 MB"


class InceptionPlan(Struct, frozen=True, kw_only=True):
    """The weights with which a campaign measures FID, KID and IS, and the workloads on which it does."""

    weights: Weights
    required: bool = False
    """Measure all workloads of images, gray ones too, and treat trials without these numbers as unfinished."""

    def covers(self, workload: Workload) -> bool:
        return workload.has_single_images if self.required else workload.has_color

    def misses(self, workload: Workload, record: Record) -> bool:
        """Whether the trial must run again, since its record lacks required numbers with these weights."""
        return self.required and self.covers(workload) and not record.is_judged_with(INCEPTION, self.weights.label)


def source() -> Source:
    """Return where the official weights are to be had."""
    return Source(
        network=INCEPTION,
        title="Inception",
        file=FILE,
        url=URL,
        size=SIZE,
        named_with="--inception-weights",
    )


def cached_path() -> Path:
    """Return where torch-fidelity, through torch.hub, keeps its download."""
    return weight_files.cached_path(source())


def identify(path: Path) -> Weights:
    """Return a file of weights with the hash of its content, as `weight_files.identify` does."""
    return weight_files.identify(path, source())


def fetch(on_progress: OnProgress | None = None) -> Weights:
    """Return the official weights, downloaded if need be, as `weight_files.fetch` does."""
    return weight_files.fetch(source(), on_progress)
