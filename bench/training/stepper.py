"""How steps are made, and how evaluations are: what the training loop is handed, and the plain way of each.

`bench.accelerate` has other ways. The loop cannot tell them apart, and no number depends on which one it has.
"""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar, TypeVarTuple

from bench.training.monitors import Monitors
from bench.training.step import TrainingStep
from losses.types import Phase

Made = TypeVar("Made")
Given = TypeVarTuple("Given")


class Stepper(Protocol):
    """Makes training steps and stores what is watched of them."""

    @property
    def message(self) -> str:
        """What a record says of the way the steps were made; empty where there is nothing to say."""
        ...

    def run(self, step: int) -> None:
        """Make one step and store what is watched."""
        ...

    def update(self, phase: Phase, index: int) -> bool:
        """Make the update of a phase that has this number; say whether it was made as a long training makes most."""
        ...

    def cost(self) -> dict[str, float | None]:
        """Return what a record has among its costs of the way the steps were made."""
        ...

    def snapshot(self) -> dict[str, Any]:
        """Return what a record will say of the steps so far."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what the stepper of an earlier attempt returned, whatever way that one had."""
        ...


MakeStepper = Callable[[TrainingStep, Monitors], Stepper]


class EagerStepper:
    """Makes each step as it is written, one operator after another."""

    message = ""

    def __init__(self, step: TrainingStep, monitors: Monitors) -> None:
        self._step = step
        self._monitors = monitors

    def run(self, step: int) -> None:
        self._monitors.record(step, *self._step.run(step))

    def update(self, phase: Phase, index: int) -> bool:
        batch = self._step.batch(phase, index)
        if phase == "discriminator":
            self._step.discriminator_gradients(batch)
            self._step.apply_discriminator()
        else:
            self._step.generator_gradients(batch)
            self._step.apply_generator()
        return True

    def cost(self) -> dict[str, float | None]:
        return {}

    def snapshot(self) -> dict[str, Any]:
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        return


class Runner(Protocol):
    """Makes calls that training need not wait for."""

    def submit(self, call: Callable[[*Given], Made], *given: *Given) -> "Future[Made]":
        """Make a call with what is given as it is now, whatever becomes of it later; what it raises is the future's."""
        ...

    def wait(self) -> None:
        """Wait until nothing is under way."""
        ...


class InlineRunner:
    """Makes each call at once, while the caller waits."""

    def submit(self, call: Callable[[*Given], Made], *given: *Given) -> "Future[Made]":
        future: Future[Made] = Future()
        try:
            future.set_result(call(*given))
        except Exception as error:  # noqa: BLE001 - raised again by whoever asks for the result
            future.set_exception(error)
        return future

    def wait(self) -> None:
        return
