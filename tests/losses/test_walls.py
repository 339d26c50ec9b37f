"""Parts of the kinds still to come, written as another package would write them: the walls must hold them.

A stateful term (an anchored running mean), a diversity term with a second latent batch, a feature-matching term, and a
transform that packs samples together.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from torch import Tensor

import losses

pytestmark = pytest.mark.usefixtures("parts_to_come")


@pytest.fixture
def parts_to_come(scratch_registry: None) -> None:
    @losses.register("running_mean")
    @dataclass(frozen=True)
    class RunningMean(losses.Regularizer):
        phase: ClassVar = "discriminator"
        needs: ClassVar = frozenset({"state"})
        weight: float = losses.parameter(1.0)
        every: int = losses.parameter(1, ge=1)

        def __call__(self, context: losses.Context) -> Tensor:
            mean = context.state.setdefault("mean", torch.zeros((), dtype=torch.float64))
            mean.lerp_(context.fake_logits.detach().mean(), 0.5)
            return (context.real_logits - mean).square().mean()

    @losses.register("spread")
    @dataclass(frozen=True)
    class Spread(losses.Regularizer):
        phase: ClassVar = "generator"
        needs: ClassVar = frozenset({"second_latents"})
        weight: float = losses.parameter(1.0)
        every: int = losses.parameter(1, ge=1)

        def __call__(self, context: losses.Context) -> Tensor:
            second = context.second_latents
            assert not torch.equal(second, context.latents)
            return -(context.generator(second) - context.fake_images).abs().mean()

    @losses.register("match_means")
    @dataclass(frozen=True)
    class MatchMeans(losses.Regularizer):
        phase: ClassVar = "generator"
        needs: ClassVar = frozenset({"features"})
        needs_real_in_generator: ClassVar = True
        weight: float = losses.parameter(1.0)
        every: int = losses.parameter(1, ge=1)

        def __call__(self, context: losses.Context) -> Tensor:
            return (context.real_features.mean(0) - context.fake_features.mean(0)).square().sum()

    @losses.register("pack_pairs")
    @dataclass(frozen=True)
    class PackPairs(losses.InputTransform):
        def __call__(self, images: Tensor, context: losses.Context, role: str) -> Tensor:
            return images.unflatten(0, (-1, 2)).flatten(1, 2)

    @losses.register("undeclared")
    @dataclass(frozen=True)
    class Undeclared(losses.Regularizer):
        phase: ClassVar = "discriminator"
        weight: float = losses.parameter(1.0)
        every: int = losses.parameter(1, ge=1)

        def __call__(self, context: losses.Context) -> Tensor:
            return context.real_gradient.sum()

    @losses.register("early_generator")
    @dataclass(frozen=True)
    class EarlyGenerator(losses.Regularizer):
        phase: ClassVar = "discriminator"
        weight: float = losses.parameter(1.0)
        every: int = losses.parameter(1, ge=1)

        def __call__(self, context: losses.Context) -> Tensor:
            return context.generator(torch.zeros(1)).sum()


def test_state_lives_with_the_caller(images: Callable, smooth_critic: Callable) -> None:
    method, state = losses.get("hinge + running_mean"), {}
    critic = smooth_critic()
    first = method.discriminator_loss(critic, images(0), images(1), state=state)["running_mean"].value.item()
    assert set(state) == {"running_mean"}
    assert state["running_mean"]["mean"].item() == pytest.approx(critic(images(1)).mean().item() / 2, rel=1e-12)
    second = method.discriminator_loss(critic, images(0), images(1), state=state)["running_mean"].value.item()
    assert first != second
    with pytest.raises(ValueError, match=r"running_mean remembers something between steps: pass state=\{\}"):
        method.discriminator_loss(critic, images(0), images(1))


def test_a_second_latent_batch_is_drawn_from_the_parts_stream(
    latents: Tensor, smooth_critic: Callable, tiny_generator: Callable, streams: Callable
) -> None:
    critic, generator = smooth_critic(), tiny_generator()
    found = losses.get("hinge + spread").generator_loss(critic, generator, latents, rng=streams())
    drawn = torch.randn(latents.shape, generator=streams()["spread"], dtype=torch.float64)
    expected = -(generator(drawn) - generator(latents)).abs().mean()
    assert found["spread"].value.item() == pytest.approx(expected.item(), rel=1e-12)
    found.total.backward()
    assert generator.weight.grad is not None


def test_features_of_the_shared_forward(
    images: Callable, latents: Tensor, smooth_critic: Callable, tiny_generator: Callable
) -> None:
    method, critic, generator = losses.get("nsgan + match_means"), smooth_critic(features=True), tiny_generator()
    assert method.needs_real_in_generator
    calls = []

    def counted(x: Tensor) -> tuple[Tensor, Tensor]:
        calls.append(x)
        return critic(x)

    found = method.generator_loss(counted, generator, latents, images(0))
    assert len(calls) == 2
    expected = (critic(images(0))[1].mean(0) - critic(generator(latents))[1].mean(0)).square().sum()
    assert found["match_means"].value.item() == pytest.approx(expected.item(), rel=1e-12)


def test_missing_features_name_the_part_and_the_mend(
    images: Callable, latents: Tensor, smooth_critic: Callable, tiny_generator: Callable
) -> None:
    method = losses.get("nsgan + match_means")
    with pytest.raises(
        ValueError, match=r"match_means needs features: let the discriminator return \(logits, features\)"
    ):
        method.generator_loss(smooth_critic(), tiny_generator(), latents, images(0))
    with pytest.raises(ValueError, match="pass real_images"):
        method.generator_loss(smooth_critic(features=True), tiny_generator(), latents)


def test_a_packing_transform_makes_fewer_logits(images: Callable) -> None:
    found = losses.get("rp_bce + pack_pairs + r1").discriminator_loss(
        lambda x: x.flatten(1).square().sum(1), images(0), images(1)
    )
    assert found.real_logits.shape == (3,)
    assert found["r1"].value.item() == pytest.approx(4 * images(0).flatten(1).square().sum(1).mean().item(), rel=1e-12)


def test_a_gradient_that_was_not_declared_is_refused(images: Callable, smooth_critic: Callable) -> None:
    with pytest.raises(ValueError, match="undeclared reads real_gradient"):
        losses.get("hinge + undeclared").discriminator_loss(smooth_critic(), images(0), images(1))


def test_the_generator_is_out_of_reach_in_the_discriminator_phase(images: Callable, smooth_critic: Callable) -> None:
    with pytest.raises(ValueError, match="early_generator runs the generator in the discriminator's phase: pass gen"):
        losses.get("hinge + early_generator").discriminator_loss(smooth_critic(), images(0), images(1))
