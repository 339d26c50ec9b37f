import numpy as np
import pytest
import torch
from gaussian_bias import fd_bias

from bench.metrics.frechet import Moments, frechet_distance, moments, moments_in_blocks, square_root


def distance(first: Moments, second: Moments) -> float:
    return frechet_distance(first, square_root(first.covariance), second)


def random_covariance(size: int, rng: torch.Generator) -> torch.Tensor:
    factor = torch.randn(size, size, dtype=torch.float64, generator=rng)
    return factor @ factor.T / size


def test_moments_are_the_unbiased_ones(correlated):
    features = correlated(50, shift=3.0)
    found = moments(features.float())
    torch.testing.assert_close(found.mean, features.mean(0), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(found.covariance, features.T.cov(), rtol=1e-5, atol=1e-6)
    assert found.mean.dtype == found.covariance.dtype == torch.float64


def test_moments_do_not_cancel_far_from_the_origin(correlated):
    features = correlated(500)
    torch.testing.assert_close(moments(features + 1e6).covariance, moments(features).covariance, rtol=1e-6, atol=1e-8)


def test_commuting_gaussians_have_a_closed_form():
    # Covariances with the same eigenvectors: FD is the squared distance of means and of standard deviations.
    rotation, _ = torch.linalg.qr(torch.arange(16, dtype=torch.float64).reshape(4, 4).sin())
    first, second = torch.tensor([4.0, 1.0, 0.25, 9.0]).double(), torch.tensor([1.0, 1.0, 16.0, 0.0]).double()
    mean = torch.tensor([1.0, -2.0, 0.5, 0.0]).double()
    a = Moments(torch.zeros(4).double(), rotation @ torch.diag(first) @ rotation.T)
    b = Moments(mean, rotation @ torch.diag(second) @ rotation.T)
    expected = mean.square().sum() + (first.sqrt() - second.sqrt()).square().sum()
    assert distance(a, b) == pytest.approx(expected.item(), rel=1e-10)


def test_gaussians_in_general_position_agree_with_the_eigenvalues_of_the_product(rng):
    a = Moments(torch.zeros(8).double(), random_covariance(8, rng))
    b = Moments(torch.ones(8).double(), random_covariance(8, rng))
    cross = torch.linalg.eigvals(a.covariance @ b.covariance).real.sqrt().sum()
    expected = 8.0 + a.covariance.trace() + b.covariance.trace() - 2.0 * cross
    assert distance(a, b) == pytest.approx(expected.item(), rel=1e-9)
    assert distance(b, a) == pytest.approx(expected.item(), rel=1e-9)


def test_the_distance_to_itself_is_zero_and_never_below(correlated):
    same = moments(correlated(100))
    assert 0.0 <= distance(same, same) < 1e-10


def test_a_collapsed_generator_has_a_distance(correlated):
    real = moments(correlated(1000))
    collapsed = moments(torch.full((100, 16), 2.0))
    expected = (real.mean - 2.0).square().sum() + real.covariance.trace()
    assert distance(real, collapsed) == pytest.approx(expected.item(), rel=1e-9)


def test_dead_features_do_no_harm(correlated):
    padded = [torch.nn.functional.pad(correlated(200), (0, 5)) for _ in range(2)]
    first, second = (moments(features) for features in padded)
    bare = distance(moments(padded[0][:, :16]), moments(padded[1][:, :16]))
    assert distance(first, second) == pytest.approx(bare, rel=1e-9)


def test_the_square_root_squares_back(rng):
    covariance = random_covariance(12, rng)
    root = square_root(covariance)
    torch.testing.assert_close(root @ root, covariance, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(root, root.T, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("count", "other"), [(400, 4000), (1500, 1500)])
def test_the_bias_of_finite_samples_is_the_predicted_one(correlated, count, other):
    spectrum = torch.diag(1.0 / torch.arange(1, 17, dtype=torch.float64))
    predicted = fd_bias(spectrum, count, other)
    found = [distance(moments(correlated(count)), moments(correlated(other))) for _ in range(60)]
    assert sum(found) / len(found) == pytest.approx(predicted, rel=0.06)


def test_the_bias_in_64_dimensions_is_the_simulated_one(rng):
    scale = (1.0 / torch.arange(1, 65, dtype=torch.float64)).sqrt()

    def draw(count):
        return moments(torch.randn(count, 64, dtype=torch.float64, generator=rng) * scale)

    found = [distance(draw(10_000), draw(1000)) for _ in range(12)]
    # Tabulated: 0.0521 with a standard deviation of 0.0033 from draw to draw; the formula says 0.0528.
    assert np.mean(found) == pytest.approx(0.0521, abs=3 * 0.0033 / 12**0.5)
    assert np.mean(found) == pytest.approx(fd_bias(scale.square().diag(), 1000, 10_000), rel=0.06)
    assert 0.0010 < np.std(found) < 0.0080


@pytest.mark.slow
@pytest.mark.parametrize("rank", [300, 1100])
def test_in_many_dimensions_the_triangular_root_gives_the_same_distance(rng, rank):
    size = 1100
    factor = torch.randn(size, rank, dtype=torch.float64, generator=rng)
    first = Moments(torch.zeros(size).double(), factor @ factor.T / rank)
    second = Moments(torch.ones(size).double(), random_covariance(size, rng))
    root = square_root(first.covariance)
    assert not root.triu(1).any()
    torch.testing.assert_close(root @ root.T, first.covariance, rtol=1e-9, atol=1e-9)
    values, vectors = torch.linalg.eigh(first.covariance)
    symmetric = (vectors * values.clamp(min=0.0).sqrt()) @ vectors.T
    cross = torch.linalg.svdvals(symmetric @ second.covariance @ symmetric).sqrt().sum()
    expected = size + first.covariance.trace() + second.covariance.trace() - 2.0 * cross
    assert frechet_distance(first, root, second) == pytest.approx(expected.item(), rel=1e-6)
    assert frechet_distance(first, symmetric, second) == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize("size", [32, 256])
def test_torch_fidelitys_last_step_gives_the_same_distance(rng, size):
    metric_fid = pytest.importorskip("torch_fidelity.metric_fid")
    first = Moments(torch.randn(size, dtype=torch.float64, generator=rng), random_covariance(size, rng))
    second = Moments(torch.randn(size, dtype=torch.float64, generator=rng), 2.0 * random_covariance(size, rng))
    statistics = [{"mu": each.mean.numpy(), "sigma": each.covariance.numpy()} for each in (first, second)]
    oracle = metric_fid.fid_statistics_to_metric(*statistics, verbose=False)
    assert distance(first, second) == pytest.approx(float(oracle["frechet_inception_distance"]), rel=1e-6)


def test_the_bias_has_the_tabulated_values():
    # The spectrum 1/k in 64 and 128 dimensions.
    spectra = {size: torch.diag(1.0 / torch.arange(1, size + 1, dtype=torch.float64)) for size in (64, 128)}
    assert fd_bias(spectra[64], 1000, 10_000) == pytest.approx(0.0528, abs=5e-5)
    assert fd_bias(spectra[64], 10_000, 10_000) == pytest.approx(0.00960, abs=5e-6)
    assert fd_bias(spectra[128], 10_000, 60_000) == pytest.approx(0.01084, abs=5e-6)


def test_a_singular_covariance_has_a_bias():
    assert fd_bias(torch.diag(torch.tensor([2.0, 0.0, 0.0]).double()), 10, 10) == pytest.approx(3.0 * 0.2)


def test_moments_in_blocks_are_the_moments(correlated):
    features = correlated(500, shift=100.0).float()
    whole, parts = moments(features), moments_in_blocks(features, torch.device("cpu"), block=70)
    torch.testing.assert_close(parts.mean, whole.mean, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(parts.covariance, whole.covariance, rtol=1e-10, atol=1e-12)
