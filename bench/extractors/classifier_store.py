"""The cache of classifiers that are not shipped. `bench.extractors.on_demand` trains them.

    CACHE/extractors/<name>-<key>.safetensors

The key names the content of the data and the training configuration, never a folder. It does not determine the weights:
processors and releases of torch differ in the last bits. Records therefore name a classifier by the SHA-256 of its
weights, as they name a shipped one, and numbers measured with different weights never meet in one table.
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

from bench.extractors.digest import digest
from bench.extractors.specs import extractor_component, extractor_spec
from bench.extractors.training_configs import TRAINING_VERSION, TrainingConfig, training_config
from bench.files.places import default_cache_dir
from bench.files.writing import replace_whole
from bench.store.strict_json import UNREADABLE

UNTRAINED: Final = "untrained"
"""Stands in a component for the hash of weights that do not exist yet. No trial with it can be run."""

_METADATA: Final = "provenance"
_log = logging.getLogger(__name__)


class _BrokenError(Exception):
    """A file of weights is not what was written. The message says how."""


class Provenance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where trained weights come from. It is stored in their file."""

    sha256: str
    """Of the weights themselves, not of the file."""
    test_accuracy: float
    """The share of the test images that are put into the right class."""
    data_hash: str
    training_version: str = msgspec.field(name="recipe_version")
    """`TRAINING_VERSION`, under the name that files of weights have for it."""
    threads: int
    torch: str
    seal: str = ""
    """The SHA-256 of all other fields, so that damage is noticed wherever it is."""


@dataclass(frozen=True, eq=False)
class TrainedClassifier:
    """A trained classifier: its weights by name, and where they come from."""

    name: str
    weights: dict[str, Tensor]
    provenance: Provenance

    @property
    def component(self) -> str:
        """The name and version as records have them; compare `specs.extractor_component`."""
        return f"{self.name}:{self.provenance.sha256[:12]}"


@dataclass(frozen=True)
class ExtractorIdentity:
    """What a record says about an extractor."""

    component: str
    accuracy: float | None
    """None for an extractor without classes."""


def weights_path(
    name: str, data_hash: str, *, cache_dir: Path | None = None, config: TrainingConfig | None = None
) -> Path:
    """Return the file that keeps the weights of a classifier for data with this content hash."""
    folder = (cache_dir if cache_dir is not None else default_cache_dir()) / "extractors"
    return folder / f"{name}-{(config or training_config(name)).key(data_hash)}.safetensors"


def find(name: str, data_hash: str, cache_dir: Path | None = None) -> TrainedClassifier | None:
    """Return the classifier trained on data with this content hash; None if there is none or its file is damaged."""
    return read_or_warn(name, weights_path(name, data_hash, cache_dir=cache_dir))


def identity_of(name: str, data_hash: str, cache_dir: Path | None = None) -> ExtractorIdentity | None:
    """Return what a record says about an extractor; None for a classifier that is not trained on this data yet."""
    spec = extractor_spec(name)
    if not spec.trained_here:
        return ExtractorIdentity(extractor_component(name), spec.accuracy)
    trained = find(name, data_hash, cache_dir)
    return ExtractorIdentity(trained.component, trained.provenance.test_accuracy) if trained is not None else None


def read_or_warn(name: str, path: Path) -> TrainedClassifier | None:
    """Read a file of weights. Return None if there is none, or log a warning and return None if it is damaged."""
    try:
        return _read(name, path)
    except _BrokenError as error:
        _log.warning("%s is damaged (%s); the classifier has to be trained again", path, error)
        return None


def _read(name: str, path: Path) -> TrainedClassifier | None:
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
    return TrainedClassifier(name, weights, provenance)


def write(trained: TrainedClassifier, path: Path) -> None:
    """Write a classifier to its file, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    # One entry only: safetensors writes several in an order that changes from run to run.
    metadata = {_METADATA: msgspec.json.encode(trained.provenance).decode()}
    replace_whole(path, safetensors.torch.save(trained.weights, metadata))


def with_provenance(
    name: str, weights: dict[str, Tensor], accuracy: float, data_hash: str, config: TrainingConfig
) -> TrainedClassifier:
    """Return weights that this process has just trained, with their provenance."""
    provenance = Provenance(
        sha256=digest(weights),
        test_accuracy=round(accuracy, 4),
        data_hash=data_hash,
        training_version=TRAINING_VERSION,
        threads=config.threads,
        torch=str(torch.__version__),
    )
    return TrainedClassifier(name, weights, _sealed(provenance))


def _sealed(provenance: Provenance) -> Provenance:
    bare = msgspec.structs.replace(provenance, seal="")
    return msgspec.structs.replace(bare, seal=hashlib.sha256(msgspec.json.encode(bare)).hexdigest())
