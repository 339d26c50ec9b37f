"""Captured and compiled calls: what there is of them, and that a capture runs each input once and replays in turn."""

import os
import subprocess
import sys

import msgspec
import pytest
import torch
from tape import Tapes

import losses
from bench.accelerate.capture import WARM_UP, recorder_for
from bench.costs import modes
from bench.costs.blocks import Call
from bench.costs.measure import measure
from bench.costs.paths import ROTATION, Paths
from bench.costs.profiling import profile
from bench.store.kernels import KernelStore
from losses import fusion

CPU = torch.device("cpu")


def paths(setting, mode, method="bce_ns + gp1 + msgan"):
    return Paths(losses.get(method), msgspec.structs.replace(setting, mode=mode), CPU)


def test_a_capture_warms_up_aside_and_replays_its_inputs_in_turn(fake_cuda):
    ran = []
    call = modes.capture(Call(ran.append), recorder_for(torch.device("cuda")), [torch.Generator()])
    assert ran == [0, 1, 2, *range(ROTATION)]
    assert fake_cuda[:6] == ["aside", "end of aside"] * WARM_UP
    recording = ["graph", "generator", "aside", "capture", "end of capture", "end of aside", "replay"]
    assert fake_cuda[6:] == recording * ROTATION
    call.run(5)
    assert fake_cuda[-1] == "replay"
    assert len(ran) == 3 + ROTATION, "a replay calls nothing"


@pytest.fixture
def tapes(monkeypatch):
    """Calls are recorded on tapes, which replay them as graphs would."""
    recorder = Tapes()
    monkeypatch.setattr(modes, "recorder_for", lambda device: recorder)
    return recorder


def test_losses_terms_and_whole_steps_are_captured(fake_cuda, tapes, small):
    found, notes = modes.calls(paths(small, "captured"), "captured")
    assert list(found) == ["loss", "generator_loss", "penalty", "terms", "d_step", "g_step"]
    assert notes == []


@pytest.mark.slow
def test_a_replayed_step_updates_its_player_as_a_plain_one_does(fake_cuda, tapes, small):
    method = "bce_ns + r1(gamma=1, every=2)"
    captured, plain = paths(small, "captured", method), paths(small, "eager", method)
    found, _ = modes.calls(captured, "captured")
    interval = found["d_step"].interval
    assert interval == 2
    for index in range((WARM_UP + 1) * interval):  # the updates that the recording needed
        plain.d_step(index)
    made = tapes.replays
    for side in (captured, plain):
        side.calls()["d_step"].reset()
    for index in range(4):
        found["d_step"].run(index)
        plain.d_step(index)
        weights = [list(side.step.discriminator.parameters()) for side in (captured, plain)]
        assert all(torch.equal(one, other) for one, other in zip(*weights, strict=True))
    assert tapes.replays == made + 4
    inputs = 3 * ROTATION  # of both losses and of the penalty
    assert tapes.recordings == inputs + 3, "D with the penalty, D without, and G"


class Opaque(Tapes):
    """Recordings that nobody can look into, as CUDA's are: a replay launches no operator that Python sees."""

    def record(self, call, generators):
        call()
        return lambda: None


@pytest.mark.slow
def test_operations_and_bytes_of_what_is_replayed_are_those_of_the_eager_call(
    fake_cuda, small, quick, tmp_path, monkeypatch
):
    monkeypatch.setattr(modes, "recorder_for", lambda device: Opaque())
    found = {}
    for mode in ("eager", "captured"):
        setting = msgspec.structs.replace(small, mode=mode)
        methods = [losses.get("bce_ns + r1(gamma=1, every=2) + msgan")]
        (event,) = measure(methods, [setting], KernelStore(tmp_path), device="cpu", threads=1, effort=quick)
        found[mode] = {each.path: (each.profile.flops, each.profile.bytes) for each in event.record.timings}
    assert list(found["captured"]) == ["loss", "generator_loss", "penalty", "terms", "d_step", "g_step"]
    assert found["captured"] == {path: found["eager"][path] for path in found["captured"]}
    assert all(moved > 0 for _, moved in found["captured"].values())


@pytest.mark.parametrize("method", ["nsgan", "rpgan"])
@pytest.mark.parametrize("path", ["loss", "generator_loss"])
def test_a_whole_loss_shares_no_leaf_with_the_graphs_that_are_kept(small, monkeypatch, method, path):
    """On CUDA such a leaf is the default stream's, which a recording must not touch."""
    calls = paths(small, "captured", method).calls()
    leaves, grad = [], torch.autograd.grad

    def watching(value, by, *given, **settings):
        leaves.append({id(leaf) for leaf in by})
        return grad(value, by, *given, **settings)

    monkeypatch.setattr(torch.autograd, "grad", watching)
    calls[path].run(0)
    for other in (f"{name}.{part}" for name in ("loss", "generator_loss") for part in ("backward", "double_backward")):
        if other in calls:
            calls[other].run(0)
    whole, *kept = leaves
    assert whole
    assert len(kept) >= 2
    assert all(whole.isdisjoint(each) for each in kept)


