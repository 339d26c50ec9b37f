"""What is timed is what is said: which paths a method has, and that a step is the engine's own."""

import msgspec
import pytest
import torch

import losses
from bench.costs.paths import PATHS, Paths

CPU = torch.device("cpu")
LOSSES = [path for path in PATHS if "loss" in path]


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("nsgan", [*LOSSES, "d_step", "g_step"]),
        ("wgan-gp", [*(path for path in LOSSES if "double" not in path), "penalty", "d_step", "g_step"]),
        ("bce_ns + msgan", [*LOSSES, "terms", "d_step", "g_step"]),
        ("mmd-gan-rq", [*LOSSES, "penalty", "d_step", "g_step"]),
    ],
)
def test_a_method_has_the_paths_that_mean_something(method, expected, small):
    calls = Paths(losses.get(method), small, CPU).calls()
    assert list(calls) == expected
    for call in calls.values():
        for index in range(2 * call.interval):
            call.run(index)


def test_calls_come_in_the_interval_of_lazy_terms_and_critic_steps(small):
    method = losses.get("bce_ns + r1(every=4) + r2(every=6) + msgan(every=3) + critic_steps(count=2)")
    calls = Paths(method, small, CPU).calls()
    assert {name: call.interval for name, call in calls.items() if call.interval > 1} == {"d_step": 12, "g_step": 3}


def test_a_step_is_the_engines_and_reset_undoes_it(small):
    paths, twin = (Paths(losses.get("bce_ns + r1"), small, CPU) for _ in range(2))
    calls = paths.calls()
    before = [parameter.detach().clone() for parameter in paths.step.discriminator.parameters()]
    for step in range(2):
        twin.step.run(step)
        calls["d_step"].run(step)
        calls["g_step"].run(step)
    for network in ("discriminator", "generator"):
        one, other = (getattr(each.step, network).state_dict() for each in (paths, twin))
        assert all(torch.equal(one[name], other[name]) for name in one)
    calls["d_step"].reset()
    after = list(paths.step.discriminator.parameters())
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))


@pytest.mark.parametrize("path", ["penalty", "terms"])
def test_terms_leave_no_gradient_and_change_no_weight(path, small):
    paths = Paths(losses.get("bce_ns + gp1 + msgan"), small, CPU)
    before = {name: tensor.clone() for name, tensor in paths.step.discriminator.state_dict().items()}
    paths.calls()[path].run(0)
    assert all(parameter.grad is None for parameter in paths.step.discriminator.parameters())
    assert all(parameter.requires_grad for parameter in paths.step.discriminator.parameters())
    assert all(torch.equal(before[name], tensor) for name, tensor in paths.step.discriminator.state_dict().items())


def test_inputs_rotate(small):
    logits = Paths(losses.get("nsgan"), small, CPU).logits
    assert len({tuple(real.tolist()) for real, _ in logits}) == len(logits) > 1
    assert torch.stack([real for real, _ in logits]).mean() > torch.stack([fake for _, fake in logits]).mean()


def test_packs_that_do_not_divide_the_batch_are_refused(small):
    with pytest.raises(ValueError, match=r"joins 2 samples.*batch of 7.*--batch"):
        Paths(losses.get("pacgan2"), msgspec.structs.replace(small, batch_size=7), CPU)


def test_a_clipped_critic_can_be_timed_again_and_again(small):
    """Weights are put back between blocks, which a constraint must not take for a step that nobody clipped."""
    calls = Paths(losses.get("wgan"), small, CPU).calls()
    for index in range(3):
        calls["d_step"].run(index)
        calls["g_step"].run(index)
        calls["d_step"].reset()
