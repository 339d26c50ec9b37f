"""Floors and ceilings: what fresh real images would get if they were measured like fakes, and as many.

Where the test part is large and not part of the reference, its images are the fresh ones. Elsewhere there are none.
There the reference is split at random: some of its images stand for fakes, the others for the reference. What is
measured depends on how many images are compared, so it is converted to the numbers of an evaluation:

- The Fréchet distance of k to l images of one distribution has the mean b (1/k + 1/l), to first order. The formula for
  b of Gaussian features gives 25 % too little in random features, so b is measured between halves of the reference.
  From 500 images on, the terms left out are below 10 %.
- Precision, recall, density and coverage depend on the ratio of fakes to reference images far more than on their
  numbers. The split has that ratio.
- The kernel distance is unbiased at any size.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from bench.metrics.frechet import Moments, frechet_distance, moments, square_root
from bench.metrics.kernel_distance import kernel_distance
from bench.metrics.neighbors import COVERAGE_NEIGHBOR, NEIGHBOR_IMAGES, PRECISION_NEIGHBOR, compare
from bench.metrics.order import shuffled
from bench.metrics.vendi import vendi_score

Radii = tuple[Tensor, Tensor]
_Pair = tuple[Tensor, Tensor, Radii | None]

DEALS: Final = 16
"""How often the reference is split. The mean over this many splits is b within 2 to 4 %."""

_SMALLEST: Final = 1e-10
"""A floor below this share of the features' second moment is a rounding error."""


def spread(features: Tensor, stream: str) -> float:
    """Return b of E FD = b (1/k + 1/l), FD being the Fréchet distance of k to l images of one distribution.

    It is the mean over `DEALS` random halvings of the features [N, d], in their units squared. The distance between the
    means has a known expectation, tr S (1/k + 1/l) with the covariance S. Only the part of the covariances is measured,
    which halves the scatter. NaN with fewer than four images.
    """
    count = len(features)
    if count < 4:
        return math.nan
    trace = moments(features).covariance.trace().item()
    first, second = count // 2, count - count // 2
    distances = []
    for deal in range(DEALS):
        halves = [moments(half) for half in shuffled(features, f"{stream}/{deal}").split([first, second])]
        covariances = [Moments(torch.zeros_like(half.mean), half.covariance) for half in halves]
        distances.append(frechet_distance(covariances[0], square_root(covariances[0].covariance), covariances[1]))
    return trace + sum(distances) / len(distances) / (1.0 / first + 1.0 / second)


@dataclass(frozen=True)
class SamplingError:
    """What finite samples alone add to the Fréchet distance: the `share` of one set plus that of the other.

    Stacks of C images are on average C times as far apart as the single images they are drawn from. The finite number
    of stacks adds to that.
    """

    images: float
    """The `spread` of single images."""
    stack: int = 1
    stacks: float = 0.0
    """The `spread` of stacks that are drawn from the same single images; 0 without stacks."""

    def share(self, images: int, stacks: int) -> float:
        """Return the share of a set of `stacks` stacks that are drawn from `images` single images."""
        return self.stack * self.images / images + self.stacks / stacks


@dataclass(frozen=True, eq=False)
class RealFeatures:
    """A workload's real images in the extractor's features [N, d]: the sets that are measured."""

    train: Tensor
    test: Tensor
    reference: Tensor
    """What fakes are compared with: the training part, or both parts."""
    images: Tensor
    """The single images that the reference consists of, or that its stacks are drawn from."""
    test_images: Tensor
    """The single images of the test part."""
    fresh: bool
    """Whether the test images are not part of the reference, and are enough to be measured as fresh images."""
    stack: int = 1


@dataclass(frozen=True)
class Floors:
    """What real images get under the conditions of an evaluation. Distances have the features' units squared."""

    floor: float
    """The Fréchet distance to the reference of as many fresh real images as there are fakes; NaN if it is unknown."""
    bias: float
    """What finite samples alone add to it."""
    gap: float
    """How much nearer finite samples alone bring unseen images to the training part than to the test part."""
    kid_floor: float
    """The kernel distance of fresh real images to the reference."""
    neighbourhood: tuple[float, ...]
    """Precision, recall, density and coverage of fresh real images, at the ratio of fakes to the reference."""
    vendi: float
    """The Vendi score of as many real images as there are fakes, or of all if there are fewer."""


