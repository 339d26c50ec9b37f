"""How often and how fast the discriminator is updated. They declare only: the training loop reads the method's pace."""

from dataclasses import dataclass
from typing import final

from losses.hyperparameters import parameter
from losses.parts import Constraint
from losses.registry import register


@final
@register("ttur")
@dataclass(frozen=True)
class Ttur(Constraint):
    """Two time-scales: the discriminator's learning rate is a multiple of the one it would have.

    The training loop reads `Method.learning_rate_factor`. The paper's own rates vary with the data set and the loss, in
    either direction; the ratio of 4 is the 0.0004 against 0.0001 that later work settled on.

    Formula:
        lr_D <- ratio * lr_D

    Parameters:
        ratio: the factor on the discriminator's learning rate.

    BatchNorm:
        ok: only the optimizer is concerned.

    Source:
        Heusel et al., GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium, NeurIPS 2017,
        arXiv:1706.08500; the ratio of 4 from Zhang et al., Self-Attention GAN, ICML 2019, arXiv:1805.08318, recalled.
    """

    ratio: float = parameter(4.0, gt=0)

    @property
    def learning_rate_factor(self) -> float:
        return self.ratio


@final
@register("critic_steps")
@dataclass(frozen=True)
class CriticSteps(Constraint):
    """Several updates of the discriminator, each with a batch of its own, for one of the generator.

    The training loop reads `Method.critic_steps`, a factor on the updates that it would make otherwise. The paper's
    code also makes 100 of them in the first 25 generator steps and in every 500th; this one does not.

    Formula:
        n_D = count, updates of D for one of G

    Parameters:
        count: how many.

    BatchNorm:
        ok: only the training loop is concerned.

    Source:
        Arjovsky et al., Wasserstein GAN, ICML 2017, arXiv:1701.07875, algorithm 1.
    """

    count: int = parameter(5, ge=1)

    @property
    def critic_steps(self) -> int:
        return self.count
