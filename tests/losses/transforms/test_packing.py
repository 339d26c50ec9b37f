"""pack."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

import losses
from losses.transforms.packing import Pack


def test_neighbors_are_joined_along_the_channels(shown: Callable) -> None:
    images = torch.arange(6 * 2 * 4.0).reshape(6, 2, 2, 2)
    view = shown("pack(size=3)", images)
    assert view.shape == (2, 6, 2, 2)
    assert torch.equal(view[0], torch.cat([images[0], images[1], images[2]]))
    assert torch.equal(view[1], torch.cat([images[3], images[4], images[5]]))


def test_points_are_joined_too(shown: Callable) -> None:
    points = torch.tensor([[1.0, 2], [3, 4], [5, 6], [7, 8]])
    assert shown("pack", points).tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert torch.equal(shown("pack(size=1)", points), points)


def test_a_pack_is_one_sample_of_the_loss_and_reaches_the_generator() -> None:
    method = losses.get("hinge + pack")
    assert method.pack == Pack().pack == 2
    latents = torch.arange(8.0).reshape(4, 2).requires_grad_()
    parts = method.generator_loss(lambda x: x.square().sum(1), lambda z: z, latents)
    assert parts.fake_logits.tolist() == [0 + 1 + 4 + 9, 16 + 25 + 36 + 49]
    assert parts.total.item() == -(14 + 126) / 2
    (gradient,) = torch.autograd.grad(parts.total, latents)
    assert torch.equal(gradient, -latents.detach())


def test_a_batch_that_does_not_divide_is_refused(shown: Callable) -> None:
    with pytest.raises(ValueError, match=r"pack\(size=4\) joins 4 samples to one: 6 samples do not divide"):
        shown("pack(size=4)", torch.zeros(6, 3, 4, 4))


@pytest.mark.usefixtures("scratch_registry")
def test_a_pack_has_no_place_beside_a_vector_head() -> None:
    @losses.register("wide")
    @dataclass(frozen=True)
    class Wide(losses.Objective):
        @property
        def outputs(self) -> int:
            return 5

        def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
            return fake_logits.mean() - real_logits.mean()

        def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
            return -fake_logits.mean()

    with pytest.raises(ValueError, match="pack joins 2 samples to one input, but wide reads 5 outputs"):
        losses.Method(Wide(), transforms=(Pack(),))
    losses.Method(Wide(), transforms=(Pack(size=1),))
