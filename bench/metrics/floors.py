"""What as many fresh real images as there are fakes would get against the reference: the floors and the ceilings.

Where the test part is large and no part of the reference, its images are the fresh ones. Elsewhere there are none, and
the reference itself is dealt at random into images that play the fakes and images that play the reference. What is
measured so depends on how many images are compared, and is carried over to the numbers that an evaluation has:

- The Fréchet distance of k to l images of one distribution is in the mean b (1/k + 1/l), to first order. What Gaussians
  of the same covariance have for b is 25 % too small in random features, so that b is measured between halves of the
  reference. From 500 images on, all that the first order leaves out is less than 10 %.
- Precision, recall, density and coverage depend on the proportion of fakes to reference images far more than on their
  numbers: the deal has that proportion.
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
"""How often the reference is dealt: in the mean over so many b is known to 2 to 4 %."""

_SMALLEST: Final = 1e-10
"""A floor below this share of the features' second moment is a rounding error."""


def spread(features: Tensor, stream: str) -> float:
    """Return b of E FD = b (1/k + 1/l), FD being the Fréchet distance of k to l images of one distribution.

    The mean over `DEALS` random halvings of the features [N, d], in their units squared. Of the distance between the
    means the expectation is known, tr S (1/k + 1/l) with the covariance S; only the covariances' part is measured,
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
    """What finite samples alone add to the Fréchet distance: the `share` of the one set and that of the other.

    Stacks of C images are in the mean C times as far apart as the single images they are drawn from; that only so many
    stacks are drawn adds to it.
    """

    images: float
    """The `spread` of single images."""
    stack: int = 1
    stacks: float = 0.0
    """The `spread` of stacks that are drawn from the same single images; 0 where nothing is stacked."""

    def share(self, images: int, stacks: int) -> float:
        """Return the share of a set of so many stacks that are drawn from so many single images."""
        return self.stack * self.images / images + self.stacks / stacks


@dataclass(frozen=True, eq=False)
class RealFeatures:
    """A workload's real images in the extractor's features [N, d]: what is measured, and of what it is made."""

    train: Tensor
    test: Tensor
    reference: Tensor
    """What fakes are compared with: the training part, or both parts."""
    images: Tensor
    """The single images that the reference consists of, or that its stacks are drawn from."""
    test_images: Tensor
    """The single images of the test part."""
    fresh: bool
    """Whether the test images are no part of the reference, and enough to measure what such images get."""
    stack: int = 1


@dataclass(frozen=True)
class Floors:
    """What real images reach beside the fakes of an evaluation. Distances have the features' units squared."""

    floor: float
    """The Fréchet distance of fresh real images, as many as there are fakes, to the reference; NaN if nothing tells."""
    bias: float
    """What finite samples alone add to it."""
    gap: float
    """By how much finite samples alone bring unseen images nearer to the training part than to the test part."""
    kid_floor: float
    """The kernel distance of fresh real images to the reference."""
    neighbourhood: tuple[float, ...]
    """Precision, recall, density and coverage of fresh real images, in the proportion of fakes to the reference."""
    vendi: float
    """The Vendi score of as many real images as there are fakes, or of all there are."""


def measure_floors(
    real: RealFeatures, name: str, count: int, between: float, reference: tuple[Tensor, Radii]
) -> Floors:
    """Measure real images as if they were fakes.

    Args:
        real: the real images.
        name: of the workload's kind, for the random streams.
        count: how many samples an evaluation has.
        between: the Fréchet distance of the test part to the training part.
        reference: what neighbors are found among: features of at most `NEIGHBOR_IMAGES` reference images, and the
            radii around them.
    """
    floor, bias, gap = distance_floors(real, name, count, between)
    # Stacks are drawn from the test part in any case: how few images they are made of moves no share by much.
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
    """Return the floor of the Fréchet distance, the part of it that finite samples add, and the gap they open."""
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

    One that is not finite, not positive, or a rounding error beside the features' second moment |m|^2 + tr S is none:
    it comes from a part that is a copy of the other, or from images that are all the same.
    """
    smallest = _SMALLEST * (fitted.mean.square().sum() + fitted.covariance.trace()).item()
    return next((floor for floor in candidates if math.isfinite(floor) and floor > smallest), math.nan)


def deals(features: Tensor, fakes: int, stream: str, limit: int = NEIGHBOR_IMAGES) -> Iterator[tuple[Tensor, Tensor]]:
    """Deal real images [N, d] into sets that stand to each other as fakes and the reference do.

    Args:
        features: of the reference images, N at least 10.
        fakes: how many samples an evaluation has.
        stream: the name of the random stream.
        limit: how many of either kind are compared at most.

    Yields:
        Some images in the place of the fakes, and the others, in the proportion that fakes and reference images have;
        the fewer there are, the more often, up to `DEALS` times.
    """
    fakes, reals = min(fakes, limit), min(len(features), limit)
    total = min(len(features), fakes + reals)
    # What compares neighbors needs one more of either kind than it looks at.
    most = total - COVERAGE_NEIGHBOR - 1
    first = max(PRECISION_NEIGHBOR + 1, min(most, round(total * fakes / (fakes + reals))))
    for deal in range(max(1, min(DEALS, limit // total))):
        drawn = shuffled(features, f"{stream}/{deal}", total)
        yield drawn[:first], drawn[first:]


def _reached(pairs: Iterable[_Pair]) -> tuple[tuple[float, ...], float]:
    """Return precision, recall, density and coverage, and the kernel distance, in the mean over pairs of real sets."""
    shares, distances = [], []
    for fakes, reals, radii in pairs:
        shared = compare(fakes, reals, radii)
        shares.append([shared.precision, shared.recall, shared.density, shared.coverage])
        distances.append(kernel_distance(fakes, reals))
    means = torch.tensor(shares, dtype=torch.float64).mean(0)
    return tuple(means.tolist()), sum(distances) / len(distances)