def measure_floors(
    real: RealFeatures, name: str, count: int, between: float, reference: tuple[Tensor, Radii]
) -> Floors:
    """Measure real images as if they were fakes.

    Args:
        real: the real images.
        name: of the workload's kind, for the random streams.
        count: how many samples an evaluation has.
        between: the Fréchet distance of the test part to the training part.
        reference: where neighbors are looked for: features of at most `NEIGHBOR_IMAGES` reference images, and the
            radii around them.
    """
    floor, bias, gap = distance_floors(real, name, count, between)
    # Stacks are always drawn from the test part: the small number of its images changes no share by much.
    has_fresh = real.fresh or real.stack > 1
    pairs: Iterable[_Pair]
    if has_fresh:
        pairs = [(shuffled(real.test, f"{name}/floors/test", min(count, NEIGHBOR_IMAGES)), *reference)]
    else:
        pairs = ((*dealt, None) for dealt in deals(real.reference, count, f"{name}/floors"))
    shares, distance = _reached(pairs)
    as_many = shuffled(real.test if has_fresh else real.reference, f"{name}/floors/vendi", count)
    return Floors(floor, bias, gap, kid_floor=distance, neighbourhood=shares, vendi=vendi_score(as_many))


def distance_floors(real: RealFeatures, name: str, count: int, between: float) -> tuple[float, float, float]:
    """Return the floor of the Fréchet distance, the part that finite samples add, and the gap that they open."""
    stacked = real.stack > 1
    error = SamplingError(
        images=spread(shuffled(real.images, f"{name}/floors/images", NEIGHBOR_IMAGES), f"{name}/floors/halves"),
        stack=real.stack,
        stacks=spread(real.reference[:NEIGHBOR_IMAGES], f"{name}/floors/halves/stacks") if stacked else 0.0,
    )
    fakes = error.share(real.stack * count, count)
    tested = error.share(len(real.test_images), len(real.test))
    trained = error.share(len(real.images) if stacked else len(real.train), len(real.train))
    bias = fakes + error.share(len(real.images), len(real.reference))
    candidates = [between + fakes - tested, bias] if real.fresh else [bias]
    return usable_floor(candidates, moments(real.reference)), bias, tested - trained


def usable_floor(candidates: Iterable[float], fitted: Moments) -> float:
    """Return the first of several estimates of the floor that is a distance; NaN if none is.

    An estimate is no distance if it is not finite, not positive, or a rounding error compared with the features' second
    moment |m|^2 + tr S. Such values come from a part that is a copy of the other, or from identical images.
    """
    smallest = _SMALLEST * (fitted.mean.square().sum() + fitted.covariance.trace()).item()
    return next((floor for floor in candidates if math.isfinite(floor) and floor > smallest), math.nan)


def deals(features: Tensor, fakes: int, stream: str, limit: int = NEIGHBOR_IMAGES) -> Iterator[tuple[Tensor, Tensor]]:
    """Split real images [N, d] into two sets of the sizes that fakes and the reference have, or at least their ratio.

    Args:
        features: of the reference images, N at least 10.
        fakes: how many samples an evaluation has.
        stream: the name of the random stream.
        limit: the most images of either kind that are compared.

    Yields:
        Images that stand for fakes, and images that stand for the reference. Small sets are split more often, up to
        `DEALS` times.
    """
    fakes, reals = min(fakes, limit), min(len(features), limit)
    total = min(len(features), fakes + reals)
    # Comparing k neighbors needs k + 1 images of either kind.
    most = total - COVERAGE_NEIGHBOR - 1
    first = max(PRECISION_NEIGHBOR + 1, min(most, round(total * fakes / (fakes + reals))))
    for deal in range(max(1, min(DEALS, limit // total))):
        drawn = shuffled(features, f"{stream}/{deal}", total)
        yield drawn[:first], drawn[first:]


def _reached(pairs: Iterable[_Pair]) -> tuple[tuple[float, ...], float]:
    """Return the means over pairs of real sets: precision, recall, density and coverage; and the kernel distance."""
    shares, distances = [], []
    for fakes, reals, radii in pairs:
        shared = compare(fakes, reals, radii)
        shares.append([shared.precision, shared.recall, shared.density, shared.coverage])
        distances.append(kernel_distance(fakes, reals))
    means = torch.tensor(shares, dtype=torch.float64).mean(0)
    return tuple(means.tolist()), sum(distances) / len(distances)
