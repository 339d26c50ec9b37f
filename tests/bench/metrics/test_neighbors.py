import math
import subprocess
import sys

import numpy as np
import pytest
import torch

from bench.metrics import neighbors
from bench.metrics.neighbors import compare, nearest, nearest_other, real_radii, squared_radii


def brute_force(fakes, reals):
    """The definitions, in numpy and double precision, with full distance matrices."""
    fakes, reals = fakes.double().numpy(), reals.double().numpy()

    def distances(x, y):
        return np.sqrt(((x[:, None, :] - y[None, :, :]) ** 2).sum(-1))

    def radii(x, k):
        return np.sort(distances(x, x), axis=1)[:, k]  # column 0 is the point itself

    across = distances(fakes, reals)
    return {
        "precision": (across <= radii(reals, 3)[None, :]).any(1).mean(),
        "recall": (across <= radii(fakes, 3)[:, None]).any(0).mean(),
        "density": (across <= radii(reals, 5)[None, :]).sum() / (5 * len(fakes)),
        "coverage": (across.min(0) <= radii(reals, 5)).mean(),
    }


def assert_matches(found, expected, tolerance=1e-12):
    for name, value in expected.items():
        assert getattr(found, name) == pytest.approx(value, abs=tolerance), name


@pytest.mark.parametrize("shift", [0.0, 0.3, 1.0])
def test_it_follows_the_definitions(correlated, shift):
    fakes, reals = correlated(230, size=6, shift=shift), correlated(310, size=6)
    assert_matches(compare(fakes, reals), brute_force(fakes, reals))


def test_working_in_blocks_changes_nothing(correlated, monkeypatch):
    fakes, reals = correlated(150, size=6, shift=0.2), correlated(170, size=6)
    monkeypatch.setattr(neighbors, "_BLOCK_ELEMENTS", 170 * 40)
    assert_matches(compare(fakes, reals), brute_force(fakes, reals))


def test_known_radii_are_used(correlated):
    fakes, reals = correlated(100), correlated(120)
    assert compare(fakes, reals, real_radii(reals)) == compare(fakes, reals)
    doubled = tuple(4 * radii for radii in real_radii(reals))
    assert compare(fakes, reals, doubled).precision > compare(fakes, reals).precision


def test_a_radius_reaches_to_the_neighbour_of_that_rank():
    points = torch.tensor([[0.0], [1.0], [3.0], [7.0], [15.0]])
    second, fourth = squared_radii(points, (2, 4))
    assert second.tolist() == [9.0, 4.0, 9.0, 36.0, 144.0]
    assert fourth.tolist() == [225.0, 196.0, 144.0, 64.0, 225.0]


def test_far_from_the_origin_nothing_is_lost(correlated):
    fakes, reals = correlated(150, size=6, shift=0.2).float(), correlated(170, size=6).float()
    far = compare(fakes + 500.0, reals + 500.0)
    assert_matches(far, brute_force(fakes + 500.0, reals + 500.0), tolerance=0.02)


@pytest.mark.parametrize("far", [1e3, 1e4, 1e6])
@pytest.mark.parametrize("outlying", ["fakes", "reals", "both"])
def test_one_feature_far_away_does_not_blur_the_others(correlated, outlying, far):
    # The last feature is dead, as some of a classifier's are: nobody is nearer to the outlier than others along it.
    fakes, reals = (torch.nn.functional.pad(correlated(count, size=6), (0, 1)).float() for count in (230, 310))
    plain = compare(fakes, reals)
    if outlying != "reals":
        fakes[17, 6] = far
    if outlying != "fakes":
        reals[5, 6] = far
    found = compare(fakes, reals)
    assert_matches(found, brute_force(fakes, reals))
    # By the definitions one sample weighs as one: the outlier's own ball is the only other that can change.
    for name in ("precision", "recall", "density", "coverage"):
        assert getattr(found, name) == pytest.approx(getattr(plain, name), abs=0.03), name


@pytest.mark.parametrize("far", [1e3, 1e4, 1e6])
def test_one_point_far_away_does_not_blur_who_is_nearest(correlated, far):
    points, others = (torch.nn.functional.pad(correlated(count, size=6), (0, 1)).float() for count in (60, 90))
    points[3, 6], others[7, 6] = far, -far
    across = np.linalg.norm(points.double().numpy()[:, None] - others.double().numpy()[None], axis=-1)
    squared, indices = nearest(points, others)
    assert indices.tolist() == across.argmin(1).tolist()
    np.testing.assert_allclose(squared.double().sqrt(), across.min(1), rtol=1e-3)
    within = np.linalg.norm(others.double().numpy()[:, None] - others.double().numpy()[None], axis=-1)
    np.fill_diagonal(within, np.inf)
    np.testing.assert_allclose(nearest_other(others).double().sqrt(), within.min(1), rtol=1e-3)


