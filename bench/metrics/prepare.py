"""Everything a workload needs before its first trial: its data, its classifier and the measurements of the real images.

`python -m bench prepare` does it when it is asked to; a plan trains a classifier that it lacks, and an evaluation
measures real images that nobody has measured, so that nothing has to be prepared by hand.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import torch

from bench import data
from bench.common.threads import torch_threads
from bench.config.workload import Workload
from bench.data import Arrays, OnProgress, content_hash
from bench.data.cache import wait_for
from bench.metrics import trained
from bench.metrics.cache import CACHE_VARIABLE, default_cache_dir
from bench.metrics.evaluate import Evaluator
from bench.metrics.pins import extractor_pin
from bench.metrics.recipes import Recipe, recipe_of
from bench.metrics.reference import cache_path
from bench.metrics.train_classifier import train
from bench.metrics.trained import Known, Trained, weights_path


@dataclass(frozen=True)
class Prepared:
    """What there is once a workload is prepared."""

    workload: Workload
    """With its content hash."""
    train: int
    test: int
    """How many samples either part has."""
    extractor: Known | None
    """None for a toy."""
    floor: float | None
    """The distance of as many fresh real samples as an evaluation has; None where nothing tells it."""
    was_ready: bool
    """There was nothing left to do."""
    seconds: float


@dataclass(frozen=True)
class Repetition:
    """What came of training a classifier again."""

    first: Trained
    again: Trained

    @property
    def same(self) -> bool:
        return self.first.provenance.sha256 == self.again.provenance.sha256


def prepare(
    name: str, data_dir: Path | None, device: str, threads: int, on_progress: OnProgress | None = None
) -> Prepared:
    """Fetch and check a workload's data, train its classifier if none is there, and measure the real images.

    Args:
        name: of a workload; ValueError if there is none.
        data_dir: where downloaded data lies or is put; `data.default_data_dir()` when None.
        device: on which trials will measure. What is measured on another is not looked at.
        threads: of the trials, for the same reason.
        on_progress: is told how downloads, decoding and training get on, and when the measuring begins and ends.

    Raises:
        DataError: the data cannot be had or read.
        ValueError: the cache of classifiers cannot be written.
    """
    started = time.perf_counter()
    arrays = data.load(name, data_dir, on_progress)
    workload = data.settled(data.workload(name), arrays)
    was_ready = True
    if lacks_classifier(workload):
        was_ready = False
        ensure(_extractor(workload), arrays, on_progress)
    known = None if workload.is_toy else trained.known(_extractor(workload), workload.content_hash)
    with torch_threads(threads):
        where = torch.device(device)
        words = f"measuring the real images of {workload.name}"
        measured = workload.is_toy or _is_measured(workload, arrays, where)
        if on_progress is not None and not measured:
            on_progress(words, 0, 1)
        evaluator = Evaluator(workload, arrays, where)
        if on_progress is not None and not measured:
            on_progress(words, 1, 1)
    return Prepared(
        workload=workload,
        train=len(arrays.train),
        test=len(arrays.test),
        extractor=known,
        floor=evaluator.constants[f"{evaluator.primary}_floor"],
        was_ready=was_ready and measured,
        seconds=time.perf_counter() - started,
    )


def lacks_classifier(workload: Workload) -> bool:
    """Whether a workload, whose content hash is known, is measured in a classifier that is not trained yet."""
    return not workload.is_toy and trained.known(_extractor(workload), workload.content_hash) is None


def train_if_lacking(workload: Workload, data_dir: Path | None, on_progress: OnProgress | None) -> None:
    """Train the classifier that a workload, whose content hash is known, is measured in, if it is not there.

    Raises:
        DataError: the data cannot be read.
        ValueError: the cache of classifiers cannot be written.
    """
    if lacks_classifier(workload):
        arrays = data.load(workload.name, data_dir, on_progress, expected=workload.content_hash)
        ensure(_extractor(workload), arrays, on_progress)


def check_trainable(name: str) -> None:
    """Raise ValueError unless the workload of this name is measured in a classifier that is not shipped."""
    workload = data.workload(name)
    if workload.is_toy or not extractor_pin(_extractor(workload)).trained_here:
        measured = "a known mixture" if workload.is_toy else f"{workload.extractor}, which is part of the package"
        raise ValueError(f"{workload.name} is measured by {measured}: there is no classifier to train again")


def retrain(name: str, data_dir: Path | None, on_progress: OnProgress | None = None) -> Repetition | None:
    """Train a workload's classifier again and compare it with the one that is kept, which stays as it is.

    Returns:
        Both; None if there was none to compare with. It is trained and kept then.

    Raises:
        DataError: the data cannot be had or read.
        ValueError: no classifier is trained for the workload, or the cache cannot be written.
    """
    check_trainable(name)
    extractor = _extractor(data.workload(name))
    arrays = data.load(name, data_dir, on_progress)
    first = trained.find(extractor, content_hash(arrays))
    if first is None:
        ensure(extractor, arrays, on_progress)
        return None
    return Repetition(first, train_anew(extractor, arrays, recipe_of(extractor), on_progress))


def ensure(
    name: str,
    arrays: Arrays,
    on_progress: OnProgress | None = None,
    *,
    cache_dir: Path | None = None,
    recipe: Recipe | None = None,
) -> Trained:
    """Return the classifier for this data, after training and keeping it if there is none.

    One process at a time trains a classifier, others wait for it. Whatever interrupts it leaves no file.

    Args:
        name: of the classifier.
        arrays: the data, with labels.
        on_progress: is told how the training gets on; never called if there is nothing to train.
        cache_dir: where classifiers are kept; the user's cache when None.
        recipe: how it is trained; the classifier's own recipe when None.

    Raises:
        ValueError: the cache cannot be written.
    """
    recipe = recipe or recipe_of(name)
    path = weights_path(name, content_hash(arrays), cache_dir=cache_dir, recipe=recipe)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = wait_for(path.with_name(f".{path.stem}.lock"), f"training {name}")
    except OSError as error:
        raise _unwritable(path, error) from error
    with lock:
        found = trained.read_or_warn(name, path)
        if found is None:
            found = train_anew(name, arrays, recipe, on_progress)
            try:
                trained.write(found, path)
            except OSError as error:
                raise _unwritable(path, error) from error
        return found


def train_anew(name: str, arrays: Arrays, recipe: Recipe, on_progress: OnProgress | None = None) -> Trained:
    """Train the classifier for this data, whether or not one is kept, and keep nothing."""
    classifier, accuracy = train(recipe, arrays, on_progress=on_progress)
    weights = {key: tensor.contiguous() for key, tensor in classifier.state_dict().items()}
    return trained.described(name, weights, accuracy, content_hash(arrays), recipe)


def _is_measured(workload: Workload, arrays: Arrays, device: torch.device) -> bool:
    return cache_path(workload, arrays, device, default_cache_dir(), workload.samples).is_file()


def _unwritable(path: Path, error: OSError) -> ValueError:
    return ValueError(
        f"the classifier cannot be kept in {path.parent} ({error}); name a folder that can be written with "
        f"${CACHE_VARIABLE}"
    )


def _extractor(workload: Workload) -> str:
    assert workload.extractor is not None
    return workload.extractor
