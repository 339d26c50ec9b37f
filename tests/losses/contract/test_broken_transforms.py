"""A transform or constraint that breaks the contract is told what it breaks, and nothing else."""

import pytest
import torch
from made_parts import failures, make_constraint, make_logit_transform, make_transform
from torch import Tensor, nn

import losses


@pytest.mark.usefixtures("scratch_registry")
def test_broken_transforms_fail_exactly_what_they_break() -> None:
    def globally(images: Tensor, _: losses.Context) -> Tensor:
        torch.rand(())
        return images

    def masked(images: Tensor, _: losses.Context) -> Tensor:
        return torch.where(images[:1].detach().sum().item() > -1e9, images, images)

    assert set(failures(make_transform(lambda images, _: images.detach()))) == {"gradient", "both phases", "points"}
    assert set(failures(make_transform(globally))) == {"own stream"}
    assert "shape" in failures(make_transform(lambda images, _: images.repeat_interleave(2, dim=0)))
    assert set(failures(make_transform(lambda images, _: images.flip(2)))) == {"points"}
    assert "no host read" in failures(make_transform(masked))
    assert set(failures(make_logit_transform(lambda b: b.detach()))) >= {"values and shapes"}


@pytest.mark.usefixtures("scratch_registry")
def test_broken_constraints_fail_exactly_what_they_break() -> None:
    def drawing(_: losses.Constraint, discriminator: nn.Module) -> nn.Module:
        torch.rand(())
        return discriminator

    def freezing(_: losses.Constraint, discriminator: nn.Module) -> None:
        discriminator.last.bias.requires_grad_(False)

    def replacing(_: losses.Constraint, discriminator: nn.Module) -> None:
        discriminator.last.bias = nn.Parameter(discriminator.last.bias.detach().clamp(-0.1, 0.1))

    assert set(failures(make_constraint(wrap=drawing))) == {"wrap"}
    assert set(failures(make_constraint(after_step=freezing))) == {"after step"}
    assert set(failures(make_constraint(after_step=replacing))) == {"after step"}
    assert set(failures(make_constraint(critic_steps=property(lambda self: 0)))) == {"declared pace"}
    assert set(failures(make_constraint(learning_rate_factor=property(lambda self: -1.0)))) == {"declared pace"}
