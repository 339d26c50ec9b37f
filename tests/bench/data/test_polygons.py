import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy import stats

from bench import data
from bench.data import polygons


@pytest.fixture(scope="module")
def vertices():
    return polygons.triangles("test", 20_000)


def interior_angles(vertices):
    angles = []
    for corner in range(3):
        first, second = (vertices[:, (corner + turn) % 3] - vertices[:, corner] for turn in (1, 2))
        cosine = (first * second).sum(1) / np.linalg.norm(first, axis=1) / np.linalg.norm(second, axis=1)
        angles.append(np.degrees(np.arccos(cosine)))
    return np.stack(angles, axis=1)


def areas(vertices):
    (ax, ay), (bx, by), (cx, cy) = np.moveaxis(vertices, 0, 2)
    return 0.5 * np.abs((bx - ax) * (cy - ay) - (cx - ax) * (by - ay))


def test_no_angle_is_below_the_least(vertices):
    angles = interior_angles(vertices)
    assert angles.min() == pytest.approx(20.0, abs=0.1)
    assert angles.max() == pytest.approx(140.0, abs=3.0)
    np.testing.assert_allclose(angles.sum(1), 180.0)


def test_each_angle_is_that_of_a_point_uniform_on_the_simplex(vertices):
    for angles in interior_angles(vertices).T:
        share = (angles - 20.0) / 120.0
        assert stats.kstest(share, stats.beta(1, 2).cdf).pvalue > 1e-3


def test_rotation_is_uniform(vertices):
    centred = vertices - vertices.mean(1, keepdims=True)
    for corner in np.moveaxis(centred, 1, 0):
        turn = np.arctan2(corner[:, 1], corner[:, 0]) / (2 * np.pi) % 1.0
        assert stats.kstest(turn, "uniform").pvalue > 1e-3


def test_triangles_are_centred_inscribed_in_the_circle_and_within_the_image(vertices):
    np.testing.assert_allclose(vertices.mean(1), 16.0)
    assert vertices.min() > 0
    assert vertices.max() < 32
    sides = np.linalg.norm(vertices - np.roll(vertices, -1, axis=1), axis=2)
    radius = sides.prod(1) / (4 * areas(vertices))
    np.testing.assert_allclose(radius, 12.0)


def test_areas_are_between_the_flattest_and_the_regular_triangle(vertices):
    found = areas(vertices)
    flattest = 2 * 12**2 * np.sin(np.radians(20)) ** 2 * np.sin(np.radians(140))
    regular = 3 * np.sqrt(3) / 4 * 12**2
    assert flattest < found.min() < 1.05 * flattest
    assert 0.999 * regular < found.max() <= regular


def test_brightness_is_the_area_covered(vertices):
    drawn = polygons.draw(vertices[:5000]).sum((1, 2, 3)) / 255.0
    error = drawn - areas(vertices[:5000])
    assert abs(error.mean()) < 0.005
    assert error.std() < 0.1


def test_pictures_are_those_of_another_renderer(vertices):
    drawn = polygons.draw(vertices[:50])[:, 0].astype(float)
    for image, corners in zip(drawn, vertices[:50], strict=True):
        canvas = Image.new("L", (1024, 1024))
        # Pillow's pixels lie at whole coordinates, and it paints the outline too.
        ImageDraw.Draw(canvas).polygon([tuple(corner * 32 - 0.5) for corner in corners], fill=255)
        expected = np.asarray(canvas.reduce(32)).astype(float)
        assert np.abs(image - expected).max() < 40
        assert np.abs(image - expected).mean() < 1.0


def test_a_known_square_is_drawn_exactly():
    square = np.array([[[4.5, 8.0], [10.0, 8.0], [10.0, 20.25], [4.5, 20.25]]])
    (image,) = polygons.draw(square)[:, 0]
    assert (image[8:20, 5:10] == 255).all()
    assert (image[8:20, 4] == 128).all()
    assert (image[20, 5:10] == 64).all()
    assert image[20, 4] == 32
    image[8:21, 4:10] = 0
    assert not image.any()


@pytest.mark.slow
def test_the_drawn_data_are_the_pinned_ones(tmp_path):
    arrays = data.load("polygons", tmp_path)
    assert arrays.train.shape == (60_000, 1, 32, 32)
    assert arrays.test.shape == (10_000, 1, 32, 32)
    assert arrays.content_hash == polygons.CONTENT_HASH
    np.testing.assert_array_equal(polygons.draw(polygons.triangles("polygons/test", 10)), arrays.test[:10])
    assert not np.array_equal(arrays.train[:10], arrays.test[:10])
