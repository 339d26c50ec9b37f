import msgspec
import numpy as np
import pytest

from bench import data
from bench.data import mixtures, streams

TOYS = ["ring8", "grid25"]


def test_the_ring_and_the_grid_are_the_published_ones():
    ring = np.asarray(mixtures.RING.centres)
    np.testing.assert_allclose(np.linalg.norm(ring, axis=1), 1.0, atol=1e-11)
    np.testing.assert_allclose(np.linalg.norm(ring - np.roll(ring, 1, axis=0), axis=1), 2 * np.sin(np.pi / 8))
    assert mixtures.RING.sigma == 0.01
    assert sorted(mixtures.GRID.centres) == [(x, y) for x in (-4, -2, 0, 2, 4) for y in (-4, -2, 0, 2, 4)]
    assert mixtures.GRID.sigma == 0.05


@pytest.mark.parametrize("name", TOYS)
def test_points_are_normal_around_their_own_centre(name):
    workload, arrays = data.workload(name), data.load(name)
    assert arrays.train.shape == (100_000, 2)
    assert arrays.test.shape == (10_000, 2)
    assert arrays.train.dtype == np.float32
    noise = (arrays.train - np.asarray(workload.mixture.centres)[arrays.train_labels]) / workload.mixture.sigma
    np.testing.assert_allclose(np.cov(noise.T), np.eye(2), atol=0.02)
    np.testing.assert_allclose(noise.mean(0), 0.0, atol=0.02)
    assert (np.linalg.norm(noise, axis=1) < 3).mean() == pytest.approx(0.98889, abs=0.0015)
    shares = np.bincount(arrays.train_labels) / len(arrays.train)
    np.testing.assert_allclose(shares, 1 / workload.modes, rtol=0.06)


@pytest.mark.parametrize("name", TOYS)
def test_the_test_points_are_fresh_and_of_every_mode_equally_many(name):
    arrays = data.load(name)
    assert set(np.bincount(arrays.test_labels)) == {10_000 // data.workload(name).modes}
    assert not set(map(tuple, arrays.test)) & set(map(tuple, arrays.train))


@pytest.mark.parametrize("name", TOYS)
def test_drawing_twice_gives_the_same_points(name):
    assert data.content_hash(data.load(name)) == data.content_hash(data.load(name))


def test_the_identity_follows_the_definition():
    wider = msgspec.structs.replace(mixtures.RING, sigma=0.02)
    hashes = {
        mixtures.definition_hash("ring8", mixtures.RING),
        mixtures.definition_hash("ring8", wider),
        mixtures.definition_hash("ring9", mixtures.RING),
    }
    assert len(hashes) == 3
    assert data.workload("ring8").content_hash == mixtures.definition_hash("ring8", mixtures.RING)


def test_a_stream_does_not_depend_on_how_much_of_it_is_read():
    np.testing.assert_array_equal(streams.uniforms("a", 10), streams.uniforms("a", 1000)[:10])
    assert streams.uniforms("a", 1) != streams.uniforms("b", 1)


def test_streams_have_the_right_distributions():
    assert streams.uniforms("a", 100_000).mean() == pytest.approx(0.5, abs=0.005)
    drawn = streams.integers("a", 100_000, 7)
    assert set(drawn) == set(range(7))
    normal = streams.normals("a", 100_000)
    np.testing.assert_allclose(np.cov(normal.T), np.eye(2), atol=0.02)
    assert (normal**4).mean() == pytest.approx(3.0, rel=0.03)


def test_the_streams_never_change():
    # Pinned: these numbers decide which real images a stacked workload's reference is made of.
    expected = [0.4085441091098043, 0.46198938614655294, 0.19484543318441383]
    np.testing.assert_array_equal(streams.uniforms("pinned", 3), expected)
