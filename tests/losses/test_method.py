"""The contract of a method: phases, parts, random streams, laziness, and what a discriminator may return."""

from collections.abc import Callable
from dataclasses import FrozenInstanceError

import pytest
import torch
from torch import Tensor

import losses
from losses.constraints.clipping import WeightClip
from losses.contract import ForbidHostSync
from losses.contract.toy_problem import ToyProblem
from losses.objectives.hinge import Hinge
from losses.regularizers.zero_centered import R1, R2

METHODS = losses.names("method")


def discriminator_parts(
    method: losses.Method, critic: Callable, real: Tensor, fake: Tensor, **options
) -> losses.LossParts:
    return method.discriminator_loss(critic, real, fake, rng=torch.Generator().manual_seed(0), **options)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("phase", ["discriminator", "generator"])
def test_parts_add_up_to_the_total(name: str, phase: losses.context.Phase) -> None:
    method = losses.get(name)
    found = ToyProblem(method).run(phase)
    due = [part for part in method.regularizers if part.phase == phase]
    assert list(found) == [method.objective.name, *(part.name for part in due)]
    assert found.total.item() == pytest.approx(sum(part.weighted.item() for part in found.values()), rel=1e-12)
    for regularizer in due:
        part = found[regularizer.name]
        expected = regularizer.coefficient * regularizer.every * part.value.item()
        assert part.weighted.item() == pytest.approx(expected, rel=1e-12)
    objective = found[method.objective.name]
    assert objective.value is objective.weighted


@pytest.mark.parametrize("name", METHODS)
def test_the_discriminator_phase_leaves_the_generator_alone(name: str) -> None:
    problem = ToyProblem(losses.get(name))
    batch = problem.batch()
    found = problem.run("discriminator", batch)
    found.total.backward()
    assert all(parameter.grad is None for parameter in problem.generator.parameters())
    assert not batch.real.requires_grad
    assert batch.real.grad is None
    assert any(parameter.grad is not None for parameter in problem.critic.parameters())
    assert not found.fake_images.grad_fn


@pytest.mark.parametrize("name", METHODS)
def test_the_generator_phase_is_the_same_whether_the_discriminator_is_frozen_or_not(name: str) -> None:
    found = []
    for frozen in (False, True):
        problem = ToyProblem(losses.get(name))
        problem.critic.requires_grad_(not frozen)
        parts = problem.run("generator")
        parts.total.backward()
        assert parts.fake_images.grad_fn is not None
        found.append([parameter.grad for parameter in problem.generator.parameters()])
    for free, frozen in zip(*found, strict=True):
        assert torch.equal(free, frozen)
    assert sum(gradient.abs().sum().item() for gradient in found[0]) > 0


def test_the_generator_phase_looks_at_reals_only_where_needed_and_without_a_graph(
    images: Callable, latents: Tensor, smooth_critic: Callable, tiny_generator: Callable
) -> None:
    seen: list[tuple[Tensor, bool]] = []
    critic = smooth_critic()

    def watched(x: Tensor) -> Tensor:
        seen.append((x, torch.is_grad_enabled()))
        return critic(x)

    assert losses.get("nsgan").generator_loss(watched, tiny_generator(), latents, images(0)).real_logits is None
    assert len(seen) == 1
    seen.clear()
    found = losses.get("rpgan").generator_loss(watched, tiny_generator(), latents, images(0))
    assert [enabled for _, enabled in seen] == [True, False]
    assert not found.real_logits.requires_grad
    with pytest.raises(ValueError, match="pass real_images"):
        losses.get("rpgan").generator_loss(watched, tiny_generator(), latents)
    assert losses.get("rpgan").needs_real_in_generator
    assert not losses.get("wgan-gp").needs_real_in_generator


def test_images_need_gradients_only_where_a_due_part_asks(images: Callable) -> None:
    seen: list[bool] = []

    def critic(x: Tensor) -> Tensor:
        seen.append(x.requires_grad)
        return x.flatten(1).square().sum(1)

    method = losses.get("hinge + r1(every=2)")
    for step, expected in enumerate([[True, False], [False, False], [True, False]]):
        seen.clear()
        discriminator_parts(method, critic, images(0), images(1), step=step)
        assert seen == expected
    seen.clear()
    discriminator_parts(losses.get("hinge + r2"), critic, images(0), images(1))
    assert seen == [False, True]


def test_lazy_terms_are_absent_between_and_scaled_when_due(images: Callable, smooth_critic: Callable) -> None:
    always, lazy = losses.get("hinge + r1(gamma=3)"), losses.get("hinge + r1(gamma=3, every=4)")
    critic = smooth_critic()
    each = discriminator_parts(always, critic, images(0), images(1))["r1"]
    for step in range(9):
        found = discriminator_parts(lazy, critic, images(0), images(1), step=step)
        assert ("r1" in found) == (step % 4 == 0)
        if step % 4 == 0:
            assert found["r1"].value.item() == pytest.approx(each.value.item(), rel=1e-12)
            assert found["r1"].weighted.item() == pytest.approx(4 * each.weighted.item(), rel=1e-12)
        else:
            assert torch.equal(found.total, found["hinge"].value)


