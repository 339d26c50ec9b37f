"""Everything that a workload needs before its first trial: data, classifier and measurements of the real images.

`python -m bench prepare` does all of it on request. Otherwise a plan trains the classifier that it lacks, and the first
evaluation measures the real images, so nothing has to be prepared by hand.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import torch

from bench import data
from bench.common.threads import torch_threads
from bench.config.trial import Trial
from bench.config.workload import Workload
from bench.data import Arrays, OnProgress
from bench.extractors.classifier_store import ExtractorIdentity
from bench.extractors.on_demand import ensure_for, lacks_classifier
from bench.extractors.workload_extractor import as_recorded, identity, measured_in
from bench.files.places import default_cache_dir
from bench.metrics.evaluate import Evaluator
from bench.metrics.reference import cache_path


@dataclass(frozen=True)
class Prepared:
    """What there is once a workload is prepared."""

    workload: Workload
    """With its content hash."""
    train: int
    test: int
    """How many samples each part has."""
    extractor: ExtractorIdentity | None
    """None for a toy."""
    floor: float | None
    """The distance of as many fresh real samples as an evaluation has; None where it cannot be measured."""
    was_ready: bool
    """There was nothing left to do."""
    seconds: float


def prepare(
    name: str, data_dir: Path | None, device: str, threads: int, on_progress: OnProgress | None = None
) -> Prepared:
    """Fetch and check a workload's data, train its classifier if there is none, and measure the real images.

    Args:
        name: of a workload; ValueError if there is none.
        data_dir: where downloaded data lies or is put; `data.default_data_dir()` if None.
        device: on which trials will measure. Measurements made on another device are not used.
        threads: of the trials, for the same reason.
        on_progress: called during downloads, decoding and training, and when the measuring begins and ends.

    Raises:
        DataError: the data is not there or cannot be read.
        ValueError: the cache of classifiers cannot be written.
    """
    started = time.perf_counter()
    arrays = data.load(name, data_dir, on_progress)
    workload = measured_in(data.settled(data.workload(name), arrays))
    was_ready = True
    if lacks_classifier(workload):
        was_ready = False
        ensure_for(workload, arrays, on_progress)
    known = None if workload.is_toy else identity(workload, workload.content_hash)
    with torch_threads(threads):
        chosen = torch.device(device)
        doing = f"measuring the real images of {workload.name}"
        measured = workload.is_toy or _is_measured(workload, arrays, chosen, workload.samples)
        if on_progress is not None and not measured:
            on_progress(doing, 0, 1)
        evaluator = Evaluator(workload, arrays, chosen)
        if on_progress is not None and not measured:
            on_progress(doing, 1, 1)
    return Prepared(
        workload=workload,
        train=len(arrays.train),
        test=len(arrays.test),
        extractor=known,
        floor=evaluator.constants[f"{evaluator.primary}_floor"],
        was_ready=was_ready and measured,
        seconds=time.perf_counter() - started,
    )


def is_measured(trial: Trial, arrays: Arrays, device: str, threads: int) -> bool:
    """Return whether the real images of a trial's workload, which are given, are measured for so many threads."""
    workload = data.workload(trial.spec.workload)
    if workload.is_toy:
        return True
    recorded = as_recorded(data.settled(workload, arrays), trial.components["extractor"])
    with torch_threads(threads):
        return _is_measured(recorded, arrays, torch.device(device), trial.spec.samples)


def _is_measured(workload: Workload, arrays: Arrays, device: torch.device, samples: int) -> bool:
    return cache_path(workload, arrays, device, default_cache_dir(), samples).is_file()
