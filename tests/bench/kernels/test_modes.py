"""Captured and compiled calls: what there is of them, and that a capture runs each input once and replays in turn."""

import msgspec
import pytest
import torch

import losses
from bench.kernels import modes
from bench.kernels.blocks import Call
from bench.kernels.paths import ROTATION, Paths

CPU = torch.device("cpu")


def paths(setting, mode, method="bce_ns + gp1 + msgan"):
    return Paths(losses.get(method), msgspec.structs.replace(setting, mode=mode), CPU)


def test_a_capture_warms_up_aside_and_replays_its_inputs_in_turn(fake_cuda):
    ran = []
    call = modes.capture(Call(ran.append), [torch.Generator()])
    assert ran == [0, 1, 2, *range(ROTATION)]
    assert fake_cuda[:2] == ["aside", "end of aside"]
    assert fake_cuda[2:] == ["graph", "generator", "capture", "end of capture"] * ROTATION
    call.run(5)
    assert fake_cuda[-1] == "replay"
    assert len(ran) == 3 + ROTATION, "a replay calls nothing"


def test_losses_and_terms_are_captured_and_whole_steps_are_not(fake_cuda, small):
    found, notes = modes.calls(paths(small, "captured"), "captured")
    assert list(found) == ["loss", "generator_loss", "penalty", "terms"]
    assert notes == []


def test_what_cannot_be_captured_is_told(fake_cuda, small, monkeypatch):
    def refuse(_):
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    monkeypatch.setattr(torch.cuda, "graph", refuse)
    found, notes = modes.calls(paths(small, "captured", "nsgan"), "captured")
    assert found == {}
    assert notes[0] == "loss cannot be captured: operation not permitted when stream is capturing"


def test_no_generator_is_seeded_while_it_is_captured(small, monkeypatch):
    made = paths(small, "captured")
    penalty = made.calls()["penalty"]
    penalty.run(0)
    seeded = []
    monkeypatch.setattr(type(made._streams), "at", lambda *_: seeded.append(1))
    penalty.run(1)
    assert seeded == []


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_loss_is_compiled_and_gives_the_same_gradient(small):
    made = paths(small, "compiled", "nsgan")
    found, notes = modes.calls(made, "compiled")
    assert notes == []
    assert list(found) == ["loss", "generator_loss"]
    loss, inputs = made.loss("loss")
    plain = torch.autograd.grad(loss(*inputs[0]), inputs[0])
    compiled = torch.autograd.grad(torch.compile(loss)(*inputs[0]), inputs[0])
    assert all(torch.allclose(one, other, atol=1e-6) for one, other in zip(plain, compiled, strict=True))
