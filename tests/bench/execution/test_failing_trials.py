"""What a trial that fails costs the others of its process: a lack of memory, and a GPU that is no more."""

import weakref
from pathlib import Path

import pytest
import torch
from shared_trials import CPU, together
from slow_cases import sampled
from small_trials import brief_trial

from bench.execution import training
from bench.execution.interface import NeedsOwnProcess
from bench.execution.memory import NeedsMemory
from bench.store.record import Outcome
from bench.training.loop import TrainingLoop
from bench.training.run_options import RunOptions
from bench.training.step import TrainingStep


def fails_at(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Let the trial of seed 1 fail at step 7."""
    make = TrainingLoop.make

    def failing(loop: TrainingLoop, step: int) -> None:
        if loop.spec.seed == 1 and step == 7:
            raise error
        make(loop, step)

    monkeypatch.setattr(TrainingLoop, "make", failing)


def chained(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


NO_MEMORY = {
    "of a GPU": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
    "of the host": MemoryError(),
    "of the host, as torch says it": RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate"),
    "of the driver": RuntimeError("CUDA error: out of memory"),
    "of a library": RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    "as the cause": chained(ValueError("no samples"), MemoryError("Unable to allocate 3 GiB")),
}
ELSE = {"a bad loss": ValueError("a bad loss"), "another": RuntimeError("CUDA error: device-side assert triggered")}


@pytest.mark.parametrize("kind", sampled([*NO_MEMORY, *ELSE], every=8))
def test_out_of_memory_beside_others_is_tried_again_with_fewer(tmp_path: Path, monkeypatch, kind: str) -> None:
    error = (NO_MEMORY | ELSE)[kind]
    fails_at(monkeypatch, error)
    good, bad = together(tmp_path / "two", brief_trial(seed=0), brief_trial(seed=1))
    (alone,) = together(tmp_path / "one", brief_trial(seed=1))
    assert isinstance(good, Outcome)
    assert isinstance(bad, NeedsMemory) is (kind in NO_MEMORY)
    assert alone is error, "nobody was in its way"


@pytest.mark.slow
def test_out_of_memory_while_a_trial_is_built_is_the_same(tmp_path: Path, monkeypatch) -> None:
    build = TrainingStep.__init__

    def building(step: TrainingStep, *given: object, seed: int = 0, **settings: object) -> None:
        if seed == 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        build(step, *given, seed=seed, **settings)

    monkeypatch.setattr(TrainingStep, "__init__", building)
    first, bad, last = together(tmp_path, *(brief_trial(seed=seed) for seed in range(3)))
    assert isinstance(first, Outcome)
    assert isinstance(last, Outcome)
    assert str(bad) == "out of memory beside 2 other trials of its process: CUDA out of memory"


def test_a_gpu_that_fails_for_good_while_a_trial_is_built_is_no_fault_of_the_others(
    tmp_path: Path, monkeypatch
) -> None:
    build = TrainingStep.__init__
    error = RuntimeError("CUDA error: an illegal memory access was encountered")

    def building(step: TrainingStep, *given: object, seed: int = 0, **settings: object) -> None:
        if seed == 1:
            raise error
        build(step, *given, seed=seed, **settings)

    monkeypatch.setattr(TrainingStep, "__init__", building)
    monkeypatch.setattr(training, "recovers", lambda _: False)
    first, bad, last = together(tmp_path, *(brief_trial(seed=seed) for seed in range(3)))
    assert bad is error
    for other in (first, last):
        assert isinstance(other, NeedsOwnProcess)
        assert not isinstance(other, NeedsMemory)


def test_a_gpu_that_failed_for_good_is_no_fault_of_the_other_trials(tmp_path: Path, monkeypatch) -> None:
    error = RuntimeError("CUDA error: device-side assert triggered")
    fails_at(monkeypatch, error)
    monkeypatch.setattr(training, "recovers", lambda _: False)
    first, bad, last = together(tmp_path, *(brief_trial(seed=seed) for seed in range(3)))
    assert bad is error
    for other in (first, last):
        assert isinstance(other, NeedsOwnProcess)
        assert "the GPU failed with another trial" in str(other)


@pytest.mark.parametrize("dead", [False, True])
def test_after_an_error_a_gpu_is_asked_whether_it_still_computes(monkeypatch, dead: bool) -> None:
    asked = []

    def synchronize(device: torch.device) -> None:
        asked.append(str(device))
        if dead:
            raise RuntimeError("CUDA error: device-side assert triggered")

    monkeypatch.setattr(torch.cuda, "synchronize", synchronize)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: asked.append("empty_cache"))
    assert training.recovers(CPU)
    assert asked == []
    assert training.recovers(torch.device("cuda:1")) is not dead
    assert asked == (["cuda:1"] if dead else ["cuda:1", "empty_cache"])


@pytest.mark.parametrize("first", [True, False])
def test_what_a_trial_raised_keeps_nothing_of_it_alive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: bool
) -> None:
    steps: list[weakref.ref[TrainingStep]] = []
    build = TrainingStep.__init__

    def noting(step: TrainingStep, *given: object, **settings: object) -> None:
        steps.append(weakref.ref(step))
        build(step, *given, **settings)
        step.itself = step  # a loss of somebody's may refer to itself: counting references does not free that

    monkeypatch.setattr(TrainingStep, "__init__", noting)
    fails_at(monkeypatch, RuntimeError("out of luck"))
    (tmp_path / "0").mkdir()
    place = 0 if first else 1
    members = [(brief_trial(seed=seed), tmp_path / "0") for seed in ((1, 2) if first else (2, 1))]
    ended = training.train(members, RunOptions(), lambda _: None)
    index, error = next(ended)
    assert (index, str(error)) == (place, "out of luck")
    assert steps[place]() is None
    assert steps[1 - place]() is not None, "the other one still trains"
    ended.close()
