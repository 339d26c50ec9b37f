"""The classifiers that are not shipped: what is kept of them in the cache. `bench.metrics.prepare` trains them.

    CACHE/extractors/<name>-<key>.safetensors

The key names the content of the data and the recipe, never a folder. What the weights turned out to be is another
matter: processors and releases of torch differ in the last bits. Records therefore name a classifier by the SHA-256 of
its weights, as they do the shipped ones, and numbers measured with different weights never meet in one table.
"""

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from bench.files.writing import replace_whole
from bench.metrics.cache import default_cache_dir, digest
from bench.metrics.pins import extractor_component, extractor_pin
from bench.metrics.recipes import VERSION, Recipe, recipe_of
from bench.store.strict_json import UNREADABLE

UNTRAINED: Final = "untrained"
"""Stands in a component for the hash of weights that do not exist yet. No trial of that kind can be run."""

_METADATA: Final = "provenance"
_log = logging.getLogger(__name__)


class _BrokenError(Exception):
    """A file of weights is not what was written. The message says how."""


class Provenance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where trained weights come from; kept in their file."""

    sha256: str
    """Of the weights themselves, not of the file."""
    test_accuracy: float
    """The share of the test images whose class is right."""
    data_hash: str
    recipe_version: str
    threads: int
    torch: str
    seal: str = ""
    """The SHA-256 of all the rest of this, so that a damaged file is noticed wherever the damage is."""


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained classifier: its weights by name, and where they come from."""

    name: str
    weights: dict[str, Tensor]
    provenance: Provenance

    @property
    def component(self) -> str:
        """The name and version that are written into records, as `pins.extractor_component` has them."""
        return f"{self.name}:{self.provenance.sha256[:12]}"


@dataclass(frozen=True)
class Known:
    """What a record says of an extractor."""

    component: str
    accuracy: float | None
    """None of an extractor without classes."""


def weights_path(name: str, data_hash: str, *, cache_dir: Path | None = None, recipe: Recipe | None = None) -> Path:
    """Return the file in which the weights of a classifier for data of that content are kept."""
    folder = (cache_dir if cache_dir is not None else default_cache_dir()) / "extractors"
    return folder / f"{name}-{(recipe or recipe_of(name)).key(data_hash)}.safetensors"


def find(name: str, data_hash: str, cache_dir: Path | None = None) -> Trained | None:
    """Return the classifier that was trained for data of that content; None if there is none, or a damaged file."""
    return read_or_warn(name, weights_path(name, data_hash, cache_dir=cache_dir))


def known(name: str, data_hash: str, cache_dir: Path | None = None) -> Known | None:
    """Return what a record says of an extractor; None if it is a classifier that is not trained for this data yet."""
    pin = extractor_pin(name)
    if not pin.trained_here:
        return Known(extractor_component(name), pin.accuracy)
    found = find(name, data_hash, cache_dir)
    return Known(found.component, found.provenance.test_accuracy) if found is not None else None


def read_or_warn(name: str, path: Path) -> Trained | None:
    """Read a file of weights; None where there is none, or where it is not what was written, which is logged."""
    try:
        return _read(name, path)
    except _BrokenError as error:
        _log.warning("%s is damaged (%s); the classifier has to be trained again", path, error)
        return None


def _read(name: str, path: Path) -> Trained | None:
    if not path.is_file():
        return None
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            written = (file.metadata() or {}).get(_METADATA, "")
            weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a mapping)
        provenance = msgspec.json.decode(written, type=Provenance)
    except (OSError, safetensors.SafetensorError, *UNREADABLE) as error:
        raise _BrokenError(str(error)) from error
    if provenance != _sealed(provenance):
        raise _BrokenError("what is written about the weights has changed")
    if digest(weights) != provenance.sha256:
        raise _BrokenError("the weights have changed")
    return Trained(name, weights, provenance)


def write(made: Trained, path: Path) -> None:
    """Keep a classifier, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    # One entry only: safetensors writes several in an order that changes from run to run.
    metadata = {_METADATA: msgspec.json.encode(made.provenance).decode()}
    replace_whole(path, safetensors.torch.save(made.weights, metadata))


def described(name: str, weights: dict[str, Tensor], accuracy: float, data_hash: str, recipe: Recipe) -> Trained:
    """Return weights that were trained here and now, with their provenance."""
    provenance = Provenance(
        sha256=digest(weights),
        test_accuracy=round(accuracy, 4),
        data_hash=data_hash,
        recipe_version=VERSION,
        threads=recipe.threads,
        torch=str(torch.__version__),
    )
    return Trained(name, weights, _sealed(provenance))


def _sealed(provenance: Provenance) -> Provenance:
    bare = msgspec.structs.replace(provenance, seal="")
    return msgspec.structs.replace(bare, seal=hashlib.sha256(msgspec.json.encode(bare)).hexdigest())
