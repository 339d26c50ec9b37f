"""weight_clip."""

import pytest
import torch
from torch import nn

from losses.constraints.clipping import WeightClip


def norms_and_weights() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.BatchNorm2d(4),
        nn.GroupNorm(1, 4),
        nn.InstanceNorm2d(4, affine=True),
        nn.LayerNorm(4),
        nn.Linear(4, 1),
    )


def test_weight_clip_clamps_every_parameter_in_place() -> None:
    with torch.random.fork_rng():
        critic = norms_and_weights()
    before = {name: parameter.clone() for name, parameter in critic.named_parameters()}
    constraint = WeightClip(c=0.05)
    assert constraint.wrap(critic) is critic
    constraint.after_step(critic)
    for name, parameter in critic.named_parameters():
        assert torch.equal(parameter, before[name].clamp(-0.05, 0.05))
        assert parameter.requires_grad
        assert parameter.grad_fn is None


def test_weight_clip_can_spare_the_gains_and_biases_of_norm_layers() -> None:
    with torch.random.fork_rng():
        critic = norms_and_weights()
    WeightClip(c=0.05, clip_norm_affine=False).after_step(critic)
    for layer in critic:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            assert layer.weight.abs().max().item() == pytest.approx(0.05)
        else:
            assert torch.equal(layer.weight, torch.ones_like(layer.weight))
