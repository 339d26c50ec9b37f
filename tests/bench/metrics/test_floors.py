"""The floors and ceilings are what fresh real images get, as many as there are fakes."""

import math
import sys
from statistics import fmean

import floor_table
import numpy as np
import pytest
import torch
from gaussian_bias import fd_bias

from bench import data
from bench.data import Arrays
from bench.extractors.embedding import embed
from bench.extractors.loading import load_extractor
from bench.metrics.evaluate import Evaluator
from bench.metrics.floors import DEALS, RealFeatures, deals, distance_floors, measure_floors, spread, usable_floor
from bench.metrics.frechet import Moments, moments
from bench.metrics.neighbors import compare, real_radii
from bench.metrics.reference import arranged

CPU = torch.device("cpu")
SPECTRUM = torch.diag(1.0 / torch.arange(1, 17, dtype=torch.float64))
"""The covariance, up to a rotation, of what `correlated` draws."""


def folder(train, test):
    """Both parts of a small folder as its reference."""
    both = torch.cat([train, test])
    return RealFeatures(train, test, both, images=both, test_images=test, fresh=False)


def test_the_spread_of_gaussians_is_that_of_the_expansion(correlated):
    found = [spread(correlated(2000), f"test/{draw}") for draw in range(4)]
    assert fmean(found) == pytest.approx(fd_bias(SPECTRUM, 2, 2), rel=0.06)


def test_the_spread_of_heavy_tails_is_measured_and_not_that_of_gaussians(rng):
    # A mixture of two scales: squares scatter more than a Gaussian's, and so do covariances.
    def draw(count):
        wide = torch.rand(count, 1, generator=rng) < 0.1
        return torch.randn(count, 8, dtype=torch.float64, generator=rng) * torch.where(wide, 2.5, 0.645)

    features = draw(4000)
    apart = fmean(floor_table.distance(draw(2000), draw(2000)) for _ in range(20)) * 1000
    assert spread(features, "test") == pytest.approx(apart, rel=0.12)
    assert spread(features, "test") > 1.3 * fd_bias(moments(features).covariance, 2, 2)


def test_too_few_images_have_no_spread(correlated):
    assert math.isnan(spread(correlated(3), "test"))
    assert spread(correlated(4), "test") > 0.0


@pytest.mark.parametrize("count", [500, 5000])
def test_the_floor_of_few_images_is_what_fresh_ones_get(correlated, count):
    found, fresh, parts = [], [], []
    for _ in range(8):
        train, test = correlated(270), correlated(30)
        between = floor_table.distance(train, test)
        parts.append(between)
        found.append(distance_floors(folder(train, test), "test", count, between)[0])
        fresh.append(floor_table.distance(torch.cat([train, test]), correlated(count)))
    assert fmean(found) == pytest.approx(fmean(fresh), rel=0.15)
    assert fmean(parts) > 4 * fmean(fresh)


def test_the_floor_of_digits_is_what_digits_get_that_the_reference_lacks(digits, digits_extractor):
    everything = embed(digits_extractor, torch.from_numpy(np.concatenate([digits.train, digits.test])), CPU)[0]
    rng = np.random.default_rng(1)
    found, fresh = [], []
    for _ in range(6):
        drawn = everything[torch.from_numpy(rng.permutation(len(everything)))]
        train, test, unseen = drawn.split([477, 120, 1200])
        found.append(distance_floors(folder(train, test), "test", 1200, 0.0)[0])
        fresh.append(floor_table.distance(drawn[:597], unseen))
    assert fmean(found) == pytest.approx(fmean(fresh), rel=0.3)


def test_unseen_test_images_are_measured_where_there_are_enough(correlated):
    train, test = correlated(4000), correlated(2000, shift=0.05)
    between = floor_table.distance(train, test)
    real = RealFeatures(train, test, train, images=train, test_images=test, fresh=True)
    floor, bias, _ = distance_floors(real, "test", 2000, between)
    assert floor == pytest.approx(between, rel=1e-12)
    assert bias == pytest.approx(fd_bias(SPECTRUM, 2000, 4000), rel=0.1)
    assert floor > 1.5 * bias, "it holds the shift between the parts"
    few = fmean(floor_table.distance(train, correlated(200, shift=0.05)) for _ in range(12))
    assert few > 1.5 * between
    assert distance_floors(real, "test", 200, between)[0] == pytest.approx(few, rel=0.1)


def test_which_images_are_fresh():
    def fresh(name, train, test):
        return arranged(data.workload(name), torch.zeros(train, 4), torch.zeros(test, 4)).fresh

    assert fresh("mnist", 60_000, 10_000)
    assert not fresh("mnist", 60_000, 9999)
    assert not fresh("digits", 5000, 2000), "both parts are the reference"
    assert fresh("stacked-mnist", 60_000, 10_000)
    assert not fresh("stacked-digits", 1438, 359)


def test_the_floor_of_stacks_is_what_stacks_of_fresh_images_get(correlated):
    def stacks(images):
        return images[torch.randint(0, len(images), (9000,))].reshape(3000, -1)

    found, fresh = [], []
    for _ in range(6):
        train = correlated(200)
        reference = stacks(train)
        test = correlated(40)
        real = RealFeatures(reference, stacks(test), reference, images=train, test_images=test, fresh=False, stack=3)
        found.append(distance_floors(real, "test", 3000, 0.0)[0])
        fresh.append(floor_table.distance(reference, stacks(correlated(9000))))
    assert fmean(found) == pytest.approx(fmean(fresh), rel=0.15)