def test_copies_of_one_real_sample_are_precise_and_recall_nothing(correlated):
    reals = correlated(300)
    found = compare(reals[:1].repeat(100, 1), reals)
    assert found.precision == 1.0
    assert found.recall <= 1 / 300
    assert found.coverage < 0.1


def test_the_same_points_cover_themselves(correlated):
    reals = correlated(200)
    found = compare(reals, reals)
    assert (found.precision, found.recall, found.coverage) == (1.0, 1.0, 1.0)
    # The balls that reach it, five on average, and its own; whether the rim belongs to a ball is a matter of rounding.
    assert found.density == pytest.approx(6 / 5, abs=0.01)


def test_matching_distributions_give_the_expected_coverage(correlated):
    found = compare(correlated(3000, size=4), correlated(3000, size=4))
    assert found.coverage == pytest.approx(1 - 2**-5, abs=0.02)
    assert found.density == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize(("count", "real_count", "size"), [(1500, 1500, 64), (1000, 2500, 64), (2500, 1000, 3)])
def test_coverage_and_density_of_one_distribution_are_the_expected_ones(rng, count, real_count, size):
    fakes, reals = (torch.randn(each, size, generator=rng) for each in (count, real_count))
    found = compare(fakes, reals)
    # A ball is empty of fakes if the five nearest of all other points are real: in any dimension and at any sizes.
    others = count + real_count - 1
    missed = math.prod((real_count - 1 - rank) / (others - rank) for rank in range(5))
    assert found.coverage == pytest.approx(1 - missed, abs=0.03)
    # Balls of a few points hold most fakes in many dimensions, so that density scatters there.
    assert found.density == pytest.approx(1.0, abs=0.15)


_PEAK = r"""
import pathlib, re, torch
from bench.metrics.neighbors import compare, nearest
torch.set_num_threads(1)
rng = torch.Generator().manual_seed(0)
fakes, reals = torch.randn({count}, 8, generator=rng), torch.randn({real_count}, 8, generator=rng)
radii = torch.full(({real_count},), 0.5), torch.full(({real_count},), 0.7)
compare(fakes[:100], reals[:200]), nearest(fakes[:100], reals)
def peak():
    return int(re.search(r"VmHWM:\s+(\d+) kB", pathlib.Path("/proc/self/status").read_text())[1])
before = peak()
compare(fakes, reals, radii), nearest(fakes, reals)
print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peak memory is read from /proc")
@pytest.mark.parametrize(
    ("count", "real_count", "kilobytes"),
    # One full matrix of float32 would be 0.4 and 2.4 GB.
    [(4_000, 24_000, 300_000), pytest.param(10_000, 60_000, 1_000_000, marks=pytest.mark.slow)],
)
def test_memory_is_a_fraction_of_all_pairs(count, real_count, kilobytes):
    code = _PEAK.replace("{count}", str(count)).replace("{real_count}", str(real_count))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 10_000 < int(done.stdout) < kilobytes


@pytest.mark.slow
def test_the_published_values_for_a_gaussian_in_a_thousand_dimensions(rng):
    fakes, reals = (torch.randn(10_000, 1000, generator=rng) for _ in range(2))
    precision_radii, coverage_radii = squared_radii(reals, (5, 5))
    assert torch.equal(precision_radii, coverage_radii)
    found = compare(fakes, reals, (precision_radii, coverage_radii))
    # All four are published for k = 5. In so many dimensions a few points are neighbours of very many, so that from
    # draw to draw density has a standard deviation of about 0.1, and the others of about 0.01.
    assert found.precision == pytest.approx(0.4772, abs=0.04)
    assert found.density == pytest.approx(1.0555, abs=0.3)
    assert found.coverage == pytest.approx(0.9735, abs=0.025)
    (fake_radii,) = squared_radii(fakes, (5,))
    distances = torch.cdist(fakes, reals)
    assert (distances.square() <= fake_radii[:, None]).any(0).float().mean().item() == pytest.approx(0.4705, abs=0.04)