def test_r3gan_is_its_three_parts(images: Callable, smooth_critic: Callable) -> None:
    critic, real, fake = smooth_critic(), images(0), images(1)
    whole = discriminator_parts(losses.get("r3gan"), critic, real, fake)
    alone = {
        name: discriminator_parts(losses.get(f"rp_bce + {name}(gamma=1)"), critic, real, fake) for name in ("r1", "r2")
    }
    expected = alone["r1"]["rp_bce"].value + 0.5 * alone["r1"]["r1"].value + 0.5 * alone["r2"]["r2"].value
    assert whole.total.item() == pytest.approx(expected.item(), rel=1e-12)


def test_a_part_never_shifts_another_parts_random_numbers(
    images: Callable, smooth_critic: Callable, streams: Callable
) -> None:
    def trace(expression: str, part: str) -> list[float]:
        critic, rng, method = smooth_critic(), streams(), losses.get(expression)
        return [
            method.discriminator_loss(critic, images(2 * t), images(2 * t + 1), rng=rng, step=t)[part].value.item()
            for t in range(3)
        ]

    assert trace("wgan-gp", "gp1") == trace("wgan-gp + dragan + r1", "gp1")
    assert trace("dragan", "dragan") == trace("dragan + gp1", "dragan")
    # A penalty's extra look at the images goes through the transforms, on the penalty's stream.
    assert trace("nsgan + instance_noise", "bce_ns") == trace("nsgan + instance_noise + gp1", "bce_ns")
    assert trace("nsgan + instance_noise", "bce_ns") != trace("nsgan", "bce_ns")


def test_random_streams_one_generator_or_one_a_part_or_the_global_one(
    images: Callable, smooth_critic: Callable, streams: Callable
) -> None:
    method, critic, real, fake = losses.get("wgan-gp"), smooth_critic(), images(0), images(1)
    single = method.discriminator_loss(critic, real, fake, rng=streams()["gp1"])
    assert torch.equal(single.total, method.discriminator_loss(critic, real, fake, rng=streams()).total)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        first = method.discriminator_loss(critic, real, fake).total
        torch.manual_seed(0)
        assert torch.equal(first, method.discriminator_loss(critic, real, fake).total)
        before = torch.random.get_rng_state()
        method.discriminator_loss(critic, real, fake, rng=streams())
        assert torch.equal(before, torch.random.get_rng_state())
    with pytest.raises(ValueError, match=r"no random generator for 'gp1' in rng, which has \['r1'\]"):
        method.discriminator_loss(critic, real, fake, rng={"r1": torch.Generator()})


