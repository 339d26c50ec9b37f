"""Files of weights that others publish: where they are, whether they are the official ones, how to get them.

They are not part of a trial's identity. A record has the hash of the weights that its numbers were measured with. It
imports no torch.
"""

import hashlib
import os
import re
from pathlib import Path
from typing import Final

from msgspec import Struct

from bench.config.judges import OFFICIAL_WEIGHTS
from bench.config.protocol import INCEPTION
from bench.data import OnProgress, download
from bench.files.places import expanded, resolved, user_cache
from bench.files.regular import UnusableFileError, open_regular, read_regular

_NAMED_HASH: Final = re.compile(r"-(?=\d*[a-f])([0-9a-f]{8,64})\.\w+$")
"""Where the names of torch.hub's files have the first digits of their SHA-256. Without a letter they are a date or a
number of steps, as in the names that people give to weights of their own.
"""

_LARGEST: Final = 2**30
"""Bytes of a file of weights. The largest of the official ones has half of it."""


class Source(Struct, frozen=True, kw_only=True):
    """Where the official weights of a network are to be had."""

    network: str
    title: str
    file: str
    """Its name in torch.hub's cache, where torch-fidelity looks for it."""
    url: str
    size: str
    named_with: str
    """What a user writes to name a file of his own."""
    official_only: str = ""
    """Why no other file is read; empty where others are."""

    @property
    def sha256(self) -> str:
        """Of the official file: all digits, or as many as are known."""
        return OFFICIAL_WEIGHTS[self.network]

    @property
    def how_to_get(self) -> str:
        what = f"{self.url} ({self.size}, SHA-256 {self.sha256}{'' if len(self.sha256) == 64 else '...'})"
        return f"get {what} where there is a network, and name the file with {self.named_with}"


class Weights(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of weights of a network, and the SHA-256 of its content."""

    path: str
    sha256: str
    network: str = INCEPTION

    @property
    def official(self) -> bool:
        return self.sha256.startswith(OFFICIAL_WEIGHTS[self.network])

    @property
    def label(self) -> str:
        """The first twelve digits, as records have them."""
        return self.sha256[:12]


def cached_path(source: Source) -> Path:
    """Return where torch-fidelity, through torch.hub, keeps its download; in our own cache where no home is known.

    Raises:
        ValueError: $TORCH_HOME or $XDG_CACHE_HOME names the home of nobody, or `user_cache` does not say where.
    """
    cache = os.environ.get("XDG_CACHE_HOME")
    given = os.environ.get("TORCH_HOME") or (cache and f"{cache}/torch")
    return (expanded(given) if given else _torch_home()) / "hub" / "checkpoints" / source.file


def _torch_home() -> Path:
    try:
        return Path.home() / ".cache" / "torch"
    except RuntimeError:  # torch would put it below a folder called ~, wherever the program was started
        return user_cache() / "torch"


def identify(path: Path, source: Source) -> Weights:
    """Return a file of weights with the hash of its content. The weights are checked when they are loaded.

    Raises:
        ValueError: it cannot be read, its name has the hash of another content, or it is another file than the
            official one where no other is read.
    """
    try:
        with open_regular(path) as file:
            actual = hashlib.file_digest(file, "sha256").hexdigest()
    except UnusableFileError as error:
        raise ValueError(f"the {source.title} weights {path} {error}; {source.how_to_get}") from error
    named = _NAMED_HASH.search(path.name)
    if named is not None and not actual.startswith(named[1]):
        raise ValueError(
            f"{path} is damaged, or not what its name says: its SHA-256 is {actual[:12]}..., expected {named[1]}...; "
            f"delete it and {source.how_to_get}"
        )
    weights = Weights(path=str(resolved(path)), sha256=actual, network=source.network)
    if source.official_only and not weights.official:
        raise ValueError(
            f"{path} is not the official file of {source.network}: its SHA-256 is {actual[:12]}..., expected "
            f"{source.sha256[:12]}...; {source.official_only}; {source.how_to_get}"
        )
    return weights


def fetch(source: Source, on_progress: OnProgress | None = None) -> Weights:
    """Return the official weights. Download them to where torch-fidelity puts them, unless they are there.

    Raises:
        ValueError: they are not there and cannot be downloaded, or the file is damaged.
    """
    target = cached_path(source)
    if not target.is_file():
        missing = f"the {source.title} weights are not in {target.parent}"
        if reason := download.why_not():
            raise ValueError(f"{missing}, and {reason}; {source.how_to_get}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            download.fetch_sha256(source.url, source.sha256, target, on_progress)
        except OSError as error:
            raise ValueError(f"{missing}, and the download failed ({error}); {source.how_to_get}") from error
    return identify(target, source)


def verified(weights: Weights) -> bytes:
    """Return the content of the file.

    Raises:
        ValueError: it cannot be read, or is not what it was when it was identified.
    """
    try:
        content = read_regular(Path(weights.path), largest=_LARGEST)
    except UnusableFileError as error:
        raise ValueError(f"the weights of {weights.network}, {weights.path}, {error}") from error
    actual = hashlib.sha256(content).hexdigest()
    if actual != weights.sha256:
        raise ValueError(
            f"{weights.path} has changed since the run began: SHA-256 {actual[:12]}..., it was {weights.label}...; "
            "run the same command again"
        )
    return content
