"""Other ways to run a call than operator by operator: captured in a CUDA graph, or fused."""

import functools
from collections.abc import Collection
from typing import Final

import torch

from bench.accelerate.capture import WARM_UP, CapturedStepper, Recorder, recorder_for
from bench.common.errors import first_line, is_memory_error
from bench.costs.blocks import Call
from bench.costs.paths import ROTATION, Paths
from bench.store.kernels import Mode
from bench.training.monitors import Monitors
from losses.fusion import fused
from losses.types import Phase

_PHASES: Final[dict[str, Phase]] = {"d_step": "discriminator", "g_step": "generator"}
_LOSSES_AND_TERMS: Final = ("loss", "generator_loss", "penalty", "terms")
_NO_COMPILER: Final = ("no working c++ compiler", "failed to find c compiler", "working triton installation")
"""What torch says where there is none for the CPU, or for CUDA."""


def calls(paths: Paths, mode: Mode) -> tuple[dict[str, Call], list[str]]:
    """Return the calls of a method that can run in a mode, and notes on why the others cannot.

    - eager: everything.
    - captured: the losses, the terms, and whole steps as `bench run --capture` replays them.
    - compiled: the losses, by `losses.fusion`: nothing compiled is differentiated twice, as penalties on gradients are.

    Raises:
        RuntimeError: there is not enough memory, or no compiler, which says nothing of the method.
    """
    if mode == "eager":
        return paths.calls(), []
    runnable, notes = {}, []
    eager = paths.calls()
    wanted = ("loss", "generator_loss") if mode == "compiled" else (*_LOSSES_AND_TERMS, *_PHASES)
    for path in [path for path in wanted if path in eager]:
        try:
            runnable[path] = _compiled(paths, path) if mode == "compiled" else _captured(eager[path], path, paths)
        except RuntimeError as error:  # torch.cuda and torch.compile both raise it where they cannot
            if lacks_something(error):
                raise
            notes.append(f"{path} cannot be {mode}: {first_line(error)}")
    return runnable, notes


def lacks_something(error: BaseException) -> bool:
    """Say whether an error is a lack of this machine at this time, of memory or of a compiler."""
    return is_memory_error(error) or (
        isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _NO_COMPILER)
    )


def _captured(call: Call, path: str, paths: Paths) -> Call:
    if path in _PHASES:
        return _captured_step(call, _PHASES[path], paths)
    return capture(call, recorder_for(paths.device), paths.generators.values())


def _captured_step(call: Call, phase: Phase, paths: Paths) -> Call:
    """Record each kind of a player's updates once. The new call replays the kind of the update that is due."""
    captured = CapturedStepper(paths.step, Monitors(1, paths.device), recorder_for(paths.device))
    for index in range((WARM_UP + 1) * call.interval):
        captured.update(phase, index)
    if captured.reason:
        raise RuntimeError(captured.reason)
    return Call(lambda index: captured.update(phase, index), call.interval, call.reset, call.run)


def capture(call: Call, recorder: Recorder, generators: Collection[torch.Generator] = ()) -> Call:
    """Record a call once for each of its inputs. The new call replays them in turn.

    Raises:
        RuntimeError: it cannot be recorded, because it waits for the device or allocates memory elsewhere.
    """
    call.reset()
    for index in range(WARM_UP):
        recorder.run(functools.partial(call.run, index))
    replays = [recorder.record(functools.partial(call.run, index), generators) for index in range(ROTATION)]
    return Call(lambda index: replays[index % ROTATION](), reset=call.reset, counted=call.run)


def _compiled(paths: Paths, name: str) -> Call:
    objective = fused(paths.method.objective)
    call = paths.whole_loss(name, objective.discriminator if name == "loss" else objective.generator)
    call.run(0)  # compiles, or raises
    return call