def test_what_finite_samples_add_to_the_gap_of_unseen_images(correlated):
    gaps, found = [], []
    for _ in range(12):
        train, test, unseen = correlated(400), correlated(100), correlated(300)
        gaps.append(floor_table.distance(test, unseen) - floor_table.distance(train, unseen))
        found.append(distance_floors(folder(train, test), "test", 300, 0.0)[2])
    assert fmean(found) == pytest.approx(fmean(gaps), rel=0.2)


def test_no_floor_is_zero_below_it_or_rounding(correlated):
    fitted = moments(correlated(100, shift=100.0))
    assert usable_floor([0.2, 0.1], fitted) == 0.2
    for bad in (0.0, -0.2, math.nan, math.inf, 1e-9):
        assert usable_floor([bad, 0.1], fitted) == 0.1, bad
        assert math.isnan(usable_floor([bad], fitted)), bad
    small = Moments(fitted.mean * 1e-6, fitted.covariance * 1e-12)
    assert usable_floor([1e-9], small) == 1e-9, "what is rounding depends on the features' scale"


def test_a_test_part_that_copies_the_training_part_gives_no_floor_of_zero(correlated):
    train = correlated(3000)
    real = RealFeatures(train, train, train, images=train, test_images=train, fresh=True)
    floor, bias, _ = distance_floors(real, "test", 3000, floor_table.distance(train, train))
    assert floor == bias > 0.0


@pytest.mark.slow
def test_images_that_are_all_the_same_have_no_floor(tmp_path):
    same = np.full((600, 3, 32, 32), 77, dtype=np.uint8)
    labels = np.zeros(600, dtype=np.int64)
    arrays = Arrays(train=same[:540], train_labels=labels[:540], test=same[540:], test_labels=labels[540:])
    evaluator = Evaluator(data.workload("imagefolder:photos"), arrays, CPU, tmp_path)
    assert evaluator.constants["fd_floor"] is None
    assert evaluator.constants["vendi_ceiling"] == pytest.approx(1.0, abs=1e-9)
    assert evaluator.evaluate(torch.from_numpy(same[:100]))["fd"] == pytest.approx(0.0, abs=1e-9)


def test_real_images_are_dealt_in_the_proportion_of_fakes_to_reference():
    features = torch.arange(600, dtype=torch.float64)[:, None]
    pairs = list(deals(features, 1200, "test"))
    assert len(pairs) == DEALS
    assert {(len(fakes), len(reals)) for fakes, reals in pairs} == {(400, 200)}
    for pair in pairs:
        assert torch.equal(torch.cat(pair).sort(0).values, features)
    assert not torch.equal(pairs[0][0], pairs[1][0])
    # Enough of them for everything that is compared: one deal, as large as the comparison itself.
    ((fakes, reals),) = deals(torch.arange(900)[:, None], 200, "test", limit=300)
    assert (len(fakes), len(reals)) == (200, 300)
    ((fakes, reals), *_) = deals(torch.arange(20)[:, None], 10_000, "test")
    assert (len(fakes), len(reals)) == (14, 6), "neighbours need more than five others"


@pytest.mark.parametrize("count", [150, 900])
def test_the_ceilings_are_what_fresh_images_reach(correlated, count):
    found, fresh = [], []
    for _ in range(3):
        train, test, unseen = correlated(270), correlated(30), correlated(count)
        real = folder(train, test)
        found.append(measure_floors(real, "test", count, 1.0, (real.reference, real_radii(real.reference))))
        reached = compare(unseen, real.reference)
        fresh.append([reached.precision, reached.recall, reached.density, reached.coverage])
    means = np.mean([each.neighbourhood for each in found], axis=0)
    np.testing.assert_allclose(means, np.mean(fresh, axis=0), atol=0.06)
    # Of 30 against 30 images coverage would be 1 - 2^-5 whatever the count.
    missed = math.prod((299 - rank) / (300 + count - 1 - rank) for rank in range(5))
    assert means[3] == pytest.approx(1 - missed, abs=0.02)
    assert abs(fmean(each.kid_floor for each in found)) < 0.02


def table_holds(features, sizes):
    for row in floor_table.table(features, sizes):
        sys.stdout.write(f"{row}\n")
        assert row.floor == pytest.approx(row.fresh, rel=0.3), row
        assert 1 / 1.4 < row.worst < 1.4, row
        if row.images < 10_000:
            assert row.parts > 2 * row.fresh, "the two parts alone would say something else"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_floor_of_photographs_is_what_fresh_ones_get(unpack_jpegs, tmp_path):
    arrays = [data.load(f"imagefolder:{unpack_jpegs(part)}", tmp_path) for part in ("test", "train")]
    images = torch.from_numpy(np.concatenate([each for part in arrays for each in (part.train, part.test)]))
    table_holds(embed(load_extractor("random-conv-v1"), images, CPU)[0], floor_table.SIZES)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_floor_of_mnist_is_what_fresh_images_get(mnist_folder):
    arrays = data.load("mnist", mnist_folder)
    images = torch.from_numpy(np.concatenate([arrays.test, arrays.train[:30_000]]))
    table_holds(embed(load_extractor("mnist-cnn-v1"), images, CPU)[0], floor_table.SIZES)
