"""The alpha-loss: one parameter that bends the logistic loss toward the exponential or toward the zero-one loss."""

from dataclasses import dataclass
from typing import final

from torch import Tensor
from torch.nn.functional import logsigmoid

from losses.hyperparameters import parameter
from losses.numerics import expm1_with_tangent
from losses.parts import Objective
from losses.registry import register


@final
@register("alpha_loss")
@dataclass(frozen=True)
class AlphaLoss(Objective):
    """The (alpha_D, alpha_G)-GAN: each player has the alpha-loss with an alpha of its own.

    alpha = 1/2 is the exponential loss, 1 the logistic one, infinity a smooth zero-one loss. Two other methods go by
    the name alpha-GAN: a hybrid with an autoencoder (arXiv:1706.04987) and Amari's divergence (`fgan_alpha`).

    Formula:
        l_alpha(t) = alpha/(alpha - 1) (1 - sigmoid(t)^((alpha - 1)/alpha)), l_1(t) = sp(-t)
        L_D = E l_D(a) + E l_D(-b)
        L_G = E l_G(b), or -E l_G(-b) if saturating

    Parameters:
        alpha_d: the discriminator's alpha.
        alpha_g: the generator's alpha.
        saturating: whether the generator minimizes what the discriminator maximizes.
        limit: below alpha 1 the loss grows exponentially; beyond this exponent it goes on as its tangent.

    BatchNorm:
        ok: the loss reads each logit by itself.

    Source:
        Kurri et al., Realizing GANs via a Tunable Loss Function, 2021, arXiv:2106.05232; with two alphas Welfert et
        al., 2023, arXiv:2302.14320, equations 8 and 9 (numbers recalled).
    """

    alpha_d: float = parameter(0.5, gt=0)
    alpha_g: float = parameter(1.0, gt=0)
    saturating: bool = parameter(False)
    limit: float = parameter(15.0, gt=0)

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return self._loss(real_logits, self.alpha_d).mean() + self._loss(-fake_logits, self.alpha_d).mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        if self.saturating:
            return -self._loss(-fake_logits, self.alpha_g).mean()
        return self._loss(fake_logits, self.alpha_g).mean()

    def _loss(self, t: Tensor, alpha: float) -> Tensor:
        log_probability = logsigmoid(t)
        q = (alpha - 1) / alpha
        if q == 0:
            return -log_probability
        exponent = q * log_probability
        # expm1 keeps its digits when alpha is near 1 and the loss near the logistic one.
        return -expm1_with_tangent(exponent, self.limit) / q
