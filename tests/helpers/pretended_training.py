"""A trainer that pretends: `run` goes through the real plan, store and campaign, and nothing is trained."""

import functools
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from bench import campaign, data
from bench.config.judges import BESIDE_INCEPTION
from bench.config.trial import Trial
from bench.store.record import Outcome, Status
from bench.training.run_options import RunOptions

FID = {"fid": 30.0, "fid_floor": 2.0, "fid_samples": 12.0}


def judged(key: str) -> dict[str, float | None]:
    """What a judge beside Inception measures, given its short name."""
    distance = {f"{key}_fd": 40.0, f"{key}_fd_floor": 4.0, f"{key}_kd": 0.5, f"{key}_samples": 12.0}
    shares = {f"{key}_{each}{end}": 0.25 for each in ("precision", "recall") for end in ("", "_ceiling")}
    return {**distance, **shares}


class PretendedTraining:
    """What was asked of the trainer, and what it is to do instead of succeeding.

    Args:
        make: makes the record of a method and a seed that end well.
    """

    def __init__(self, make: Callable[[str, int, float], object]) -> None:
        self.trained: list[str] = []
        """The methods, in the order in which they were trained."""
        self.options: list[RunOptions] = []
        """Those of each process."""
        self.behave: dict[str, Callable[[], None]] = {}
        """What is done when a method is trained: it may raise."""
        self.status: Status = "ok"
        """That of every trial that does not raise."""
        self._make = make

    def train(
        self, trials: Sequence[tuple[Trial, Path]], options: RunOptions, emit: object
    ) -> Iterator[tuple[int, Outcome | Exception]]:
        """Stand in for `bench.execution.training.train`."""
        self.options.append(options)
        for index, (trial, artifacts) in enumerate(trials):
            try:
                yield index, self._train_one(trial, options, artifacts)
            except Exception as error:  # noqa: BLE001 - what the trainer is to hand on
                yield index, error

    def _train_one(self, trial: Trial, options: RunOptions, artifacts: Path) -> Outcome:
        name = trial.spec.method_name
        self.trained.append(name)
        self.behave.get(name, lambda: None)()
        made = self._make(trial.spec.method, trial.spec.seed, 50.0 if "nsgan" in name else 90.0)
        (artifacts / "samples.png").write_bytes(b"picture")
        fields = {field: getattr(made, field) for field in Outcome.__struct_fields__}
        for weights in options.judges(data.workload(trial.spec.workload)):
            judge = BESIDE_INCEPTION.get(weights.network)
            fields["metrics"] = fields["metrics"] | (FID if judge is None else judged(judge.key))
        return Outcome(**{**fields, "status": self.status, "environment": None})


def install(monkeypatch: pytest.MonkeyPatch, training: PretendedTraining) -> None:
    """Let every campaign of this process train by `training`."""
    module = types.ModuleType("pretended_trainer")
    module.train = training.train  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pretended_trainer", module)
    monkeypatch.setattr(campaign, "run", functools.partial(campaign.run, trainer="pretended_trainer:train"))
