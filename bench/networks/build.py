"""From the typed description of a network to an initialized module."""

from collections.abc import Callable

from torch import Tensor, nn

from bench.config.trial import Network
from bench.networks import dcgan, mlp
from losses.constraints.normalization import SpectralNorm

Discriminator = dcgan.Discriminator | mlp.PointDiscriminator
Draw = Callable[[str, tuple[int, ...]], Tensor]
"""Returns standard normals for the parameter of that name, which do not depend on other parameters."""


def build_generator(network: Network, normal: Draw) -> nn.Module:
    """Build the generator on the CPU and initialize it from `normal`."""
    if network.name == "mlp-v1":
        points = mlp.PointGenerator(latent_size=network.latent_size, width=network.width)
        mlp.initialize(points, normal)
        return points
    images = dcgan.Generator(
        latent_size=network.latent_size,
        width=network.width,
        channels=network.channels,
        image_size=network.image_size,
    )
    dcgan.initialize(images, normal)
    return images


def build_discriminator(network: Network, normal: Draw, *, pack: int = 1, outputs: int = 1) -> Discriminator:
    """Build the discriminator on the CPU and initialize it from `normal`; it returns (logits [B], features [B, d]).

    A method may join `pack` samples to one input, which widens the first layer, and may read `outputs` numbers of each,
    which widens the last; the weights of all other layers are the same for every method.
    """
    if network.name == "mlp-v1":
        points = mlp.PointDiscriminator(width=network.width, pack=pack, outputs=outputs)
        mlp.initialize(points, normal)
        return points
    if network.name == "dcgan-v1":
        raise ValueError("dcgan-v1 is of protocol 1.0: its generators can be sampled, and nothing trains it any more")
    images = dcgan.Discriminator(
        width=network.width,
        channels=network.channels * pack,
        image_size=network.image_size,
        norm=network.d_norm,
        outputs=outputs,
    )
    dcgan.initialize(images, normal)
    if network.d_norm == "sn":
        SpectralNorm().wrap(images)  # in place: every weight is divided by its largest singular value from here on
    return images
