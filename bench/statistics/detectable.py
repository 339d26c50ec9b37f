"""Which difference a table could have shown: what "not shown" leaves open."""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from bench.statistics.flips import COUNTED_PAIRS, joined, least_sign_flip
from bench.statistics.intervals import Array

POWER: Final = 0.8

_DRAWS: Final = 500
_HALVINGS: Final = 20
_NO_SCATTER: Final = 1e-12
_FARTHEST: Final = 100.0
"""The largest difference looked for, in standard errors."""


def detectable(blocks: Sequence[Array], level: float, power: float = POWER) -> Array:
    """Return the smallest true difference of scores that the joined tests find with this power, `[methods]`.

    The difference delta is the same on all workloads, and those at single seeds scatter about it normally, as widely as
    the ones seen: e_w = s_w / sqrt(n_w). So the t statistic of workload w has the noncentral distribution of
    noncentrality delta / e_w and n_w - 1 degrees of freedom. Its p-value, rounded up to what flipping the signs of n_w
    differences can give, stands for that of `sign_flips`, and `joined` joins them. delta is found by bisection on 500
    drawn tables, the same for all methods. Held against the tests themselves the power is 73 to 80 %, the lower the
    fewer seeds.

    nan where no difference of scores, which lie in [0, 1], would be found so often; and where no difference at a seed
    differs from another, so that nothing is known of their scatter.

    Args:
        blocks: paired differences, one array `[methods, seeds]` a workload.
        level: of the two-sided test, after the adjustment for several methods.
        power: the chance of finding it.
    """
    seeds = [block.shape[1] for block in blocks]
    errors = np.array([block.std(axis=1, ddof=1) / np.sqrt(block.shape[1]) for block in blocks])
    known = (errors > _NO_SCATTER).any(axis=0)
    if len(blocks) == 1:
        # The answer in standard errors is the same for all methods.
        (unit,) = _bisected(np.ones((1, 1)), _FARTHEST, seeds, level, power)
        differences = np.where(known, unit * errors[0], np.nan)
    else:
        differences = np.where(known, _bisected(errors, 1.0, seeds, level, power), np.nan)
    return np.where(differences <= 1.0, differences, np.nan)


def _bisected(errors: Array, farthest: float, seeds: Sequence[int], level: float, power: float) -> Array:
    """Return the difference for standard errors `[workloads, methods]`, nan where the farthest is found too seldom."""
    share = _share_found(errors, seeds, level)
    low, high = np.zeros(errors.shape[1]), np.full(errors.shape[1], farthest)
    reached = share(high) >= power
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        enough = share(middle) >= power
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return np.where(reached, high, np.nan)


def _share_found(errors: Array, seeds: Sequence[int], level: float) -> Callable[[Array], Array]:
    """Return the function from differences `[methods]` to the share of drawn tables in which each is found."""
    from scipy.special import stdtr

    rng = np.random.default_rng(0)
    normals = rng.standard_normal((len(seeds), 1, _DRAWS))
    spreads = np.stack([np.sqrt(rng.chisquare(n - 1, (1, _DRAWS)) / (n - 1)) for n in seeds])
    scatters = errors > _NO_SCATTER
    precision = np.where(scatters, 1.0 / np.where(scatters, errors, 1.0), 0.0)

    def share(differences: Array) -> Array:
        # A workload whose differences do not scatter says nothing of power: it is taken to find nothing.
        statistics = np.where(scatters[:, :, None], normals + (differences * precision)[:, :, None], 0.0) / spreads
        p_values = []
        for one, pairs in zip(statistics, seeds, strict=True):
            p = 2.0 * stdtr(pairs - 1, -np.abs(one))
            least = least_sign_flip(pairs)
            rounded = np.ceil(p / least) * least if pairs <= COUNTED_PAIRS else p
            p_values.append(np.clip(rounded, least, 1.0).ravel())
        p, z = joined(p_values, [np.sign(one).ravel() for one in statistics])
        significant = (p <= level) & (z > 0.0)
        return np.asarray(significant.reshape(errors.shape[1], -1).mean(axis=1), dtype=np.float64)

    return share
