"""Train the classifiers that are not shipped, each on the machine and at the time it is first needed."""

from dataclasses import dataclass
from pathlib import Path

from bench import data
from bench.config.workload import Workload
from bench.data import Arrays, OnProgress, content_hash
from bench.data.cache import wait_for
from bench.extractors import classifier_store
from bench.extractors.classifier_store import TrainedClassifier, weights_path
from bench.extractors.specs import extractor_spec
from bench.extractors.train_classifier import train
from bench.extractors.training_configs import TrainingConfig, training_config
from bench.extractors.workload_extractor import reader_of_classes
from bench.files.places import CACHE_VARIABLE


@dataclass(frozen=True)
class Repetition:
    """A classifier that was trained again, beside the one in the cache."""

    first: TrainedClassifier
    again: TrainedClassifier

    @property
    def same(self) -> bool:
        return self.first.provenance.sha256 == self.again.provenance.sha256


def lacks_classifier(workload: Workload) -> bool:
    """Whether the classifier of a workload, whose content hash is known, is not trained yet."""
    name = reader_of_classes(workload)
    return name is not None and classifier_store.identity_of(name, workload.content_hash) is None


def train_if_lacking(workload: Workload, data_dir: Path | None, on_progress: OnProgress | None) -> None:
    """Train the classifier of a workload, whose content hash is known, unless it is in the cache.

    Raises:
        DataError: the data cannot be read.
        ValueError: the cache of classifiers cannot be written.
    """
    if lacks_classifier(workload):
        arrays = data.load(workload.name, data_dir, on_progress, expected=workload.content_hash)
        ensure_for(workload, arrays, on_progress)


def ensure_for(workload: Workload, arrays: Arrays, on_progress: OnProgress | None) -> None:
    """Train and store the classifier of a workload of images, as `ensure` does."""
    name = reader_of_classes(workload)
    assert name is not None
    ensure(name, arrays, on_progress)


def check_trainable(name: str) -> None:
    """Raise ValueError unless the workload of this name is measured by a classifier that is not shipped."""
    workload = data.workload(name)
    if workload.extractor is None or not extractor_spec(workload.extractor).trained_here:
        measured = "a known mixture" if workload.is_toy else f"{workload.extractor}, which is part of the package"
        raise ValueError(f"{workload.name} is measured by {measured}: there is no classifier to train again")


def retrain(name: str, data_dir: Path | None, on_progress: OnProgress | None = None) -> Repetition | None:
    """Train a workload's classifier again and compare it with the one in the cache, which stays as it is.

    Returns:
        Both; None if there was none in the cache. It is trained and stored then.

    Raises:
        DataError: the data is not there or cannot be read.
        ValueError: no classifier is trained for the workload, or the cache cannot be written.
    """
    check_trainable(name)
    extractor = data.workload(name).extractor
    assert extractor is not None
    arrays = data.load(name, data_dir, on_progress)
    first = classifier_store.find(extractor, content_hash(arrays))
    if first is None:
        ensure(extractor, arrays, on_progress)
        return None
    return Repetition(first, train_anew(extractor, arrays, training_config(extractor), on_progress))


def ensure(
    name: str,
    arrays: Arrays,
    on_progress: OnProgress | None = None,
    *,
    cache_dir: Path | None = None,
    config: TrainingConfig | None = None,
) -> TrainedClassifier:
    """Return the classifier for this data. Train and store it first if there is none.

    One process at a time trains a classifier and others wait for it. An interrupted training leaves no file.

    Args:
        name: of the classifier.
        arrays: the data, with labels.
        on_progress: called while it is trained; never called if there is nothing to train.
        cache_dir: where classifiers are stored; the user's cache if None.
        config: how it is trained; the classifier's own configuration if None.

    Raises:
        ValueError: the cache cannot be written.
    """
    config = config or training_config(name)
    path = weights_path(name, content_hash(arrays), cache_dir=cache_dir, config=config)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = wait_for(path.with_name(f".{path.stem}.lock"), f"training {name}")
    except OSError as error:
        raise _unwritable(path, error) from error
    with lock:
        trained = classifier_store.read_or_warn(name, path)
        if trained is None:
            trained = train_anew(name, arrays, config, on_progress)
            try:
                classifier_store.write(trained, path)
            except OSError as error:
                raise _unwritable(path, error) from error
        return trained


def train_anew(
    name: str, arrays: Arrays, config: TrainingConfig, on_progress: OnProgress | None = None
) -> TrainedClassifier:
    """Train the classifier for this data, whether or not there is one, and store nothing."""
    classifier, accuracy = train(config, arrays, on_progress=on_progress)
    weights = {key: tensor.contiguous() for key, tensor in classifier.state_dict().items()}
    return classifier_store.with_provenance(name, weights, accuracy, content_hash(arrays), config)


def _unwritable(path: Path, error: OSError) -> ValueError:
    return ValueError(
        f"the classifier cannot be kept in {path.parent} ({error}); name a folder that can be written with "
        f"${CACHE_VARIABLE}"
    )
