"""What goes on around a CUDA graph, by a `torch.cuda` that only tells what is asked of it, and cuBLAS's habits."""

from contextlib import contextmanager

import pytest
import torch

from bench.accelerate.background import BackgroundRunner
from bench.accelerate.capture import CudaGraphs
from bench.accelerate.streams import own_stream

CUDA = torch.device("cuda")


class FakeCuda:
    """Streams, graphs and pools, and the workspaces that cuBLAS keeps one for each stream.

    A workspace lies in the pool of the recording during which it was asked for, or in none. A graph that is dropped
    takes the workspaces of its stream along, which is what torch does.
    """

    def __init__(self, monkeypatch):
        self.told, self.pools, self.workspaces = [], 0, {}
        self.default, self.made, self.priorities = "default", 0, []
        self.current = self.default
        self.capturing = self.breaks_at_end = None
        fakes = {
            "CUDAGraph": lambda: FakeGraph(self),
            "Stream": self._stream,
            "stream": self._on,
            "current_stream": lambda _: self.current,
            "default_stream": lambda _: self.default,
            "graph_pool_handle": self._pool,
            "synchronize": lambda _: self.told.append("synchronize"),
        }
        for name, fake in fakes.items():
            assert hasattr(torch.cuda, name)
            monkeypatch.setattr(torch.cuda, name, fake)
        monkeypatch.setattr(torch._C, "_cuda_clearCublasWorkspaces", self.workspaces.clear)

    def _stream(self, _, priority=0):
        self.made += 1
        self.priorities.append(priority)
        return f"stream {self.made}"

    def _pool(self):
        self.pools += 1
        return f"pool {self.pools}"

    @contextmanager
    def _on(self, stream):
        before, self.current = self.current, stream
        try:
            yield
        finally:
            self.current = before

    def matmul(self):
        """Multiply on the current stream, in its workspace."""
        pool = self.capturing.pool if self.capturing else None
        workspace = self.workspaces.setdefault(self.current, {"pool": pool, "is free": False})
        if self.capturing:
            self.capturing.uses.append(workspace)


class FakeGraph:
    def __init__(self, cuda):
        self.cuda, self.uses, self.pool, self.stream = cuda, [], None, None

    def register_generator_state(self, generator):
        self.cuda.told.append("generator")

    def capture_begin(self, *, pool):
        assert self.cuda.current != self.cuda.default, "the default stream cannot be recorded"
        self.pool, self.stream, self.cuda.capturing = pool, self.cuda.current, self

    def capture_end(self):
        self.cuda.capturing = None
        if self.cuda.breaks_at_end:
            raise RuntimeError("operation failed due to a previous error during capture")

    def drop(self):
        freed = self.cuda.workspaces.pop(self.stream, None)
        if freed is not None and freed["pool"] is None:
            freed["is free"] = True

    def replay(self):
        assert not any(workspace["is free"] for workspace in self.uses), "it writes to memory of somebody else"


@pytest.fixture
def cuda(monkeypatch):
    return FakeCuda(monkeypatch)


def recorded(cuda, recorder, *calls):
    """Record each call after it has run once, and return their graphs."""
    graphs = []
    for call in calls:
        with cuda._on(recorder._stream):
            call()
        graphs.append(recorder.record(call, [torch.Generator()]).__self__)
    return graphs


def test_a_graph_that_is_dropped_takes_no_workspace_of_another_along(cuda):
    first, second, third = recorded(cuda, CudaGraphs(CUDA), cuda.matmul, cuda.matmul, cuda.matmul)
    assert {use["pool"] for graph in (first, second, third) for use in graph.uses} == {"pool 1"}
    with cuda._on(first.stream):
        cuda.matmul()  # an update that runs eagerly, on the stream of the recordings
    first.drop()
    second.replay()
    third.replay()


def test_recordings_of_two_trials_that_share_a_stream_share_no_workspace(cuda):
    """torch hands its streams out again after the thirty-second."""
    cuda.current = "stream 7"
    (one,), (other,) = (recorded(cuda, CudaGraphs(CUDA), cuda.matmul) for _ in range(2))
    assert one.stream == other.stream == "stream 7"
    one.drop()
    other.replay()
    assert one.pool != other.pool


def test_a_trial_with_a_stream_of_its_own_is_recorded_on_that(cuda):
    cuda.current = "stream of a trial"
    assert CudaGraphs(CUDA)._stream == "stream of a trial"
    assert cuda.made == 0


def test_on_the_default_stream_a_recording_has_one_of_its_own(cuda):
    (graph,) = recorded(cuda, CudaGraphs(CUDA), cuda.matmul)
    assert graph.stream == "stream 1"
    assert cuda.current == "default"


def test_steps_go_before_evaluations(cuda):
    """A lower number goes first; the other way round, steps would wait for what is made beside them."""
    CudaGraphs(CUDA)
    own_stream(CUDA)
    with BackgroundRunner(CUDA):
        pass
    *training, evaluations = cuda.priorities
    assert len(training) == 2
    assert max(training) < evaluations


def test_a_failed_recording_tells_its_cause_and_leaves_the_stream_as_it_was(cuda):
    recorder = CudaGraphs(CUDA)
    cuda.breaks_at_end = True

    def call():
        raise RuntimeError("it waits for the device")

    with pytest.raises(RuntimeError, match="it waits for the device"):
        recorder.record(call, [])
    assert cuda.current == "default"
    assert cuda.told[-1] == "synchronize"
    assert cuda.capturing is None
    assert cuda.workspaces == {}


def test_a_recording_that_fails_only_at_its_end_is_told_too(cuda):
    cuda.breaks_at_end = True
    with pytest.raises(RuntimeError, match="previous error"):
        CudaGraphs(CUDA).record(cuda.matmul, [])
    assert cuda.current == "default"