@pytest.mark.parametrize("shape", [(6,), (6, 1), (6, 1, 1, 1)])
@pytest.mark.parametrize("with_features", [False, True])
def test_logits_of_any_usual_shape(
    shape: tuple[int, ...], with_features: bool, images: Callable, smooth_critic: Callable
) -> None:
    critic = smooth_critic(features=True)

    def shaped(x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        logits, features = critic(x)
        return (logits.reshape(shape), features) if with_features else logits.reshape(shape)

    found = discriminator_parts(losses.get("r3gan"), shaped, images(0), images(1))
    plain = discriminator_parts(losses.get("r3gan"), smooth_critic(), images(0), images(1))
    assert found.real_logits.shape == (6,)
    assert found.total.item() == pytest.approx(plain.total.item(), rel=1e-12)


@pytest.mark.parametrize("shape", [(6, 2), (1, 6), (3,), ()])
def test_other_logits_are_refused(shape: tuple[int, ...], images: Callable) -> None:
    with pytest.raises(ValueError, match="expected one logit a sample"):
        discriminator_parts(losses.get("hinge"), lambda _: torch.zeros(shape), images(0), images(1))


def test_images_of_bytes_are_refused(images: Callable, smooth_critic: Callable) -> None:
    with pytest.raises(ValueError, match=r"real images are torch\.uint8: expected floats"):
        discriminator_parts(losses.get("hinge"), smooth_critic(), images(0).to(torch.uint8), images(1))


def test_images_that_are_no_tensor_are_refused(images: Callable, smooth_critic: Callable) -> None:
    for kind, real, fake in (("real", images(0).numpy(), images(1)), ("fake", images(0), images(1).numpy())):
        with pytest.raises(ValueError, match=f"{kind} images are of type ndarray: expected a tensor"):
            discriminator_parts(losses.get("hinge"), smooth_critic(), real, fake)


def test_what_a_phase_cannot_do_without_is_asked_for_by_name(
    images: Callable, latents: Tensor, smooth_critic: Callable, tiny_generator: Callable
) -> None:
    critic, generator, method = smooth_critic(), tiny_generator(), losses.get("hinge")
    with pytest.raises(ValueError, match=r"real images in the discriminator's step: pass real_images"):
        method.discriminator_loss(critic, None, images(1))
    with pytest.raises(ValueError, match=r"real images in the generator's step: pass real_images"):
        losses.get("rp_bce").generator_loss(critic, generator, latents)
    with pytest.raises(ValueError, match=r"there are none: pass real_images"):
        losses.get("r1").discriminator_loss(critic, None, None, step=0)
    with pytest.raises(ValueError, match=r"makes images of latents, and there are none: pass them"):
        method.generator_loss(critic, generator, None)
    with pytest.raises(ValueError, match=r"runs the generator, and there is none: pass it"):
        method.generator_loss(critic, None, latents)


def test_a_batch_of_no_images_is_refused(
    images: Callable, latents: Tensor, smooth_critic: Callable, tiny_generator: Callable
) -> None:
    """Its mean would be NaN without a word, and an error of torch's from parts that look for a largest number."""
    critic, method = smooth_critic(), losses.get("hinge + maxgp")
    for kind, real, fake in (("real", images(0)[:0], images(1)), ("fake", images(0), images(1)[:0])):
        with pytest.raises(ValueError, match=rf"{kind} images have the shape \(0, 3, 5, 4\): expected at least one"):
            discriminator_parts(method, critic, real, fake)
    with pytest.raises(ValueError, match=r"fake images have the shape \(0, 3, 5, 4\): expected at least one"):
        method.generator_loss(critic, tiny_generator(), latents[:0])
    with pytest.raises(ValueError, match=r"real images have the shape \(\): expected at least one"):
        discriminator_parts(method, critic, images(0).sum(), images(1))


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("phase", ["discriminator", "generator"])
def test_losses_are_float32_whatever_the_networks_compute_in(name: str, phase: losses.context.Phase) -> None:
    found = ToyProblem(losses.get(name), dtype=torch.bfloat16).run(phase)
    assert found.total.dtype == torch.float32
    assert found.fake_logits.dtype == torch.float32
    assert found.total.isfinite()


@pytest.mark.parametrize("name", [*METHODS, "nsgan + instance_noise(anneal_steps=10) + gp1 + dragan + r1 + r2"])
def test_nothing_reads_a_tensor_from_python(name: str) -> None:
    """Reading one makes the host wait for the device: `.item()`, `if tensor:`, `tensor[mask]`, `torch.equal`, ..."""
    problem = ToyProblem(losses.get(name), dtype=torch.float32)
    if any("no host read" in part.waived for part in problem.method.parts):
        assert name == "gdpp-gan", "the one method whose eigensolver waits for the device"
        return
    with ForbidHostSync():
        for phase in ("discriminator", "generator"):
            problem.run(phase, step=8).total.backward()
        for constraint in problem.method.constraints:
            constraint.after_step(constraint.wrap(problem.critic))


def test_the_guard_against_reading_bites() -> None:
    with pytest.raises(AssertionError, match="_local_scalar_dense"), ForbidHostSync():
        bool(torch.ones(()) > 0)


def test_needs_and_batch_norm_are_the_union_and_the_worst_of_the_parts() -> None:
    assert losses.get("r3gan").needs == {"real_gradient", "fake_gradient"}
    assert losses.get("nsgan").needs == frozenset()
    expected = {
        "nsgan": "ok", "mmgan": "ok", "lsgan": "ok", "hinge": "ok", "rpgan": "ok", "wgan": "degraded",
        "wgan-gp": "invalid", "dragan": "invalid", "nsgan-r1": "invalid", "r3gan": "invalid",
    }  # fmt: skip
    assert {name: losses.get(name).batch_norm for name in expected} == expected


def test_a_method_is_frozen_and_equal_by_its_parts() -> None:
    built = losses.Method(objective=Hinge(), regularizers=(R2(), R1(1.0)))
    assert built == losses.get("hinge + r1(gamma=1) + r2") == losses.get("hinge + r2 + r1(1)")
    assert hash(built) == hash(losses.get("hinge + r2 + r1(1)"))
    assert built != losses.get("hinge + r1 + r2")
    assert built.name == "hinge + r1(gamma=1, every=1) + r2(gamma=10, every=1)"
    assert built.recipe is None
    with pytest.raises(FrozenInstanceError):
        built.name = "mine"
    with pytest.raises(ValueError, match="r1 is given twice"):
        losses.Method(objective=Hinge(), regularizers=(R1(), R1(2.0)))
    with pytest.raises(ValueError, match="weight_clip is given twice"):
        losses.Method(objective=Hinge(), constraints=(WeightClip(), WeightClip()))
