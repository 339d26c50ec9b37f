"""Relativistic losses: is this real image more real than that generated one?

Legend: f = the base, applied to a margin that the discriminator wants large: sp(-t), (t - 1)^2 or relu(1 - t);
ma, mb = the batch means of a and b.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Final, final

from torch import Tensor
from torch.nn.functional import relu, softplus

from losses.numerics import check_pairs, required_reals
from losses.parts import Objective
from losses.registry import register
from losses.types import BatchNorm

Base = Callable[[Tensor], Tensor]
_PAST_TARGET: Final = MappingProxyType({"signs": "past its target, a margin of 1, the discriminator pulls it back"})


def _logistic(margin: Tensor) -> Tensor:
    return softplus(-margin)


def _squares(margin: Tensor) -> Tensor:
    return (margin - 1).square()


def _hinge(margin: Tensor) -> Tensor:
    return relu(1 - margin)


class Relativistic(Objective):
    """Symmetric: the generator's loss is the discriminator's with real and fake exchanged."""

    needs_real_in_generator: ClassVar[bool] = True
    base: ClassVar[Base]

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return self.compare(real_logits, fake_logits)

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return self.compare(fake_logits, required_reals(self.name, real_logits))

    def compare(self, up: Tensor, down: Tensor) -> Tensor:
        """Return the loss of the player that raises `up` above `down`."""
        raise NotImplementedError


class Paired(Relativistic):
    """E f(up_i - down_i)."""

    def compare(self, up: Tensor, down: Tensor) -> Tensor:
        check_pairs(self.name, up, down)
        return type(self).base(up - down).mean()


class Average(Relativistic):
    """1/2 [E f(up - mean down) + E f(mean up - down)]."""

    batch_norm: ClassVar[BatchNorm] = "degraded"

    def compare(self, up: Tensor, down: Tensor) -> Tensor:
        base = type(self).base
        return 0.5 * (base(up - down.mean()).mean() + base(up.mean() - down).mean())


class OneSided(Relativistic):
    """E f(up - mean down)."""

    batch_norm: ClassVar[BatchNorm] = "degraded"

    def compare(self, up: Tensor, down: Tensor) -> Tensor:
        return type(self).base(up - down.mean()).mean()


class Centered(Relativistic):
    """E f(up - c) + E f(c - down), c = (mean up + mean down) / 2."""

    batch_norm: ClassVar[BatchNorm] = "degraded"

    def compare(self, up: Tensor, down: Tensor) -> Tensor:
        base, center = type(self).base, 0.5 * (up.mean() + down.mean())
        return base(up - center).mean() + base(center - down).mean()


@final
@register("rp_bce")
@dataclass(frozen=True)
class RpBce(Paired):
    """The paired relativistic logistic loss: the i-th real logit against the i-th fake one.

    Formula:
        L_D = E sp(b - a)
        L_G = E sp(a - b)

    BatchNorm:
        ok: the loss reads each pair by itself.

    Source:
        Jolicoeur-Martineau, The relativistic discriminator, ICLR 2019, arXiv:1807.00734 (there: RSGAN).
    """

    base: ClassVar[Base] = _logistic


@final
@register("rp_ls")
@dataclass(frozen=True)
class RpLs(Paired):
    """The paired relativistic least-squares loss: the i-th real logit against the i-th fake one.

    Formula:
        L_D = E (a - b - 1)^2
        L_G = E (b - a - 1)^2

    BatchNorm:
        ok: the loss reads each pair by itself.

    Source:
        Jolicoeur-Martineau, The relativistic discriminator, ICLR 2019, arXiv:1807.00734 (there: RSLSGAN; recalled).
    """

    base: ClassVar[Base] = _squares
    waived: ClassVar[Mapping[str, str]] = _PAST_TARGET


@final
@register("rp_hinge")
@dataclass(frozen=True)
class RpHinge(Paired):
    """The paired relativistic hinge loss: the i-th real logit against the i-th fake one.

    Formula:
        L_D = E relu(1 - (a - b))
        L_G = E relu(1 - (b - a))

    BatchNorm:
        ok: the loss reads each pair by itself.

    Source:
        Jolicoeur-Martineau, The relativistic discriminator, ICLR 2019, arXiv:1807.00734 (there: RSHingeGAN; recalled).
    """

    base: ClassVar[Base] = _hinge


@final
@register("ra_bce")
@dataclass(frozen=True)
class RaBce(Average):
    """The average relativistic logistic loss: each logit against the mean of the other batch.

    Formula:
        L_D = 1/2 [E sp(mb - a) + E sp(b - ma)]
        L_G = 1/2 [E sp(ma - b) + E sp(a - mb)]

    BatchNorm:
        degraded: normalizing each batch by itself hides the difference of the means it compares with.

    Source:
        Jolicoeur-Martineau, The relativistic discriminator, ICLR 2019, arXiv:1807.00734 (there: RaSGAN). The
        author's code for this paper has the half too; the later one, of arXiv:1901.02474, has none.
    """

    base: ClassVar[Base] = _logistic


@final
@register("ra_ls")
@dataclass(frozen=True)
class RaLs(Average):
    """The average relativistic least-squares loss: each logit against the mean of the other batch.

    Formula:
        L_D = 1/2 [E (a - mb - 1)^2 + E (ma - b - 1)^2]
        L_G = 1/2 [E (b - ma - 1)^2 + E (mb - a - 1)^2]

    BatchNorm:
        degraded: normalizing each batch by itself hides the difference of the means it compares with.

    Source:
        Jolicoeur-Martineau, The relativistic discriminator, ICLR 2019, arXiv:1807.00734 (there: RaLSGAN). The
        author's code for this paper has the half in both losses, as here; the later one, of arXiv:1901.02474, has none.
    """

    base: ClassVar[Base] = _squares
    waived: ClassVar[Mapping[str, str]] = _PAST_TARGET


@final
@register("ra_hinge")
@dataclass(frozen=True)
class RaHinge(Average):
    """The average relativistic hinge loss: each logit against the mean of the other batch.

    Formula:
        L_D = 1/2 [E relu(1 - (a - mb)) + E relu(1 - (ma - b))]
        L_G = 1/2 [E relu(1 - (b - ma)) + E relu(1 - (mb - a))]

    BatchNorm:
        degraded: normalizing each batch by itself hides the difference of the means it compares with.

    Source:
        Jolicoeur-Martineau, The relativistic discriminator, ICLR 2019, arXiv:1807.00734 (there: RaHingeGAN).
        The author's code for this paper has the half too; the later one, of arXiv:1901.02474, has none.
    """

    base: ClassVar[Base] = _hinge


@final
@register("ralf_bce")
@dataclass(frozen=True)
class RalfBce(OneSided):
    """The one-sided average relativistic logistic loss: the reals against the mean of the fakes, and no more.

    Formula:
        L_D = E sp(mb - a)
        L_G = E sp(ma - b)

    BatchNorm:
        degraded: normalizing each batch by itself hides the difference of the means it compares with.

    Source:
        Jolicoeur-Martineau, On Relativistic f-Divergences, ICML 2020, arXiv:1901.02474 (RalfGAN).
    """

    base: ClassVar[Base] = _logistic


@final
@register("ralf_ls")
@dataclass(frozen=True)
class RalfLs(OneSided):
    """The one-sided average relativistic least-squares loss: the reals against the mean of the fakes, and no more.

    Formula:
        L_D = E (a - mb - 1)^2
        L_G = E (b - ma - 1)^2

    BatchNorm:
        degraded: normalizing each batch by itself hides the difference of the means it compares with.

    Source:
        Jolicoeur-Martineau, On Relativistic f-Divergences, ICML 2020, arXiv:1901.02474 (RalfGAN).
    """

    base: ClassVar[Base] = _squares
    waived: ClassVar[Mapping[str, str]] = _PAST_TARGET


@final
@register("ralf_hinge")
@dataclass(frozen=True)
class RalfHinge(OneSided):
    """The one-sided average relativistic hinge loss: the reals against the mean of the fakes, and no more.

    Formula:
        L_D = E relu(1 - (a - mb))
        L_G = E relu(1 - (b - ma))

    BatchNorm:
        degraded: normalizing each batch by itself hides the difference of the means it compares with.

    Source:
        Jolicoeur-Martineau, On Relativistic f-Divergences, ICML 2020, arXiv:1901.02474 (RalfGAN).
    """

    base: ClassVar[Base] = _hinge


@final
@register("rc_bce")
@dataclass(frozen=True)
class RcBce(Centered):
    """The centered relativistic logistic loss: both batches against the mean of all logits.

    Formula:
        L_D = E sp(c - a) + E sp(b - c), c = (ma + mb)/2
        L_G = E sp(c - b) + E sp(a - c)

    BatchNorm:
        degraded: normalizing each batch by itself fixes the center it compares with.

    Source:
        Jolicoeur-Martineau, On Relativistic f-Divergences, ICML 2020, arXiv:1901.02474 (RcGAN).
    """

    base: ClassVar[Base] = _logistic


@final
@register("rc_ls")
@dataclass(frozen=True)
class RcLs(Centered):
    """The centered relativistic least-squares loss: both batches against the mean of all logits.

    Formula:
        L_D = E (a - c - 1)^2 + E (c - b - 1)^2, c = (ma + mb)/2
        L_G = E (b - c - 1)^2 + E (c - a - 1)^2

    BatchNorm:
        degraded: normalizing each batch by itself fixes the center it compares with.

    Source:
        Jolicoeur-Martineau, On Relativistic f-Divergences, ICML 2020, arXiv:1901.02474 (RcGAN).
    """

    base: ClassVar[Base] = _squares
    waived: ClassVar[Mapping[str, str]] = _PAST_TARGET


@final
@register("rc_hinge")
@dataclass(frozen=True)
class RcHinge(Centered):
    """The centered relativistic hinge loss: both batches against the mean of all logits.

    Formula:
        L_D = E relu(1 - (a - c)) + E relu(1 - (c - b)), c = (ma + mb)/2
        L_G = E relu(1 - (b - c)) + E relu(1 - (c - a))

    BatchNorm:
        degraded: normalizing each batch by itself fixes the center it compares with.

    Source:
        Jolicoeur-Martineau, On Relativistic f-Divergences, ICML 2020, arXiv:1901.02474 (RcGAN).
    """

    base: ClassVar[Base] = _hinge
