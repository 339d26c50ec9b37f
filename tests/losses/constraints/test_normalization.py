"""spectral_norm by singular values, and grad_norm by closed forms and finite differences."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import losses
from losses.constraints.normalization import GradNorm, SpectralNorm

SHAPES: list[tuple[int, ...]] = [(6,), (6, 1), (6, 1, 1, 1)]


def layered() -> nn.Module:
    """One layer of each kind that has a norm, and two that have none; the same weights every time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        return nn.Sequential(
            nn.Conv2d(3, 4, 3),
            nn.BatchNorm2d(4),
            nn.ConvTranspose2d(4, 5, 3),
            nn.PReLU(),
            nn.Flatten(),
            nn.Linear(180, 1),
        )


def normed() -> nn.Module:
    return SpectralNorm().wrap(layered())


def matrix(layer: nn.Module) -> Tensor:
    """Return a layer's weight as outputs by inputs; a transposed convolution has its outputs second."""
    weight = layer.weight.detach()
    return (weight.transpose(0, 1) if isinstance(layer, nn.ConvTranspose2d) else weight).flatten(1)


def test_spectral_norm_brings_every_largest_singular_value_to_one() -> None:
    critic, plain = normed(), layered()
    for _ in range(60):
        critic(torch.zeros(2, 3, 6, 6))
    for index in (0, 2, 5):
        values = torch.linalg.svdvals(matrix(plain[index]))
        assert values[0].item() != pytest.approx(1, rel=0.05)
        assert torch.linalg.svdvals(matrix(critic[index]))[0].item() == pytest.approx(1, rel=1e-3)
        torch.testing.assert_close(matrix(critic[index]) * values[0], matrix(plain[index]), rtol=1e-3, atol=1e-5)
    for index in (1, 3):
        assert torch.equal(critic[index].weight, plain[index].weight)


def test_spectral_norm_makes_one_power_iteration_a_training_forward() -> None:
    layer = nn.Linear(4, 3, bias=False, dtype=torch.float64)
    layer.weight.data = torch.randn((3, 4), generator=torch.Generator().manual_seed(8), dtype=torch.float64)
    plain = layer.weight.detach().clone()
    critic = SpectralNorm().wrap(layer)
    moved = plain.flip(1) + 1  # a new weight, whose singular vectors the iteration has yet to find
    critic.parametrizations.weight.original.data.copy_(moved)
    u = critic.parametrizations.weight[0]._u.clone()
    v = critic.parametrizations.weight[0]._v.clone()
    u = torch.nn.functional.normalize(moved @ v, dim=0)
    v = torch.nn.functional.normalize(moved.T @ u, dim=0)
    found = critic(torch.eye(4, dtype=torch.float64)).T
    torch.testing.assert_close(found, moved / (u @ moved @ v), rtol=1e-12, atol=1e-12)
    critic.eval()
    torch.testing.assert_close(critic(torch.eye(4, dtype=torch.float64)).T, found, rtol=0, atol=0)


def test_spectral_norm_starts_alike_whatever_the_global_state_and_leaves_it() -> None:
    states = []
    for seed in (1, 2):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            before = torch.get_rng_state()
            states.append(normed().state_dict())
            assert torch.equal(torch.get_rng_state(), before)
    assert len(states[0]) > 10
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


@pytest.mark.parametrize(
    "state", [torch.inference_mode, lambda: torch.autocast("cpu", dtype=torch.bfloat16)], ids=["evaluating", "autocast"]
)
def test_spectral_norm_starts_alike_in_an_evaluation_and_under_autocast_and_can_be_trained(state: Callable) -> None:
    critic = layered()
    with state():
        SpectralNorm().wrap(critic)
    torch.testing.assert_close(critic.state_dict(), normed().state_dict(), rtol=0, atol=0)
    critic(torch.ones(2, 3, 6, 6)).sum().backward()
    assert all(parameter.grad is not None for parameter in critic.parameters())


def test_spectral_norm_is_not_applied_twice() -> None:
    once = normed()
    twice = SpectralNorm().wrap(normed())
    assert list(once.state_dict()) == list(twice.state_dict())


