"""The same training without the engine: a plain DCGAN loop, as one would write it from the tutorial, in torch alone.

    python examples/plain_loop.py --steps 200 --loss nsgan-r1

`train` makes the very updates that the benchmark makes. Its tests give both the same weights, batches and latents, and
hold the losses of every step against each other.
"""

import argparse
from collections.abc import Iterable, Iterator

import torch
from _digits import LATENT_SIZE, batches, dcgan_discriminator, dcgan_generator
from torch import Tensor, nn
from torch.nn import functional

Batch = tuple[Tensor, Tensor, Tensor]
"""Real images in [-1, 1], the latents of the discriminator's update, the latents of the generator's."""

LOSSES = ("nsgan", "nsgan-r1", "wasserstein")


def discriminator_loss(loss: str, discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    real = real.clone().requires_grad_()
    a, b = discriminator(real), discriminator(fake)
    if loss == "wasserstein":
        return b.mean() - a.mean()
    total = functional.binary_cross_entropy_with_logits(a, torch.ones_like(a))
    total = total + functional.binary_cross_entropy_with_logits(b, torch.zeros_like(b))
    if loss == "nsgan-r1":  # gamma / 2 times the squared norm of the gradient at each real image
        (gradient,) = torch.autograd.grad(a.sum(), real, create_graph=True)
        total = total + 10 / 2 * gradient.flatten(1).square().sum(dim=1).mean()
    return total


def generator_loss(loss: str, discriminator: nn.Module, fake: Tensor) -> Tensor:
    b = discriminator(fake)
    if loss == "wasserstein":
        return -b.mean()
    return functional.binary_cross_entropy_with_logits(b, torch.ones_like(b))


def train(
    loss: str, generator: nn.Module, discriminator: nn.Module, batches: Iterable[Batch]
) -> Iterator[tuple[float, float]]:
    """Train on the batches in order; yield (L_D, L_G) of every step."""
    generator_optimizer = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    discriminator_optimizer = torch.optim.Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))
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
        yield loss_d.item(), loss_g.item()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--loss", choices=LOSSES, default="nsgan")
    chosen = parser.parse_args()
    torch.manual_seed(0)
    drawn = (
        (real, torch.randn(len(real), LATENT_SIZE), torch.randn(len(real), LATENT_SIZE))
        for real, _ in batches(64, chosen.steps)
    )
    for step, (loss_d, loss_g) in enumerate(train(chosen.loss, dcgan_generator(), dcgan_discriminator(), drawn)):
        if step % 50 == 0 or step == chosen.steps - 1:
            print(f"step {step}: D {loss_d:.3f}, G {loss_g:.3f}")


if __name__ == "__main__":
    main()
