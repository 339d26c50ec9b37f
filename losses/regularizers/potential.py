"""The discriminator as a map of a field that the data make: it is told what to answer, and does not compete.

Legend: a, b = the critic on the real and on the generated images, x_r and x_f; k = kernel.
"""

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from losses.context import Context
from losses.hyperparameters import parameter
from losses.pairs import of_distances, row_means
from losses.parts import Regularizer
from losses.registry import register
from losses.types import BatchNorm, Need, Phase


@final
@register("coulomb")
@dataclass(frozen=True)
class Coulomb(Regularizer):
    """The Coulomb GAN's discriminator: it learns the potential of charges at the images. Add it to `loss_sensitive`.

    Real images attract and generated ones repel. The potential is known at the images of the batch, in pixels, and the
    discriminator learns it there by least squares; the -E b of `loss_sensitive` then moves the generated images up it.
    The paper's potential has the opposite sign, because here the critic is large on real. An image's own charge is part
    of its potential, as in the authors' code.

    Formula:
        weight * (E (a - Phi(x_r))^2 + E (b - Phi(x_f))^2),
        Phi(x) = mean_j k(x, x_r,j) - mean_j k(x, x_f,j), k(x, y) = (|x - y|^2 + epsilon^2)^(-(dimension - 2)/2)

    Parameters:
        weight: factor in front of the term.
        dimension: of the space whose Coulomb force is imitated; the less, the farther an image is felt.
        epsilon: softens the kernel at small distances, in units of the image (values in [-1, 1]).
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        ok: what is learned is given by the images, and each logit has a target of its own.

    Source:
        Unterthiner et al., Coulomb GANs: Provably Optimal Nash Equilibria via Potential Fields, ICLR 2018,
        arXiv:1708.08819; kernel, dimension and epsilon of the authors' code.
    """

    phase: ClassVar[Phase] = "discriminator"
    needs: ClassVar[frozenset[Need]] = frozenset({"logit_per_image"})
    batch_norm: ClassVar[BatchNorm] = "ok"
    weight: float = parameter(1.0, ge=0)
    dimension: float = parameter(3.0, gt=2)
    epsilon: float = parameter(1.0, gt=0)
    every: int = parameter(1, ge=1)

    def __call__(self, context: Context) -> Tensor:
        own = [images.detach().flatten(1) for images in (context.real_images, context.fake_images)]
        real, fake = map(context.whole, own)
        kernel = of_distances(lambda squared: (squared + self.epsilon**2) ** (1 - self.dimension / 2))
        with torch.no_grad():
            at_real, at_fake = (row_means(kernel, x, real) - row_means(kernel, x, fake) for x in own)
        return (context.real_critic - at_real).square().mean() + (context.fake_critic - at_fake).square().mean()
