"""How long evaluations take. Tables are shown, whatever pytest captures; no test passes or fails by the clock."""

import sys
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest
import torch

from bench.config.trial import Network
from bench.extractors.embedding import embed
from bench.extractors.loading import load_extractor
from bench.metrics.frechet import Moments, frechet_distance, moments, square_root
from bench.metrics.kernel_distance import kernel_distance
from bench.metrics.modes import classifier_score, mode_indices, unreadable_share
from bench.metrics.neighbors import compare, nearest, real_radii
from bench.networks import build_generator

CPU = torch.device("cpu")
SAMPLES, TRAINING_IMAGES, BATCH = 10_000, 60_000, 500

Result = TypeVar("Result")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def rng() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def timed(compute: Callable[[], Result]) -> tuple[Result, float]:
    started = time.perf_counter()
    result = compute()
    return result, time.perf_counter() - started


@pytest.mark.slow
def test_the_frechet_distance_in_2048_dimensions_and_its_time(rng, capsys):
    metric_fid = pytest.importorskip("torch_fidelity.metric_fid")
    size = 2048
    scale = (1.0 / torch.arange(1, size + 1, dtype=torch.float64)).sqrt()
    mixing = torch.randn(size, size, dtype=torch.float64, generator=rng) / size**0.5
    sets = [torch.randn(3000, size, dtype=torch.float64, generator=rng) * scale @ mixing for _ in range(2)]
    reference, other = (moments(each + 0.01 * place) for place, each in enumerate(sets))
    root, preparation = timed(lambda: square_root(reference.covariance))
    ours, seconds = timed(lambda: frechet_distance(reference, root, other))

    def statistics(fitted: Moments) -> dict[str, object]:
        return {"mu": fitted.mean.numpy(), "sigma": fitted.covariance.numpy()}

    oracle, oracle_seconds = timed(
        lambda: metric_fid.fid_statistics_to_metric(statistics(other), statistics(reference), verbose=False)
    )
    with capsys.disabled():
        sys.stdout.write(
            f"\nFréchet distance in {size} dimensions, last step, one thread: {seconds:.1f} s\n"
            f"torch-fidelity: {oracle_seconds:.1f} s, {oracle_seconds / seconds:.1f} times as long\n"
            f"the reference's square root, once a data set: {preparation:.1f} s\n"
        )
    assert ours == pytest.approx(float(oracle["frechet_inception_distance"]), rel=1e-6)


@pytest.mark.slow
def test_an_evaluation_by_part_and_its_time(rng, capsys):
    """The parts of an evaluation of `mnist`: 10,000 samples against as many real images, or 60,000 for copies."""
    network = Network(name="dcgan-v2", width=64, channels=1, image_size=32, latent_size=100, d_norm="ln")
    generator = build_generator(network, lambda _, shape: torch.randn(shape, generator=rng)).eval()
    latents = torch.randn(SAMPLES, network.latent_size, generator=rng)
    extractor = load_extractor("mnist-cnn-v1")
    reals = torch.rand(TRAINING_IMAGES, 128, generator=rng) * 5.0
    few = reals[:SAMPLES]
    reference = moments(reals)
    root = square_root(reference.covariance)
    radii = real_radii(few)

    def generate() -> torch.Tensor:
        with torch.no_grad():
            images = torch.cat([generator(batch) for batch in latents.split(BATCH)])
        return ((images + 1.0) * 127.5).round().clamp(0, 255).to(torch.uint8)

    seconds = {}
    images, seconds["generate"] = timed(generate)
    (features, logits), seconds["extract"] = timed(lambda: embed(extractor, images, CPU))
    _, seconds["FD"] = timed(lambda: frechet_distance(reference, root, moments(features)))
    _, seconds["KID"] = timed(lambda: kernel_distance(features, few))
    found, seconds["neighbours"] = timed(lambda: compare(features, few, radii))
    _, seconds["copies (60k)"] = timed(lambda: nearest(features, reals))
    _, seconds["modes"] = timed(lambda: (mode_indices(logits), unreadable_share(logits), classifier_score(logits)))
    total = sum(seconds.values())
    lines = [f"  {part:14}{value:7.2f} s {value / total:6.0%}" for part, value in {**seconds, "all": total}.items()]
    with capsys.disabled():
        sys.stdout.write("\n".join([f"\nan evaluation at {SAMPLES:,} samples, one thread:", *lines, ""]))
    assert features.shape == (SAMPLES, 128)
    assert 0.0 <= found.coverage <= 1.0
