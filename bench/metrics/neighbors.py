"""Fidelity and diversity by nearest neighbors: precision, recall, density and coverage.

Precision and recall: Kynkäänniemi et al., 2019, k = 3. Density and coverage: Naeem et al., 2020, k = 5. A sample set's
manifold is the union of balls around its points, each reaching to the point's k-th nearest neighbor in the set.
Precision says nothing without recall, nor density without coverage: identical samples in a crowded place have a high
precision and density. Distances are computed a block of rows at a time, so 10,000 against 60,000 points need a few
hundred megabytes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

PRECISION_NEIGHBOR: Final = 3
COVERAGE_NEIGHBOR: Final = 5

NEIGHBOR_IMAGES: Final = 10_000
"""Precision, recall, density, coverage and the kernel distance use at most this many images of either kind."""

_BLOCK_ELEMENTS: Final = 16 * 1024 * 1024

_FAR: Final = 1e4
"""If the largest squared length is more than this many times the typical one, float32 is too coarse for distances."""


@dataclass(frozen=True)
class Neighborhood:
    """Shares and ratios of one set of fakes against one set of reals."""

    precision: float
    """Share of fakes within the reals' manifold."""
    recall: float
    """Share of reals within the fakes' manifold."""
    density: float
    """Mean number of the reals' balls that a fake lies in, divided by k. Its expectation is 1 if the two agree."""
    coverage: float
    """Share of reals whose ball holds a fake. Its expectation is 1 - 2^-k if the two agree."""


def _squared_distances(points: Tensor, others: Tensor) -> Iterator[tuple[int, Tensor]]:
    """Yield the index of the first row and the squared distances [rows, M], block by block of `points`.

    A shift changes no distance, and |x|^2 + |y|^2 - 2 x.y has the smallest rounding errors near the origin. So all
    points are shifted by the median of `others`, which, unlike the mean, a single point far away does not move.
    """
    center = others.float().median(0).values
    points, others = points.float() - center, others.float() - center
    if _some_are_far(points, others):
        points, others = points.double(), others.double()
    squares = others.square().sum(1)
    rows = max(1, _BLOCK_ELEMENTS // len(others))
    for start in range(0, len(points), rows):
        block = points[start : start + rows]
        distances = torch.addmm(squares.expand(len(block), -1), block, others.T, alpha=-2.0)
        yield start, distances.add_(block.square().sum(1, keepdim=True)).clamp_(min=0.0)


def _some_are_far(points: Tensor, others: Tensor) -> bool:
    """Whether a centered point is so far away that distances need float64, which takes twice the time."""
    squares = others.square().sum(1)
    largest = torch.maximum(points.square().sum(1).max(), squares.max())
    return bool(largest > _FAR * squares.median())


def _squared_distances_within(points: Tensor) -> Iterator[Tensor]:
    """Yield the squared distances [rows, N] among the points, block by block. That of a point to itself is infinite."""
    for start, distances in _squared_distances(points, points):
        rows = torch.arange(len(distances), device=points.device)
        distances[rows, start + rows] = torch.inf
        yield distances


def squared_radii(points: Tensor, neighbors: tuple[int, ...]) -> list[Tensor]:
    """Return, for each k, the squared distance [N] of every point to its k-th nearest other point."""
    largest = max(neighbors)
    columns = [block.topk(largest, largest=False).values for block in _squared_distances_within(points)]
    nearest = torch.cat(columns)
    return [nearest[:, k - 1].contiguous() for k in neighbors]


def nearest(points: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """Return the squared distance [N] of points [N, d] to the nearest of `others` [M, d], and its index [N]."""
    minima = [block.min(1) for _, block in _squared_distances(points, others)]
    return torch.cat([minimum.values for minimum in minima]), torch.cat([minimum.indices for minimum in minima])


def nearest_other(points: Tensor) -> Tensor:
    """Return the squared distance [N] of each of the points [N, d], N >= 2, to the nearest other point."""
    return torch.cat([block.amin(1) for block in _squared_distances_within(points)])


def median_distance(squared: Tensor) -> float:
    """Return the median of distances whose squares [N] are given."""
    return squared.double().sqrt().quantile(0.5).item()


def authentic_share(squared: Tensor, indices: Tensor, radii: Tensor) -> float:
    """Return the share of samples that are farther from a training point than other training points are.

    Args:
        squared: squared distances [N] of the samples to the nearest training point.
        indices: of that training point [N].
        radii: squared distances [M] of the training points to the nearest other training point.
    """
    return (squared > radii[indices]).double().mean().item()


def real_radii(reals: Tensor) -> tuple[Tensor, Tensor]:
    """Return the squared radii of the reals' balls: for precision, and for density and coverage."""
    precision_radii, coverage_radii = squared_radii(reals, (PRECISION_NEIGHBOR, COVERAGE_NEIGHBOR))
    return precision_radii, coverage_radii


def compare(fakes: Tensor, reals: Tensor, radii: tuple[Tensor, Tensor] | None = None) -> Neighborhood:
    """Compare features of fakes [N, d] and reals [M, d], N > 3 and M > 5.

    Args:
        fakes: features of generated samples.
        reals: features of real ones.
        radii: `real_radii(reals)`, if they are known already.
    """
    precision_radii, coverage_radii = radii if radii is not None else real_radii(reals)
    (fake_radii,) = squared_radii(fakes, (PRECISION_NEIGHBOR,))
    inside = 0
    balls = 0
    recalled = torch.zeros(len(reals), dtype=torch.bool, device=reals.device)
    nearest = torch.full((len(reals),), torch.inf, device=reals.device)
    for start, distances in _squared_distances(fakes, reals):
        inside += int((distances <= precision_radii).any(1).sum())
        balls += int(torch.count_nonzero(distances <= coverage_radii))
        recalled |= (distances <= fake_radii[start : start + len(distances), None]).any(0)
        nearest = torch.minimum(nearest, distances.amin(0))
    return Neighborhood(
        precision=inside / len(fakes),
        recall=recalled.double().mean().item(),
        density=balls / (COVERAGE_NEIGHBOR * len(fakes)),
        coverage=(nearest <= coverage_radii).double().mean().item(),
    )