def test_spectral_norm_leaves_layers_alone_that_have_the_norm_by_torchs_older_hook() -> None:
    critics = []
    for _ in range(2):
        critic = layered()
        for index in (0, 2):
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(7)
                torch.nn.utils.spectral_norm(critic[index])
        critics.append(critic)
    plain, wrapped = critics[0], SpectralNorm().wrap(critics[1])
    assert [nn.utils.parametrize.is_parametrized(wrapped[index]) for index in (0, 2, 5)] == [False, False, True]
    for _ in range(3):
        x = torch.linspace(-1, 1, 216).reshape(2, 3, 6, 6)
        torch.testing.assert_close(wrapped[:3](x), plain[:3](x), rtol=0, atol=0)
    assert list(SpectralNorm().wrap(wrapped).state_dict()) == list(wrapped.state_dict())


def test_the_older_hook_on_another_parameter_is_no_norm_of_the_weight() -> None:
    layer = nn.Linear(4, 1)
    layer.register_parameter("gain", nn.Parameter(torch.ones(2, 2)))
    nn.utils.spectral_norm(layer, name="gain")
    with pytest.raises(ValueError, match="the discriminator has no spectral norm"):
        SpectralNorm().check(layer)
    SpectralNorm().wrap(layer)
    layer(torch.ones(2, 4))
    assert torch.linalg.matrix_norm(layer.weight.detach(), ord=2).item() == pytest.approx(1.0, abs=1e-5)


@pytest.mark.filterwarnings("ignore:.*weight_norm. is deprecated:FutureWarning")
def test_spectral_norm_refuses_a_weight_that_a_hook_computes_and_changes_nothing() -> None:
    critic = layered()
    torch.nn.utils.weight_norm(critic[2])
    before = list(critic.state_dict())
    with pytest.raises(ValueError, match=r"spectral_norm .* that of 2 \(ConvTranspose2d\) is no parameter: a hook"):
        SpectralNorm().wrap(critic)
    assert list(critic.state_dict()) == before


def test_spectral_norm_refuses_a_weight_of_zeros_and_changes_nothing() -> None:
    """Divided by its largest singular value, which is 0, it would be NaN, and with it every loss."""
    critic = layered()
    nn.init.zeros_(critic[2].weight)
    before = list(critic.state_dict())
    with pytest.raises(ValueError, match=r"that of 2 \(ConvTranspose2d\) is 0: start it from anything but zeros"):
        SpectralNorm().wrap(critic)
    assert list(critic.state_dict()) == before


def test_spectral_norm_comes_on_top_of_another_parametrization() -> None:
    critic = SpectralNorm().wrap(nn.utils.parametrizations.weight_norm(nn.Linear(5, 4)))
    for _ in range(60):
        critic(torch.zeros(2, 5))
    assert torch.linalg.svdvals(critic.weight.detach())[0].item() == pytest.approx(1, rel=1e-3)


class Shaped(nn.Module):
    """<w, x> + c in a chosen shape, with features if asked."""

    def __init__(self, shape: tuple[int, ...] = (6,), *, scale: float = 1.0, features: bool = False) -> None:
        super().__init__()
        w = torch.randn((3, 5, 4), generator=torch.Generator().manual_seed(3), dtype=torch.float64)
        self.weight, self.offset = nn.Parameter(w * scale), nn.Parameter(torch.tensor(0.5 * scale, dtype=torch.float64))
        self.shape, self.features = shape, features

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        logits = ((images * self.weight).flatten(1).sum(1) + self.offset).reshape(-1, *self.shape[1:])
        return (logits, images.mean((2, 3))) if self.features else logits


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("scale", [0.01, 1.0, 100.0])
def test_grad_norm_of_a_linear_critic(shape: tuple[int, ...], scale: float, images: Callable) -> None:
    critic = Shaped(shape, scale=scale)
    found = GradNorm().wrap(critic)(images(0))
    logits, slope = critic(images(0)), critic.weight.square().sum().sqrt()
    assert found.shape == shape
    torch.testing.assert_close(found, logits / (slope + logits.abs()), rtol=1e-12, atol=0)