def test_a_step_that_computes_with_the_count_of_steps_is_told(fake_cuda, tapes, small):
    found, notes = modes.calls(paths(small, "captured", "topk-gan"), "captured")
    assert "g_step" not in found
    assert notes == ["g_step cannot be captured: a part of the method computes with the count of steps"]


def test_what_cannot_be_captured_is_told(fake_cuda, tapes, small, monkeypatch):
    def refuse(*_):
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    monkeypatch.setattr(tapes, "record", refuse)
    found, notes = modes.calls(paths(small, "captured", "nsgan"), "captured")
    assert found == {}
    assert notes[0] == "loss cannot be captured: operation not permitted when stream is capturing"


def test_what_lacks_memory_is_no_note(fake_cuda, tapes, small, monkeypatch):
    def refuse(*_):
        raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(tapes, "record", refuse)
    with pytest.raises(RuntimeError, match="out of memory"):
        modes.calls(paths(small, "captured", "nsgan"), "captured")


def test_no_generator_is_seeded_while_it_is_captured(small, monkeypatch):
    made = paths(small, "captured")
    penalty = made.calls()["penalty"]
    penalty.run(0)
    seeded = []
    monkeypatch.setattr(type(made._streams), "at", lambda *_: seeded.append(1))
    penalty.run(1)
    assert seeded == []


@pytest.mark.slow
@pytest.mark.parametrize("path", ["loss", "generator_loss"])
def test_a_compiled_loss_is_the_fused_one_with_its_gradient(path, small, monkeypatch):
    fused, ran = fusion.fused, []
    monkeypatch.setattr(modes, "fused", lambda objective: fused(objective, backend="eager"))
    monkeypatch.setattr(fusion._ScaledSlopes, "forward", watched(fusion._ScaledSlopes.forward, ran))
    made = paths(small, "compiled", "rp_bce")
    found, notes = modes.calls(made, "compiled")
    assert (list(found), notes) == (["loss", "generator_loss"], [])
    ran.clear()
    found[path].run(1)
    (scaled,) = ran
    assert profile(lambda: found[path].run(0), CPU, 1.0).bytes > 0, "who counts bytes sees the operators"
    loss, inputs = made.loss(path)
    leaves = [each for each in inputs[1] if each.requires_grad]
    plain = torch.autograd.grad(loss(*inputs[1]), leaves)
    assert len(scaled) == len(plain) == {"loss": 2, "generator_loss": 1}[path]
    assert all(torch.allclose(one, other, atol=1e-6) for one, other in zip(scaled, plain, strict=True))


def watched(function, told):
    def forward(*arguments):
        told.append(function(*arguments))
        return told[-1]

    return staticmethod(forward)


@pytest.mark.slow
def test_a_missing_compiler_is_told(tmp_path, small):
    # In a process of its own, because torch remembers what it found out about compilers.
    code = (
        "import torch, losses\n"
        "from bench.costs import modes\n"
        "from bench.costs.paths import Paths\n"
        "from bench.store.kernels import KernelSetting\n"
        f"setting = {msgspec.structs.replace(small, mode='compiled')!r}\n"
        "try:\n"
        "    modes.calls(Paths(losses.get('nsgan'), setting, torch.device('cpu')), 'compiled')\n"
        "except RuntimeError as error:\n"
        "    print(modes.lacks_something(error), error)\n"
    )
    without = {**os.environ, "CXX": "no-such-compiler", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=without, capture_output=True, text=True, check=True)
    told = done.stdout
    assert told.startswith("True bce_ns cannot be fused on cpu by the backend")
    assert "no-such-compiler" in told
    assert "install it, or use the plain objective" in told


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_loss_is_compiled_and_gives_the_same_gradient(small):
    made = paths(small, "compiled", "nsgan")
    found, notes = modes.calls(made, "compiled")
    assert notes == []
    assert list(found) == ["loss", "generator_loss"]
    loss, inputs = made.loss("loss")
    plain = torch.autograd.grad(loss(*inputs[0]), inputs[0])
    compiled = torch.autograd.grad(fusion.fused(made.method.objective).discriminator(*inputs[0]), inputs[0])
    assert all(torch.allclose(one, other, atol=1e-6) for one, other in zip(plain, compiled, strict=True))
