"""Real digits for the example loops, and two small networks of the usual kind."""

import argparse
from collections.abc import Iterator

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import interpolate

LATENT_SIZE = 64


def steps_from_the_command_line(default: int = 200) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=default)
    return parser.parse_args().steps


def digits() -> tuple[Tensor, Tensor]:
    """Return 1,797 images [N, 1, 32, 32] in [-1, 1], and which digit each shows."""
    bunch = load_digits()
    images = torch.tensor(bunch.images, dtype=torch.float32)[:, None] / 8 - 1
    return interpolate(images, size=32, mode="bilinear"), torch.tensor(bunch.target)


def batches(size: int, count: int, seed: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield `count` batches of random images and labels."""
    images, labels = digits()
    generator = torch.Generator().manual_seed(seed)
    for _ in range(count):
        chosen = torch.randint(len(images), (size,), generator=generator)
        yield images[chosen], labels[chosen]


def dcgan_generator(width: int = 16) -> nn.Module:
    """Latents [B, 64] to images [B, 1, 32, 32]."""
    return nn.Sequential(
        nn.Linear(LATENT_SIZE, 4 * width * 4 * 4), nn.Unflatten(1, (4 * width, 4, 4)),
        nn.BatchNorm2d(4 * width), nn.ReLU(),
        nn.ConvTranspose2d(4 * width, 2 * width, 4, 2, 1), nn.BatchNorm2d(2 * width), nn.ReLU(),
        nn.ConvTranspose2d(2 * width, width, 4, 2, 1), nn.BatchNorm2d(width), nn.ReLU(),
        nn.ConvTranspose2d(width, 1, 4, 2, 1), nn.Tanh(),
    )  # fmt: skip


def dcgan_discriminator(width: int = 16) -> nn.Module:
    """Images [B, 1, 32, 32] to logits [B, 1]. No sigmoid at the end, and no BatchNorm."""
    return nn.Sequential(
        nn.Conv2d(1, width, 4, 2, 1), nn.LeakyReLU(0.2),
        nn.Conv2d(width, 2 * width, 4, 2, 1), nn.LeakyReLU(0.2),
        nn.Conv2d(2 * width, 4 * width, 4, 2, 1), nn.LeakyReLU(0.2),
        nn.Flatten(), nn.Linear(4 * width * 4 * 4, 1),
    )  # fmt: skip
