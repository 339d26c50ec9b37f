"""What the trials of one process have in common: the data, decoded and on the device, and what it measures itself."""

from typing import NamedTuple

import torch
from torch import Tensor

from bench import data
from bench.config.trial import Spec, Trial
from bench.config.workload import Workload
from bench.data import Arrays
from bench.metrics.evaluate import Evaluator
from bench.training.run_options import RunOptions


class Material(NamedTuple):
    """The data of a workload; nobody changes it."""

    workload: Workload
    arrays: Arrays
    images: Tensor
    """The training part on the device, as `bench.training.batches.Batches` takes it."""


class Materials:
    """Loads the data of a workload and measures it once, however many trials of this process ask for it."""

    def __init__(self, options: RunOptions) -> None:
        self._options = options
        self._device = torch.device(options.device)
        self._loaded: dict[tuple[str, str], Material] = {}
        self._evaluators: dict[tuple[str, str, int, str], Evaluator] = {}

    def of(self, spec: Spec) -> Material:
        """Return the data of a trial's workload.

        Raises:
            ValueError: it cannot be had, or is not what the trial was planned with.
        """
        key = (spec.workload, spec.data_hash)
        if key not in self._loaded:
            arrays = data.load(spec.workload, self._options.data_folder, expected=spec.data_hash)
            workload = data.settled(data.workload(spec.workload), arrays)
            self._loaded[key] = Material(workload, arrays, torch.from_numpy(arrays.train).to(self._device))
        return self._loaded[key]

    def evaluator(self, trial: Trial) -> Evaluator:
        """Return what measures a trial's samples.

        Raises:
            ValueError: the extractor's weights are not there, or are not those that the trial was planned with.
        """
        spec, extractor = trial.spec, trial.components.get("extractor", "")
        key = (spec.workload, spec.data_hash, spec.samples, extractor)
        if key not in self._evaluators:
            workload, arrays, _ = self.of(spec)
            self._evaluators[key] = Evaluator(workload, arrays, self._device, samples=spec.samples, extractor=extractor)
        return self._evaluators[key]
