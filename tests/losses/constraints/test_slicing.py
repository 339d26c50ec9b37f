"""The slicing GAN against its published loss, written out with the features and the direction held constant in turn."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import relu, softplus
from torch.nn.utils import parametrize

import losses
from bench.config.trial import Network
from bench.networks.build import build_discriminator
from losses.constraints.normalization import SanHead, SpectralNorm

BASES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "hinge": lambda a, b: relu(1 - a).mean() + relu(1 + b).mean(),
    "bce_ns": lambda a, b: softplus(-a).mean() + softplus(b).mean(),
    "wasserstein": lambda a, b: b.mean() - a.mean(),
    "lsgan": lambda a, b: 0.5 * ((a - 1) ** 2).mean() + 0.5 * (b**2).mean(),
}


class Critic(nn.Module):
    """Features [B, 5], or maps [B, 5, 2, 2], and a last layer of one output."""

    def __init__(self, *, maps: bool = False, bias: bool = True) -> None:
        super().__init__()
        self.hidden = nn.Linear(60, 20 if maps else 5, dtype=torch.float64)
        self.head: nn.Module = (
            nn.Conv2d(5, 1, 2, bias=bias, dtype=torch.float64) if maps else nn.Linear(5, 1, bias, dtype=torch.float64)
        )
        self.maps = maps
        generator = torch.Generator().manual_seed(4)
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.float64) / 4

    def features(self, images: Tensor) -> Tensor:
        hidden = torch.tanh(self.hidden(images.flatten(1)))
        return hidden.unflatten(1, (5, 2, 2)) if self.maps else hidden

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images)).flatten()


def published(critic: Critic, base: Callable, real: Tensor, fake: Tensor, weight: float = 1) -> Tensor:
    """The authors' loss: the length scales the features; then each half holds the other's variable constant."""
    w = critic.head.weight.flatten()
    length, direction = w.norm(), w / w.norm()
    bias = 0 if critic.head.bias is None else critic.head.bias
    logits = []
    for images in (real, fake):
        features = critic.features(images).flatten(1) * length
        logits.append((features @ direction.detach() + bias, features.detach() @ direction))
    (a, a_dir), (b, b_dir) = logits
    return base(a, b) + weight * (b_dir.mean() - a_dir.mean())


def gradients(critic: nn.Module, value: Tensor) -> dict[str, Tensor]:
    names = [name.replace("parametrizations.weight.original", "weight") for name, _ in critic.named_parameters()]
    found = torch.autograd.grad(value, list(critic.parameters()), allow_unused=True, materialize_grads=True)
    return dict(zip(names, found, strict=True))


def check(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize("name", BASES)
@pytest.mark.parametrize("maps", [False, True])
def test_both_halves_are_the_published_ones(name: str, maps: bool, joint: bool, images: Callable) -> None:
    plain, real, fake = Critic(maps=maps), images(0), 0.5 + images(1)
    critic = SanHead().wrap(copy.deepcopy(plain))
    method = losses.get(f"{name} + san_direction + san_head")
    assert method.samplewise
    found = method.discriminator_loss(critic, real, fake, concat_batches=joint)
    expected = published(plain, BASES[name], real, fake)
    assert found.total.item() == pytest.approx(expected.item(), rel=1e-12)
    check(gradients(critic, found.total), gradients(plain, expected))


def test_it_is_another_loss_than_the_plain_one(images: Callable) -> None:
    plain, real, fake = Critic(), images(0), 0.5 + images(1)
    plain.head.weight.data *= 20  # past the hinge's margin, where the two halves part
    critic = SanHead().wrap(copy.deepcopy(plain))
    found = losses.get("san").discriminator_loss(critic, real, fake)
    usual = losses.get("hinge").discriminator_loss(plain, real, fake)
    assert found.total.item() != pytest.approx(usual.total.item(), rel=1e-3)
    turned, straight = (gradients(*pair)["head.weight"] for pair in ((critic, found.total), (plain, usual.total)))
    cosine = torch.nn.functional.cosine_similarity(turned.flatten(), straight.flatten(), dim=0)
    assert cosine.item() < 0.99


def test_weight_and_laziness(images: Callable) -> None:
    plain, real, fake = Critic(bias=False), images(0), 0.5 + images(1)
    critic = SanHead().wrap(copy.deepcopy(plain))
    found = losses.get("hinge + san_direction(weight=0.3, every=2) + san_head").discriminator_loss(
        critic, real, fake, step=0
    )
    expected = published(plain, BASES["hinge"], real, fake, weight=0.6)
    assert found.total.item() == pytest.approx(expected.item(), rel=1e-12)
    check(gradients(critic, found.total), gradients(plain, expected))


def test_the_generator_sees_the_plain_logits(images: Callable, latents: Tensor, tiny_generator: Callable) -> None:
    plain = Critic()
    critic = SanHead().wrap(copy.deepcopy(plain))
    found = []
    for expression, network in (("san", critic), ("hinge", plain)):
        generator = tiny_generator()
        total = losses.get(expression).generator_loss(network, generator, latents).total
        total.backward()
        found.append((total.item(), generator.weight.grad))
    assert found[0][0] == found[1][0]
    assert torch.equal(found[0][1], found[1][1])


def test_without_the_head_the_term_refuses(images: Callable) -> None:
    for critic in (Critic(), SpectralNorm().wrap(Critic())):
        with pytest.raises(ValueError, match="add san_head"):
            losses.get("hinge + san_direction").discriminator_loss(critic, images(0), images(1))
        with pytest.raises(ValueError, match=r"train what method\.wrap\(discriminator\) returns"):
            losses.get("san").discriminator_loss(critic, images(0), images(1))


def test_without_the_term_the_direction_stands_still(images: Callable) -> None:
    critic = SanHead().wrap(Critic())
    weight = critic.head.parametrizations.weight.original
    start = weight.detach().clone()
    optimizer = torch.optim.SGD(critic.parameters(), lr=0.1)
    for step in range(5):
        optimizer.zero_grad()
        losses.get("hinge + r1").discriminator_loss(critic, images(step), 0.5 + images(step + 9)).total.backward()
        optimizer.step()
    directions = (each.flatten() / each.norm() for each in (weight.detach(), start))
    torch.testing.assert_close(*directions, rtol=0, atol=1e-12)
    assert weight.norm().item() != pytest.approx(start.norm().item(), rel=1e-3), "its length is the objective's"


def test_penalties_leave_the_direction_alone_and_know_the_length(images: Callable) -> None:
    """R1 under the constraint is R1 of |w| <omega, h>, with omega constant."""
    plain, real, fake = Critic(), images(0), 0.5 + images(1)
    critic = SanHead().wrap(copy.deepcopy(plain))
    part = losses.get("hinge + r1(gamma=2) + san_direction + san_head").discriminator_loss(critic, real, fake)["r1"]
    points = real.clone().requires_grad_()
    w = plain.head.weight.flatten()
    logits = w.norm() * (plain.features(points) @ (w / w.norm()).detach())
    (slope,) = torch.autograd.grad(logits.sum(), points, create_graph=True)
    expected = slope.flatten(1).square().sum(1).mean()
    assert part.weighted.item() == pytest.approx(expected.item(), rel=1e-12)
    check(gradients(critic, part.weighted), gradients(plain, expected))


@pytest.mark.parametrize("order", [(SanHead(), SpectralNorm()), (SpectralNorm(), SanHead())])
def test_spectral_norm_leaves_the_divided_layer_out_in_either_order(order: tuple, images: Callable) -> None:
    critic, plain = Critic(), Critic()
    for constraint in order:
        critic = constraint.wrap(critic)
    assert torch.equal(critic.head.weight, plain.head.weight)
    assert [type(step).__name__ for step in critic.head.parametrizations.weight] == ["LengthOnly"]
    assert [type(step).__name__ for step in critic.hidden.parametrizations.weight] == ["_SpectralNorm"]
    total = losses.get("san").discriminator_loss(critic, images(0), images(1)).total
    assert gradients(critic, total)["head.weight"].abs().sum() > 0


def test_a_weight_of_length_zero_has_finite_gradients(images: Callable) -> None:
    critic = SanHead().wrap(Critic())
    nn.init.zeros_(critic.head.parametrizations.weight.original)
    total = losses.get("san").discriminator_loss(critic, images(0), images(1)).total
    assert all(gradient.isfinite().all() for gradient in gradients(critic, total).values())


def test_it_survives_a_copy_and_a_second_wrap(images: Callable) -> None:
    critic = SanHead().wrap(SanHead().wrap(Critic()))
    assert len(critic.head.parametrizations.weight) == 1
    assert parametrize.is_parametrized(critic.head, "weight")
    values = [
        losses.get("san").discriminator_loss(each, images(0), images(1)).total.item()
        for each in (critic, copy.deepcopy(critic))
    ]
    assert values[0] == values[1]


def test_what_has_no_single_output_is_refused() -> None:
    with pytest.raises(ValueError, match="the last layer has 3"):
        SanHead().wrap(nn.Linear(4, 3))
    with pytest.raises(ValueError, match="there is none"):
        SanHead().wrap(nn.Tanh())


@pytest.mark.parametrize("norm", ["none", "ln", "sn", "bn"])
def test_it_trains_the_benchmarks_discriminator(norm: str) -> None:
    """Three steps with the weights of every layer moving, the head's direction among them."""
    network = Network(name="dcgan-v2", width=4, channels=1, image_size=32, latent_size=8, d_norm=norm)
    generator = torch.Generator().manual_seed(0)
    critic = SanHead().wrap(build_discriminator(network, lambda _, shape: torch.randn(shape, generator=generator)))
    start = {name: each.detach().clone() for name, each in critic.named_parameters()}
    optimizer = torch.optim.Adam(critic.parameters(), lr=1e-2)
    for _ in range(3):
        real, fake = (torch.randn((6, 1, 32, 32), generator=generator).clamp(-1, 1) for _ in range(2))
        optimizer.zero_grad()
        losses.get("san").discriminator_loss(critic, real, 0.5 * fake).total.backward()
        optimizer.step()
    for name, each in critic.named_parameters():
        assert each.isfinite().all(), name
        assert name == "head.bias" or not torch.equal(each, start[name]), name
    head = critic.head.parametrizations.weight.original.flatten()
    before = start["head.parametrizations.weight.original"].flatten()
    assert torch.nn.functional.cosine_similarity(head, before, dim=0).item() < 0.999
