"""The difference that could have been seen, held against the tests that would have had to see it."""

import numpy as np
import pytest
from scipy import stats

from bench.statistics.detectable import detectable
from bench.statistics.flips import joined, sign_flips


def exactly(rng, deviation, seeds):
    """Return differences whose deviation is exactly this."""
    values = rng.normal(size=seeds)
    return (deviation * (values - values.mean()) / values.std(ddof=1))[None]


@pytest.mark.parametrize(
    ("seeds", "scatters", "family"),
    [(6, (1,), 1), (10, (1,), 9), (40, (1,), 9), (10, (1, 1), 9), (10, (1, 8), 9), (5, (1, 2, 3), 4)],
)
def test_it_would_have_been_found_four_times_of_five(seeds, scatters, family):
    rng = np.random.default_rng(1)
    (delta,) = detectable([exactly(rng, 0.05 * scatter, seeds) for scatter in scatters], 0.05 / family)

    def found(difference):
        made = [0.05 * scatter * rng.normal(size=(800, seeds)) + difference for scatter in scatters]
        p, _ = joined(
            [sign_flips(each, resamples=2000) for each in made], [np.sign(each.mean(axis=1)) for each in made]
        )
        return np.mean(p <= 0.05 / family)

    assert 0.70 <= found(delta) <= 0.85
    assert found(delta / 2) <= 0.55


def test_many_seeds_are_the_textbooks_sum_of_two_quantiles():
    rng = np.random.default_rng(0)
    (delta,) = detectable([exactly(rng, 0.1, 400)], 0.05)
    assert delta == pytest.approx(0.1 / 20 * (stats.norm.isf(0.025) + stats.norm.isf(0.2)), rel=0.05)


def test_it_grows_with_the_scatter_alone():
    own = exactly(np.random.default_rng(0), 0.01, 10)
    (one,), (threefold,), (moved,) = (detectable([each], 0.01) for each in (own, 3 * own, own + 0.4))
    assert threefold == pytest.approx(3 * one, rel=1e-6)
    assert moved == pytest.approx(one, rel=1e-6)


@pytest.mark.parametrize(
    ("blocks", "level"),
    [
        ([np.random.default_rng(0).normal(size=(1, 5))], 0.05),  # 2 of 32 patterns are more than 5 %
        ([np.random.default_rng(0).normal(size=(1, 10))], 0.05 / 29),
        ([np.zeros((1, 10))], 0.05),
        ([np.full((1, 10), 0.3), np.full((1, 10), 0.1)], 0.05),
        (
            [2.0 * np.random.default_rng(0).normal(size=(1, 10))],
            0.05,
        ),  # scatters by 2: no difference of scores is so large
    ],
)
def test_where_nothing_could_be_seen_there_is_none(blocks, level):
    assert np.isnan(detectable(blocks, level)).all()
