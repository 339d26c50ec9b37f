"""Reals and fakes in one forward of the discriminator: what two forwards give, for fewer passes."""

import itertools
from collections.abc import Callable

import pytest
import torch
from slow_cases import sampled
from torch import Tensor, nn

import losses
from losses.contract.toy_problem import ToyProblem, gradients

METHODS = [
    *losses.names("method"),
    *(f"bce_ns + {name}" for kind in ("regularizer", "transform") for name in losses.names(kind)),
    *("bce_ns + r1 + r2 + diffaug", "bce_ns + sobolev + pack", "bce_ns + r1 + r2 + instance_noise + pack(size=3)"),
    *("mmd_rq + r1 + r2", "realness + sobolev", "spheregan + r1 + r2 + ada", "bce_ns + js_reg + apa + diffaug"),
    *("hinge + r1 + r2 + grad_norm", "hinge + gp1 + r1 + r2", "bce_ns + ct + fisher + r1(every=2) + r2(every=3)"),
]
STEPS = 4


def steps_of(expression: str, dtype: torch.dtype, *, joint: bool) -> list[Tensor]:
    """Return everything that some steps compute: terms, gradients, logits, and at the end what is remembered."""
    method = losses.get(expression)
    problem = ToyProblem(method, dtype=dtype)
    for constraint in method.constraints:
        if constraint.samplewise:
            problem.critic = constraint.wrap(problem.critic)
    # Augmentations that adapt begin with a probability of zero, where nothing of them would be seen.
    state = {name: {"probability": torch.tensor(0.5)} for name in ("ada", "apa", "diffusion")}
    found: list[Tensor] = []
    for step in range(STEPS):
        parts = problem.run("discriminator", problem.batch(step), step=step, state=state, concat_batches=joint)
        found += [parts.total, parts.fake_logits, parts.real_logits, *(part.value for part in parts.values())]
        found += gradients(parts.total, problem.critic)
    return found + [value for part in sorted(state) for value in state[part].values()]


@pytest.mark.parametrize("expression", sampled(METHODS, every=4))
def test_a_shared_forward_computes_what_separate_ones_do(expression: str) -> None:
    shared, separate = (steps_of(expression, torch.float64, joint=joint) for joint in (True, False))
    for ours, theirs in zip(shared, separate, strict=True):
        # Entries of a gradient are sums that may cancel: they are held against its largest.
        largest = max(1.0, theirs.abs().max().item())
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12 * largest)


