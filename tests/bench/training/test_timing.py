"""What a trial is said to have cost."""

import resource
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from small_trials import toy_trial, train_alone

from bench.training import run, timing
from bench.training.timing import peak_memory, reset_peak_memory

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def status(tmp_path: Path, monkeypatch) -> Path:
    """Where Linux says what it knows of a process; the file is not there yet."""
    path = tmp_path / "status"
    monkeypatch.setattr(timing, "_STATUS", path)
    return path


def test_peak_memory_is_that_of_the_process_and_not_of_a_larger_one_that_started_it(status: Path, monkeypatch) -> None:
    """A notebook with gigabytes in its memory starts workers: what `getrusage` says in them begins with those."""
    status.write_text("Name:\tpython\nVmPeak:\t    9000 kB\nVmHWM:\t     300 kB\nVmRSS:\t     200 kB\n")
    monkeypatch.setattr(resource, "getrusage", lambda _: SimpleNamespace(ru_maxrss=5_000_000))
    assert peak_memory(CPU) == 300 * 1024


def test_this_system_says_the_peak_of_this_process() -> None:
    peak = peak_memory(CPU)
    assert peak is not None
    assert 2**24 < peak <= 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1.1


@pytest.mark.parametrize(("platform", "unit"), [("linux", 1024), ("darwin", 1)])
def test_peak_memory_is_in_bytes_on_every_system(status: Path, monkeypatch, platform: str, unit: int) -> None:
    """Also on a Linux that does not say more, as in some sandboxes."""
    if platform == "linux":
        status.write_text("Name:\tpython\n")
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(resource, "getrusage", lambda _: SimpleNamespace(ru_maxrss=7))
    assert peak_memory(CPU) == 7 * unit


def test_where_the_system_does_not_say_it_peak_memory_is_unknown(status: Path, monkeypatch) -> None:
    """Windows has no such module."""
    monkeypatch.setitem(sys.modules, "resource", None)
    assert peak_memory(CPU) is None


def test_the_peak_of_a_gpu_is_that_of_this_trial(tmp_path: Path, monkeypatch) -> None:
    """Several trials in one process, one after the other, would else have the peak of the largest so far."""
    told = []
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: told.append(str(device)))
    reset_peak_memory(CUDA)
    reset_peak_memory(CPU)
    assert told == ["cuda"]
    monkeypatch.setattr(run, "reset_peak_memory", lambda _: told.append("before"))
    build = run.build_step
    monkeypatch.setattr(run, "build_step", lambda *given, **more: (told.append("built"), build(*given, **more))[1])
    train_alone(toy_trial(steps=2, evaluate_every=2, samples=40), tmp_path)
    assert told[1:] == ["before", "built"]