class PerClass(Shaped):
    """An offset of its own for each of three classes."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(3, 1, dtype=torch.float64)

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        return super().forward(images) + self.embedding(labels)[:, 0]


@pytest.mark.parametrize("mode", [torch.enable_grad, torch.inference_mode])
def test_grad_norm_passes_labels_on(mode: Callable, images: Callable) -> None:
    critic = PerClass()
    with mode():
        x, labels = images(0).clone(), torch.tensor([0, 1, 2, 2, 1, 0])
        normalized, logits = GradNorm().wrap(critic)(x, labels), critic(x, labels)
        slope = critic.weight.square().sum().sqrt()
        expected = logits / (slope + logits.abs())
    torch.testing.assert_close(normalized, expected, rtol=1e-12, atol=0)


def test_a_loss_with_grad_norm_and_labels_trains_what_knows_the_labels(images: Callable) -> None:
    critic, labels = GradNorm().wrap(PerClass()), torch.tensor([0, 1, 0, 1, 0, 1])
    parts = losses.get("hinge + grad_norm").discriminator_loss(
        critic, images(0), images(1), real_labels=labels, fake_labels=labels
    )
    parts.total.backward()
    assert [bool(row.any()) for row in critic.discriminator.embedding.weight.grad] == [True, True, False]


def test_grad_norm_divides_once_however_often_it_is_asked_to(images: Callable) -> None:
    once = GradNorm().wrap(Shaped())
    inside = nn.Sequential(once, nn.Flatten(0))
    for again in (once, inside):
        torch.testing.assert_close(GradNorm().wrap(again)(images(0)), once(images(0)), rtol=0, atol=0)
    criterion = losses.Criterion("hinge + grad_norm", once, nn.Linear(2, 2))
    assert criterion.discriminator is once


@pytest.mark.parametrize("requires_grad", [False, True])
def test_grad_norm_works_without_a_graph_and_then_leaves_none(requires_grad: bool, images: Callable) -> None:
    critic, x = GradNorm().wrap(Shaped(features=True)), images(0).requires_grad_(requires_grad)
    with torch.no_grad():
        logits, features = critic(x)
    assert not logits.requires_grad
    assert not features.requires_grad
    again, more = critic(x)
    assert again.requires_grad
    assert torch.equal(logits, again)
    assert torch.equal(features, x.mean((2, 3)))
    assert torch.equal(features, more)
    assert x.grad is None
    assert x.requires_grad is requires_grad


def test_grad_norm_is_bounded_by_one(images: Callable, smooth_critic: Callable) -> None:
    found = GradNorm().wrap(smooth_critic())(100 * images(0))
    assert found.abs().max().item() <= 1
    assert found.abs().max().item() > 0.5  # far out the critic saturates: hardly any slope is left


@pytest.mark.parametrize("expression", ["hinge", "rp_bce", "bce_ns + r1", "wasserstein + gp1"])
def test_losses_of_a_gradient_normalized_critic_have_the_right_gradient(
    expression: str, images: Callable, smooth_critic: Callable, streams: Callable
) -> None:
    method, width = losses.get(f"{expression} + grad_norm"), 1e-5

    def loss(critic: nn.Module) -> Tensor:
        (constraint,) = method.constraints
        return method.discriminator_loss(constraint.wrap(critic), images(0), images(1), rng=streams()).total

    critic = smooth_critic()
    (gradient,) = torch.autograd.grad(loss(critic), [critic.hidden.weight])
    direction = torch.randn(gradient.shape, generator=torch.Generator().manual_seed(6), dtype=torch.float64)
    values = []
    for sign in (1, -1):
        moved = smooth_critic()
        moved.hidden.weight.data += sign * width * direction
        values.append(loss(moved).item())
    assert (gradient * direction).sum().item() == pytest.approx((values[0] - values[1]) / (2 * width), rel=1e-5)


def test_the_generator_learns_through_a_gradient_normalized_critic(
    latents: Tensor, images: Callable, smooth_critic: Callable, tiny_generator: Callable
) -> None:
    critic, method, width = GradNorm().wrap(smooth_critic()), losses.get("rp_bce + grad_norm"), 1e-5

    def loss(generator: nn.Module) -> Tensor:
        return method.generator_loss(critic, generator, latents, images(0)).total

    generator = tiny_generator()
    (gradient,) = torch.autograd.grad(loss(generator), [generator.weight])
    direction = torch.randn(gradient.shape, generator=torch.Generator().manual_seed(6), dtype=torch.float64)
    values = []
    for sign in (1, -1):
        moved = tiny_generator()
        moved.weight.data += sign * width * direction
        values.append(loss(moved).item())
    assert (gradient * direction).sum().item() == pytest.approx((values[0] - values[1]) / (2 * width), rel=1e-6)


@pytest.mark.parametrize("offset", [0.0, 3.0])
def test_a_flat_critic_leaves_grad_norm_finite(offset: float, images: Callable, smooth_critic: Callable) -> None:
    critic = smooth_critic()
    nn.init.zeros_(critic.last.weight)
    nn.init.constant_(critic.last.bias, offset)
    found = GradNorm().wrap(critic)(images(0))
    assert found.flatten().tolist() == [1.0 if offset else 0.0] * 6
    assert all(torch.isfinite(gradient).all() for gradient in torch.autograd.grad(found.sum(), critic.parameters()))


def test_grad_norm_of_huge_logits_is_finite(images: Callable) -> None:
    critic = Shaped(scale=1e4).float()
    found = GradNorm().wrap(critic)(images(0).float())
    gradients = torch.autograd.grad(found.sum(), critic.parameters())
    assert all(torch.isfinite(tensor).all() for tensor in (found, *gradients))


def test_grad_norm_refuses_several_outputs_a_sample_and_float16(images: Callable) -> None:
    with pytest.raises(ValueError, match=r"one logit a sample .* got logits of shape \(6, 7\) for 6 samples"):
        GradNorm().wrap(nn.Sequential(nn.Flatten(), nn.Linear(60, 7, dtype=torch.float64)))(images(0))
    with pytest.raises(ValueError, match="float16"):
        GradNorm().wrap(nn.Sequential(nn.Flatten(), nn.Linear(60, 1)).half())(images(0).half())


@pytest.mark.parametrize(
    ("returned", "told"),
    [
        (lambda x: [x.sum((1, 2, 3))] * 2, r"a list of 2 \("),
        (lambda x: (x.sum((1, 2, 3)),) * 3, r"a tuple of 3 \("),
        (lambda x: {"logits": x.sum((1, 2, 3))}, "a dict"),
        (lambda x: (x.sum((1, 2, 3)), [x]), r"a tuple of 2 \("),
    ],
    ids=["scales", "triple", "dict", "two lists"],
)
def test_grad_norm_names_what_it_cannot_divide(returned: Callable, told: str, images: Callable) -> None:
    class Odd(nn.Module):
        def forward(self, x: Tensor) -> object:
            return returned(x)

    with pytest.raises(ValueError, match=rf"grad_norm divides one logit a sample .* returned {told}"):
        GradNorm().wrap(Odd())(images(0))


@pytest.mark.parametrize(("layout", "mean_over"), [("per_image", (1, 2, 3)), ("per_patch", (1,))])
def test_features_that_the_discriminator_has_named_stay_features_under_grad_norm(
    layout: str, mean_over: tuple[int, ...], images: Callable
) -> None:
    """A single number beside the logit, and a map of one channel: without the name either is taken for logits."""

    class Named(Shaped):
        def forward(self, x: Tensor) -> losses.DiscriminatorOutput:
            return losses.DiscriminatorOutput(super().forward(x), x.mean(mean_over, keepdim=True))

    critic, fake = GradNorm().wrap(Named((6, 1, 1, 1))), images(1)
    parts = losses.get("hinge + fm + grad_norm").generator_loss(
        critic, lambda z: fake + z.sum(), torch.zeros(6, 2, dtype=torch.float64), images(0), logits=layout
    )
    assert parts["fm"].value.item() > 0


def test_grad_norm_leaves_autocast_to_the_discriminator(images: Callable) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        plain = nn.Sequential(nn.Flatten(), nn.Linear(60, 8), nn.Tanh(), nn.Linear(8, 1))
    x = images(0).float()
    exact = GradNorm().wrap(plain)(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = GradNorm().wrap(plain)(x)
    assert found.dtype == torch.float32
    assert not torch.equal(found, exact)
    torch.testing.assert_close(found, exact, rtol=0, atol=0.02)
    with torch.autocast("cpu", dtype=torch.float16), pytest.raises(ValueError, match="float16"):
        GradNorm().wrap(plain)(x)
