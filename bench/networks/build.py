"""From the typed description of a network to an initialised module."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from bench.config.trial import Network
from bench.networks import dcgan, mlp

Draw = Callable[[str, tuple[int, ...]], Tensor]
"""Standard normals for the parameter of that name: a draw by name cannot shift another parameter's."""


def build_generator(network: Network, normal: Draw) -> nn.Module:
    """Build the generator on the CPU and initialise it from `normal`."""
    if network.name == "mlp-v1":
        points = mlp.PointGenerator(latent_size=network.latent_size, width=network.width)
        mlp.initialise(points, normal)
        return points
    images = dcgan.Generator(
        latent_size=network.latent_size,
        width=network.width,
        channels=network.channels,
        image_size=network.image_size,
    )
    dcgan.initialise(images, normal)
    return images


def build_discriminator(network: Network, normal: Draw) -> nn.Module:
    """Build the discriminator on the CPU and initialise it from `normal`; it returns (logits [B], features [B, d])."""
    if network.name == "mlp-v1":
        points = mlp.PointDiscriminator(width=network.width)
        mlp.initialise(points, normal)
        return points
    images = dcgan.Discriminator(
        width=network.width,
        channels=network.channels,
        image_size=network.image_size,
        norm=network.d_norm,
    )
    dcgan.initialise(images, normal)
    return _with_spectral_norm(images) if network.d_norm == "sn" else images


def _with_spectral_norm(discriminator: nn.Module) -> nn.Module:
    """Divide every convolution's weight by its largest singular value (Miyato et al., ICLR 2018, arXiv 1802.05957)."""
    # The power iteration starts from torch's global generator: it is given a fixed start and put back afterwards.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for layer in list(discriminator.modules()):
            if isinstance(layer, nn.Conv2d):
                parametrizations.spectral_norm(layer)
    return discriminator
