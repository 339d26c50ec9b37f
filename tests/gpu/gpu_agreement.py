"""Stages 2 and 3: captured steps are the plain ones, and evaluations beside the training those in line, bit for bit."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from gpu_results import Found
from gpu_setup import Check, Setup
from small_trials import images, make_trial
from torch import Tensor

from bench.accelerate.background import BackgroundRunner
from bench.accelerate.capture import CapturedStepper
from bench.config.trial import Trial
from bench.store.record import Outcome
from bench.training.build import build_step, prepare_process
from bench.training.monitors import Monitors
from bench.training.precision import configure
from bench.training.run import Run
from bench.training.run_options import RunOptions
from bench.training.stepper import EagerStepper, InlineRunner, Runner, Stepper

METHODS = ("nsgan", "nsgan-r1", "wgan-gp", "sngan", "topk-gan", "gdpp-gan", "ada-gan")
EXPECTED_EAGER = ("topk-gan",)
"""What computes with the count of steps, and is never captured."""
MEASURED = ("status", "metrics", "history", "stability")


def capture(setup: Setup) -> Iterator[Check]:
    for precision in setup.precisions:
        for method in METHODS:
            yield f"{method}, {precision}", lambda given=(method, precision): captured_is_plain(setup, *given)


def captured_is_plain(setup: Setup, method: str, precision: str) -> Found:
    """Make the same steps plainly and captured; every weight, statistic, state and monitor has to be the same."""
    plain, captured = (_trained(setup, method, precision, captured=captured) for captured in (False, True))
    other = [name for name, value in plain.tensors.items() if not _same(value, captured.tensors[name])]
    stepper = captured.stepper
    assert isinstance(stepper, CapturedStepper)
    values = {"replayed_steps": stepper.replayed_steps, "reason": stepper.reason}
    if other:
        worst = max(_distance(plain.tensors[name], captured.tensors[name]) for name in other)
        said = f"{len(other)} of {len(plain.tensors)} tensors differ, by {worst:.3g} at most; the first is {other[0]}"
        return Found("failed", said, {**values, "differ": other, "largest_difference": worst})
    if stepper.reason is not None:
        state = "note" if method in EXPECTED_EAGER else "failed"
        return Found(state, f"bit for bit, but trained without capture: {stepper.reason}", values)
    if not stepper.replayed_steps:
        return Found("failed", "no step was replayed", values)
    return Found("ok", f"bit for bit; {stepper.replayed_steps} of {_steps(setup)} steps were replayed", values)


def _steps(setup: Setup) -> int:
    return 12 if setup.small else 110


class _trained:  # noqa: N801 - what came of a training
    """A training of a few steps: all its tensors, and what made its steps."""

    def __init__(self, setup: Setup, method: str, precision: str, *, captured: bool) -> None:
        configure(precision)
        width, batch = (4, 8) if setup.small else (16, 64)
        trial = make_trial(method, width=width, batch_size=batch, seed=3, precision=precision)
        step = build_step(trial, images().to(setup.device), setup.device)
        steps = _steps(setup)
        monitors = Monitors(steps, setup.device)
        self.stepper: Stepper = (
            CapturedStepper(step, monitors, setup.recorder()) if captured else EagerStepper(step, monitors)
        )
        for index in range(steps):
            self.stepper.run(index)
        monitors.flush(steps)
        block = monitors.drain()
        assert block is not None
        self.tensors: dict[str, Tensor] = {
            **step.generator.state_dict(prefix="generator."),
            **step.discriminator.state_dict(prefix="discriminator."),
            **{f"state.{part}.{name}": value for part, own in step.state.items() for name, value in own.items()},
            "monitors": torch.as_tensor(block.values),
        }


def _same(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.equal(one.nan_to_num(-7.0), other.nan_to_num(-7.0))


def _distance(one: Tensor, other: Tensor) -> float:
    return float((one.double() - other.double()).abs().nan_to_num(torch.inf).max())


def evaluation(setup: Setup) -> Iterator[Check]:
    for precision in ("fp32", "bf16"):
        yield f"beside and in line, {precision}", lambda precision=precision: beside_is_in_line(setup, precision)


def beside_is_in_line(setup: Setup, precision: str) -> Found:
    """Train with evaluations in the background and in line; every measured number has to be the same."""
    sizes = {"steps": 12, "evaluate_every": 4, "samples": 40} if setup.small else {}
    full = {"steps": 120, "evaluate_every": 20, "samples": 1000}
    trial = setup.trial("ring8" if setup.small else "digits", **{**full, **sizes}, precision=precision)
    with BackgroundRunner(setup.device) as runner:
        beside = _outcome(setup, trial, runner)
    in_line = _outcome(setup, trial, InlineRunner())
    other = [name for name in MEASURED if getattr(beside, name) != getattr(in_line, name)]
    seconds = {"beside": beside.cost["train_seconds"], "in line": in_line.cost["train_seconds"]}
    if other:
        return Found("failed", f"other {', '.join(other)}", seconds)
    count = len(beside.history.evaluations)
    return Found("ok", f"{count} evaluations have the same numbers ({beside.status})", seconds)


def _outcome(setup: Setup, trial: Trial, runner: Runner) -> Outcome:
    options = RunOptions(device=setup.device_name, threads=torch.get_num_threads())
    prepare_process(trial, options)
    run = Run(
        trial,
        options,
        emit=lambda _: None,
        make_stepper=lambda step, monitors: CapturedStepper(step, monitors, setup.recorder(), sync=runner.wait),
        runner=runner,
    )
    for _ in run.steps():
        pass
    with TemporaryDirectory() as folder:
        return run.conclude(Path(folder))
