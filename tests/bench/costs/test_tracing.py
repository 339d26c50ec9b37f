"""A trace opens as JSON and has the ranges by name, inside the step they belong to."""

import json
from contextlib import contextmanager

import pytest
import torch

from bench.costs import tracing
from bench.methods import resolve


@pytest.mark.slow
def test_a_trace_has_the_named_ranges(small, tmp_path):
    path = tmp_path / "deep" / "trace.json"
    tracing.write_trace(path, resolve(["bce_ns + r1(gamma=3)", "hinge"]), small, "cpu")
    events = [event for event in json.loads(path.read_text())["traceEvents"] if event.get("ph") == "X"]
    spans = {}
    for event in events:
        spans.setdefault(event["name"], []).append((event["ts"], event["ts"] + event["dur"]))
    for name in ("D fake", "G fake", "D update", "G update", "D backward", "G backward", "objective"):
        assert len(spans[name]) >= 2 * tracing.TRACED_STEPS, name
    # The forwards of reals and fakes are hinge's one, and two where only the real one is differentiated by its images.
    assert len(spans["D real"]) == len(spans["D real and fake"]) == tracing.TRACED_STEPS
    assert len(spans["penalty r1"]) == tracing.TRACED_STEPS
    (step,) = spans["bce_ns + r1(gamma=3): D step 1"]
    inside = [span for span in spans["penalty r1"] if step[0] <= span[0] and span[1] <= step[1]]
    assert len(inside) == 1
    assert "hinge: G step 3" in spans
    assert [each.name for each in path.parent.iterdir()] == ["trace.json"]


def test_nvtx_ranges_are_opened_on_cuda_alone(monkeypatch):
    opened = []

    @contextmanager
    def fake_range(name):
        opened.append(name)
        yield

    monkeypatch.setattr(torch.cuda.nvtx, "range", fake_range)
    for device, nvtx in (("cuda", True), ("cuda", False), ("cpu", True)):
        with tracing.watcher(torch.device(device), nvtx=nvtx)(f"{device} {nvtx}"):
            pass
    assert opened == ["cuda True"]


@pytest.mark.slow
def test_a_trace_that_cannot_be_written_leaves_nothing(small, tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(OSError, match="taken"):
        tracing.write_trace(tmp_path / "taken" / "trace.json", resolve(["nsgan"]), small, "cpu")
    assert [each.name for each in tmp_path.iterdir()] == ["taken"]
