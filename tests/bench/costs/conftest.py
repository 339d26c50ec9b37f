"""Small settings, a planted clock, a device without a GPU, and a registry that forgets the losses of a test."""

import time
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch

import losses
from bench.costs.blocks import Effort
from bench.store.kernels import KernelSetting
from bench.training import clock as clocks
from losses import registry

SMALL = KernelSetting(batch_size=8, image_size=32, channels=1, width=4, d_norm="ln", precision="fp32", mode="eager")
QUICK = Effort(block_seconds=0.0005, seconds=0.01, least=2, most=2, staged_calls=2)
NAP = 0.1
PRODUCT = 0.001


@pytest.fixture
def small() -> KernelSetting:
    return SMALL


@pytest.fixture
def quick() -> Effort:
    return QUICK


class PlantedClock:
    """Moves by what a test spends and by nothing else, so that a busy machine changes no time."""

    def __init__(self):
        self._now = 0.0

    def perf_counter(self):
        return self._now

    def spend(self, seconds):
        self._now += seconds


@pytest.fixture
def clock(monkeypatch):
    """The clock of blocks and ranges."""
    planted = PlantedClock()
    monkeypatch.setattr(clocks, "time", planted)
    return planted


@pytest.fixture
def planted(monkeypatch, clock):
    """Two regularisers of known cost, in a world where all else takes no time: a nap, and k matrix products.

    A nap is also a sleep, for the profiler, which has a clock of its own.
    """
    monkeypatch.setattr(registry, "_parts", dict(registry.parts()))

    @losses.register("nap")
    @dataclass(frozen=True)
    class Nap(losses.Regularizer):
        phase = "discriminator"
        every: int = losses.parameter(1, ge=1)

        def __call__(self, context):
            time.sleep(NAP)
            clock.spend(NAP)
            return context.real_logits.square().mean()

    @losses.register("products")
    @dataclass(frozen=True)
    class Products(losses.Regularizer):
        phase = "discriminator"
        count: int = losses.parameter(1, ge=1)
        every: int = losses.parameter(1, ge=1)

        def __call__(self, context):
            square = torch.ones(256, 256)
            for _ in range(self.count):
                square @ square
                clock.spend(PRODUCT)
            return context.real_logits.square().mean()


class FakeEvent:
    """`torch.cuda.Event` by the clock of the CPU."""

    def __init__(self, *, enable_timing):
        assert enable_timing
        self.at = None
        self.waited = False

    def record(self):
        self.at = clocks.time.perf_counter()

    def synchronize(self):
        self.waited = True

    def elapsed_time(self, later):
        assert later.waited, "an event is read once the device has come past it"
        return 1000 * (later.at - self.at)


@pytest.fixture
def fake_cuda(monkeypatch):
    """The parts of `torch.cuda` that time and capture, on the CPU: a graph records calls by running them again."""
    told = []

    class Graph:
        def __init__(self):
            told.append("graph")

        def register_generator_state(self, generator):
            told.append("generator")

        def capture_begin(self, *, pool):
            told.append("capture")

        def capture_end(self):
            told.append("end of capture")

        def replay(self):
            told.append("replay")

    class Context:
        def __init__(self, what):
            self.what = what

        def __enter__(self):
            told.append(self.what)

        def __exit__(self, *_):
            told.append(f"end of {self.what}")

    stream = SimpleNamespace(wait_stream=lambda _: None, device=torch.device("cuda"))
    fakes = {
        "Event": FakeEvent,
        "CUDAGraph": Graph,
        "graph_pool_handle": lambda: (0, 1),
        "stream": lambda _: Context("aside"),
        "Stream": lambda _, priority: stream,
        "current_stream": lambda _: stream,
        "default_stream": lambda _: stream,
    }
    for name, fake in fakes.items():
        monkeypatch.setattr(torch.cuda, name, fake)
    return told
