"""The weights of Inception: where they are, whether they are the official ones, how to get them. It imports no torch.

They are not part of a trial's identity. A record has the hash of the weights that its numbers were measured with.
"""

import hashlib
import os
import re
from pathlib import Path
from typing import Final

from msgspec import Struct

from bench.config.protocol import INCEPTION_SHA256
from bench.config.workload import Workload
from bench.data import OnProgress, download
from bench.files.places import expanded, resolved
from bench.files.regular import UnusableFileError, open_regular
from bench.store.record import Record

FILE: Final = f"weights-inception-2015-12-05-{INCEPTION_SHA256}.pth"
URL: Final = f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{FILE}"
SIZE: Final = "91 MB"

_NAMED_HASH: Final = re.compile(r"-([0-9a-f]{8,64})\.\w+$")
"""Where the names of torch.hub's files have the first digits of their SHA-256."""

HOW_TO_GET: Final = f"get {URL} where there is a network, and name the file with --inception-weights"


class Weights(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of weights, and the SHA-256 of its content."""

    path: str
    sha256: str

    @property
    def official(self) -> bool:
        return self.sha256.startswith(INCEPTION_SHA256)

    @property
    def label(self) -> str:
        """The first twelve digits, as records have them."""
        return self.sha256[:12]


class InceptionPlan(Struct, frozen=True, kw_only=True):
    """The weights with which a campaign measures FID, KID and IS, and the workloads on which it does."""

    weights: Weights
    required: bool = False
    """Measure all workloads of images, gray ones too, and treat trials without these numbers as unfinished."""

    def covers(self, workload: Workload) -> bool:
        return workload.has_single_images if self.required else workload.has_color

    def misses(self, workload: Workload, record: Record) -> bool:
        """Whether the trial must run again, since its record lacks required numbers with these weights."""
        # Of weights that are not downloaded yet, fewer digits are known than a record has.
        measured = (record.inception_weights or "").startswith(self.weights.label)
        return self.required and self.covers(workload) and not measured


def cached_path() -> Path:
    """Return where torch-fidelity, through torch.hub, keeps its download."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("TORCH_HOME") or f"{cache}/torch"
    return expanded(home) / "hub" / "checkpoints" / FILE


def identify(path: Path) -> Weights:
    """Return a file of weights with the hash of its content. The weights are checked when they are loaded.

    Raises:
        ValueError: it cannot be read, or its name has the hash of another content.
    """
    try:
        with open_regular(path) as file:
            actual = hashlib.file_digest(file, "sha256").hexdigest()
    except UnusableFileError as error:
        raise ValueError(f"the Inception weights {path} {error}; {HOW_TO_GET}") from error
    named = _NAMED_HASH.search(path.name)
    if named is not None and not actual.startswith(named[1]):
        raise ValueError(
            f"{path} is damaged, or not what its name says: its SHA-256 is {actual[:12]}..., expected {named[1]}...; "
            f"delete it and {HOW_TO_GET}"
        )
    return Weights(path=str(resolved(path)), sha256=actual)


def fetch(on_progress: OnProgress | None = None) -> Weights:
    """Return the official weights. Download them to where torch-fidelity puts them, unless they are there.

    Raises:
        ValueError: they are not there and cannot be downloaded, or the file is damaged.
    """
    target = cached_path()
    if not target.is_file():
        if reason := download.why_not():
            raise ValueError(f"the Inception weights are not in {target.parent}, and {reason}; {HOW_TO_GET}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            download.fetch_sha256(URL, INCEPTION_SHA256, target, on_progress)
        except OSError as error:
            raise ValueError(
                f"the Inception weights are not in {target.parent}, and the download failed ({error}); {HOW_TO_GET}"
            ) from error
    return identify(target)
