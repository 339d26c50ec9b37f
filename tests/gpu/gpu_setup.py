"""What the stages of the GPU checks have in common: the device, their size, and what stands for a graph."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from unittest import mock

import torch
from gpu_results import Found
from tape import Tapes

from bench.accelerate.capture import Recorder, recorder_for
from bench.config.suite import load_suite
from bench.config.trial import Precision, Trial
from bench.execution.training import recovers
from bench.plan import expand
from bench.training.precision import choose_device

_RECORDERS: Final = ("bench.accelerate.capture.recorder_for", "bench.costs.modes.recorder_for")

Check = tuple[str, Callable[[], Found]]
"""What is checked, and the call that checks it."""


@dataclass
class Setup:
    """Where a stage runs and how large its checks are; `small` is for the CPU, where only the script is checked."""

    device_name: str
    output: Path
    small: bool = False
    seconds: float = 60.0
    """How long the stage may take."""
    data: Path | None = None

    def __post_init__(self) -> None:
        self.device = torch.device(self.device_name)
        self.cuda = self.device.type == "cuda"
        self.results = self.output / "results"
        choose_device(self.device)
        if self.small:  # threads that share a core wait for each other
            torch.set_num_threads(1)

    @property
    def precisions(self) -> tuple[Precision, ...]:
        return ("fp32", "tf32", "bf16") if self.cuda else ("fp32", "bf16")

    def recorder(self) -> Recorder:
        """Return what records steps: CUDA graphs, or tapes in their place."""
        return recorder_for(self.device) if self.cuda else Tapes()

    @contextmanager
    def stand_ins(self) -> Iterator[None]:
        """Let tapes stand for graphs inside, where there is no GPU."""
        with ExitStack() as later:
            for place in () if self.cuda else _RECORDERS:
                later.enter_context(mock.patch(place, side_effect=lambda _: Tapes()))
            yield

    def recovers(self) -> bool:
        """Give memory back after a check that failed; say whether the device still computes."""
        return recovers(self.device)

    def trial(self, workload: str, seed: int = 0, **settings: object) -> Trial:
        """Return a planned trial of a workload that needs no download."""
        chosen = {"methods": ["nsgan"], "workloads": [workload], "seeds": seed + 1, **settings}
        return expand(load_suite("smoke", chosen), self.data)[seed]
