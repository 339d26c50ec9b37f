"""How a paper trained its method."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Recipe:
    """How the paper trained its method. A recommendation: the controlled track ignores it.

    A name brings the loss alone, and nothing of this: `losses.get("wgan-gp + critic_steps(5)")` brings the pace, too.
    """

    optimizer: Literal["adam", "rmsprop", "sgd"] = "adam"
    lr_generator: float = 2e-4
    lr_discriminator: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    """(momentum, decay of squares); RMSprop reads the second only, as its smoothing constant."""
    critic_steps: int = 1
    """Discriminator steps for one generator step."""
    d_norm: Literal["ln", "none", "sn", "bn"] = "bn"
    """The normalization in the paper's discriminator."""
    batch_size: int | None = None
    """None where no source at hand states it."""