@pytest.mark.parametrize("expression", ["nsgan", "r3gan", "wgan-gp", "mmd_rq + r1 + r2", "bce_ns + sobolev + pack"])
def test_in_float32_they_differ_by_rounding_alone(expression: str) -> None:
    shared, separate = (steps_of(expression, torch.float32, joint=joint) for joint in (True, False))
    for ours, theirs in zip(shared, separate, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("expression", ["nsgan", "r3gan", "bce_ns + js_reg + diffaug"])
def test_the_gradient_by_the_weights_can_itself_be_differentiated(expression: str) -> None:
    """As an unrolled discriminator, or a study of curvature, asks."""
    found = []
    for joint in (True, False):
        problem = ToyProblem(losses.get(expression))
        weights = list(problem.critic.parameters())
        total = problem.run("discriminator", concat_batches=joint).total
        slopes = torch.autograd.grad(total, weights, create_graph=True, allow_unused=True)
        # The last bias shifts reals and fakes alike, to which a relativistic objective is blind.
        curved = sum((slope.square().sum() for slope in slopes if slope is not None), start=torch.zeros(()))
        second = torch.autograd.grad(curved, weights, allow_unused=True)
        found.append([each for each in second if each is not None])
    assert max(each.abs().max().item() for each in found[0]) > 1e-6
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


class Counted(nn.Module):
    """A critic of any size of image that keeps the sizes of the batches it is shown."""

    def __init__(self) -> None:
        super().__init__()
        rng = torch.Generator().manual_seed(2)
        self.weight = nn.Parameter(torch.randn(8, 3, 3, 3, generator=rng, dtype=torch.float64) / 5)
        self.batches: list[int] = []

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        self.batches.append(len(images))
        maps = torch.tanh(nn.functional.conv2d(images, self.weight.to(images.dtype)))
        return maps.square().mean(dim=(1, 2, 3)), maps


def random_images(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def backward_passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list that takes, for each call for input gradients, by how many batches it differentiates."""
    seen: list[int] = []
    plain = torch.autograd.grad

    def watched(outputs: object, inputs: list[Tensor], **options: object) -> object:
        seen.append(len(inputs))
        return plain(outputs, inputs, **options)

    monkeypatch.setattr(torch.autograd, "grad", watched)
    return seen


@pytest.mark.parametrize(
    ("expression", "joint", "forwards", "passes"),
    [
        ("nsgan", True, [9], []),
        ("nsgan", False, [4, 5], []),
        ("bce_ns + r1", True, [4, 5], [1]),
        ("bce_ns + r2", True, [4, 5], [1]),
        ("bce_ns + r1 + r2", True, [9], [2]),
        ("bce_ns + r1 + r2", False, [4, 5], [1, 1]),
        ("bce_ns + sobolev", True, [9], [2]),
    ],
)
def test_how_many_passes_are_made(
    expression: str, joint: bool, forwards: list[int], passes: list[int], backward_passes: list[int]
) -> None:
    critic = Counted()
    real, fake = random_images(0, 4, 3, 6, 6), random_images(1, 5, 3, 6, 6)
    parts = losses.get(expression).discriminator_loss(critic, real, fake, state={}, concat_batches=joint)
    assert (parts.real_logits.shape, parts.fake_logits.shape) == ((4,), (5,))
    assert critic.batches == forwards
    assert backward_passes == passes


def test_which_terms_are_due_decides_step_by_step() -> None:
    critic = Counted()
    method = losses.get("bce_ns + r1(every=2) + r2(every=3)")
    for step, expected in enumerate([[12], [12], [6, 6], [6, 6], [6, 6], [12], [12]]):
        critic.batches.clear()
        method.discriminator_loss(
            critic, random_images(0, 6, 3, 6, 6), random_images(1, 6, 3, 6, 6), step=step, concat_batches=True
        )
        assert critic.batches == expected, step


def both(method: str, critic: Callable, *batches: Tensor) -> list[list[Tensor]]:
    found = []
    for joint in (True, False):
        parts = losses.get(method).discriminator_loss(critic, *batches, concat_batches=joint)
        found.append([parts.total, *torch.autograd.grad(parts.total, list(critic.parameters()))])
    return found


@pytest.mark.parametrize("method", ["nsgan", "bce_ns + r1 + r2"])
def test_batches_of_other_sizes_and_precisions_go_together(method: str) -> None:
    critic = Counted()
    for shared, separate in itertools.chain(
        zip(*both(method, critic, random_images(0, 4, 3, 6, 6), random_images(1, 7, 3, 6, 6)), strict=True),
        zip(*both(method, critic, random_images(0, 4, 3, 6, 6), random_images(1, 4, 3, 6, 6).bfloat16()), strict=True),
    ):
        torch.testing.assert_close(shared, separate, rtol=1e-11, atol=1e-12)
    assert critic.batches == [11, 4, 7, 8, 4, 4]


@pytest.mark.parametrize("method", ["nsgan", "bce_ns + r1 + r2"])
def test_images_of_different_shapes_go_apart(method: str) -> None:
    critic = Counted()
    for shared, separate in zip(
        *both(method, critic, random_images(0, 4, 3, 6, 6), random_images(1, 4, 3, 8, 8)), strict=True
    ):
        assert torch.equal(shared, separate)
    assert critic.batches == [4, 4] * 2


def test_features_are_those_of_each_batchs_own_images() -> None:
    seen = {}

    def watching(self: object, context: losses.Context) -> Tensor:
        seen.update(real=context.real_features, fake=context.fake_features)
        return context.real_logits.mean()

    real, fake, critic = random_images(0, 4, 3, 6, 6), random_images(1, 5, 3, 6, 6), Counted()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(losses.get("bce_ns + drift").regularizers[0]), "__call__", watching)
        losses.get("bce_ns + drift").discriminator_loss(critic, real, fake, concat_batches=True)
    torch.testing.assert_close(seen["real"], critic(real)[1], rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(seen["fake"], critic(fake)[1], rtol=1e-12, atol=1e-14)


def test_what_constraints_leave_of_a_discriminator_that_samplewise() -> None:
    expected = {"wgan": True, "nsgan": True, "sngan": False, "bce_ns + spectral_norm + grad_norm": False}
    expected |= {"bce_ns + ttur + critic_steps": True, "bce_ns + grad_norm": True}
    assert {name: losses.get(name).samplewise for name in expected} == expected


def test_a_constraint_that_wraps_and_says_nothing_is_not_trusted(scratch_registry: None) -> None:
    class Wrapping(losses.Constraint):
        def wrap(self, discriminator: nn.Module) -> nn.Module:
            return nn.Sequential(discriminator)

    assert not Wrapping().samplewise
