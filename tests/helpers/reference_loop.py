"""A plain DCGAN loop, as one would write it from the tutorial: no engine, no streams, no library of losses.

It takes the same initial weights, batches and latents as numbers, and trains with torch's own functions in float32.
The engine must follow the same trajectory; see `test_trajectories.py`.
"""

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

Batch = tuple[Tensor, Tensor, Tensor]
"""Real images in [-1, 1], the latents of the discriminator's phase, the latents of the generator's."""


def in_torch_layers(network: nn.Module) -> nn.Module:
    """Return a copy that lies contiguously and computes every convolution as torch does, whoever overrides it."""
    plain = copy.deepcopy(network).to(memory_format=torch.contiguous_format)
    for layer in plain.modules():
        for kind in (nn.Conv2d, nn.ConvTranspose2d):
            if isinstance(layer, kind):
                layer.__class__ = kind
    return plain


def interpolates(real: Tensor, fake: Tensor, epsilon: Tensor) -> Tensor:
    return (epsilon * real + (1 - epsilon) * fake).requires_grad_()


def squared_norms(images: Tensor, logits: Tensor) -> Tensor:
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return gradient.reshape(len(images), -1).square().sum(dim=1)


def discriminator_loss(loss: str, discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    real = real.clone().requires_grad_()
    a, b = discriminator(real)[0], discriminator(fake)[0]
    ones, zeros = torch.ones_like(a), torch.zeros_like(b)
    if loss == "wasserstein":
        return b.mean() - a.mean()
    total = functional.binary_cross_entropy_with_logits(a, ones)
    total = total + functional.binary_cross_entropy_with_logits(b, zeros)
    if loss == "nsgan-r1":
        total = total + 10 / 2 * squared_norms(real, a).mean()
    return total


def generator_loss(loss: str, discriminator: nn.Module, fake: Tensor) -> Tensor:
    b = discriminator(fake)[0]
    if loss == "wasserstein":
        return -b.mean()
    return functional.binary_cross_entropy_with_logits(b, torch.ones_like(b))


def train(loss: str, generator: nn.Module, discriminator: nn.Module, batches: list[Batch]) -> list[tuple[float, float]]:
    """Train on the batches in order; return (L_D, L_G) of every step."""
    generator_optimizer = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    discriminator_optimizer = torch.optim.Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    history = []
    for real, discriminator_latents, generator_latents in batches:
        discriminator_optimizer.zero_grad()
        fake = generator(discriminator_latents).detach()
        loss_d = discriminator_loss(loss, discriminator, real, fake)
        loss_d.backward()
        discriminator_optimizer.step()

        generator_optimizer.zero_grad()
        loss_g = generator_loss(loss, discriminator, generator(generator_latents))
        loss_g.backward()
        generator_optimizer.step()
        history.append((loss_d.item(), loss_g.item()))
    return history
