"""The objectives of several outputs a sample against formulas written anew, pair by pair, in numpy and scipy."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch
from made_logits import logits, objective
from torch import Tensor

Array = np.ndarray


def rational_quadratic(x: Array, y: Array) -> float:
    return sum((1 + ((x - y) ** 2).sum() / (2 * alpha)) ** -alpha for alpha in (0.2, 0.5, 1, 2, 5))


def gaussians(x: Array, y: Array) -> float:
    return sum(math.exp(-((x - y) ** 2).sum() / (2 * sigma**2)) for sigma in (1, 2, 4, 8, 16))


def brute_force(kernel: Callable[[Array, Array], float], x: Array, y: Array) -> float:
    """The unbiased MMD^2 of Gretton et al. 2012, equation 3, one pair at a time."""
    n = len(x)
    pairs = [(i, j) for i in range(n) for j in range(n) if i != j]
    among = sum(kernel(x[i], x[j]) + kernel(y[i], y[j]) for i, j in pairs) / len(pairs)
    return among - 2 * sum(kernel(u, v) for u in x for v in y) / n**2


@pytest.mark.parametrize(("name", "kernel"), [("mmd_rq", rational_quadratic), ("mmd_rbf", gaussians)])
def test_mmd_by_brute_force(name: str, kernel: Callable[[Array, Array], float]) -> None:
    r, f = logits(1, outputs=16, scale=1), logits(2, outputs=16, scale=1) + 0.5
    expected = brute_force(kernel, r.numpy(), f.numpy())
    assert objective(name).generator(f, r).item() == pytest.approx(expected, rel=1e-10)
    assert objective(name).discriminator(r, f).item() == pytest.approx(-expected, rel=1e-10)
    witness = objective(name).critic(r[:1], r, f).item()
    expected = np.mean([kernel(r[0].numpy(), x) for x in r.numpy()]) - np.mean(
        [kernel(r[0].numpy(), x) for x in f.numpy()]
    )
    assert witness == pytest.approx(expected, rel=1e-10)


def test_repulsive_mmd_by_brute_force() -> None:
    """Wang et al. 2019: reals that are 2 apart are pushed no further, fakes 1/2 apart are drawn no closer."""
    r, f = logits(1, outputs=16, scale=0.4), logits(2, outputs=16, scale=0.15)

    def squared(heads: Tensor) -> list[float]:
        pairs = [(x, y) for i, x in enumerate(heads.numpy()) for j, y in enumerate(heads.numpy()) if i != j]
        return [((x - y) ** 2).sum() for x, y in pairs]

    assert min(squared(r)) < 4 < max(squared(r)), "the bound is reached"
    assert min(squared(f)) < 0.25 < max(squared(f)), "the bound is reached"
    among_real = np.mean([math.exp(-min(s, 4) / 2) for s in squared(r)])
    among_fake = np.mean([math.exp(-max(s, 0.25) / 2) for s in squared(f)])
    game = objective("mmd_repulsive")
    assert game.discriminator(r, f).item() == pytest.approx(among_real - among_fake, rel=1e-10)
    kernel = lambda x, y: math.exp(-((x - y) ** 2).sum() / 2)  # noqa: E731 - reads as mathematics
    assert game.generator(f, r).item() == pytest.approx(brute_force(kernel, r.numpy(), f.numpy()), rel=1e-10)


def test_cramer_is_the_energy_distance() -> None:
    r, f = logits(1, outputs=256, scale=1), logits(2, outputs=256, scale=1) + 0.3
    x, y = r.numpy(), f.numpy()
    n = len(x)
    length = np.linalg.norm
    among = np.mean([length(y[i] - y[j]) for i in range(n) for j in range(n) if i != j])
    across = np.mean([length(u - v) for u in x for v in y])
    assert objective("cramer").generator(f, r).item() == pytest.approx(2 * across - among, rel=1e-10)
    critic_gap = (across - np.mean([length(u) for u in x])) - (among - np.mean([length(v) for v in y]))
    assert objective("cramer").discriminator(r, f).item() == pytest.approx(-critic_gap, rel=1e-10)
    critic = [np.mean([length(u - v) for v in y]) - length(u) for u in x]
    assert objective("cramer").critic(r, r, f).numpy() == pytest.approx(np.array(critic), rel=1e-10)


def test_mcgan_distances_are_a_length_and_a_nuclear_norm() -> None:
    r, f = logits(1, batch=40, outputs=16), 1.5 * logits(2, batch=40, outputs=16) + 0.2
    x, y = r.numpy(), f.numpy()
    assert objective("mcgan_mean").generator(f, r).item() == pytest.approx(
        np.linalg.norm(x.mean(0) - y.mean(0)), rel=1e-12
    )
    assert objective("mcgan_mean").discriminator(r, f).item() == pytest.approx(
        -np.linalg.norm(x.mean(0) - y.mean(0)), rel=1e-12
    )
    difference = np.cov(x.T, ddof=0) - np.cov(y.T, ddof=0)
    singular = np.linalg.svd(difference, compute_uv=False)
    assert singular.min() < 0.05 * singular.max(), "a hard case for an iteration"
    assert objective("mcgan_cov").generator(f, r).item() == pytest.approx(singular.sum(), rel=1e-9)
    assert objective("mcgan_cov").discriminator(r, f).item() == pytest.approx(-singular.sum(), rel=1e-9)
    assert objective("mcgan_cov").generator(r, r).item() == 0.0
    gap = objective("mcgan_mean").critic(r, r, f).mean() - objective("mcgan_mean").critic(f, r, f).mean()
    assert gap.item() == pytest.approx(np.linalg.norm(x.mean(0) - y.mean(0)), rel=1e-12)


def test_the_critic_of_mcgan_cov_is_the_form_that_its_distance_maximizes() -> None:
    r, f = logits(1, batch=40, outputs=16), 1.5 * logits(2, batch=40, outputs=16) + 0.2
    values, vectors = np.linalg.eigh(np.cov(r.numpy().T, ddof=0) - np.cov(f.numpy().T, ddof=0))
    form = vectors @ np.diag(np.sign(values)) @ vectors.T
    centered = r.numpy() - (r.numpy().mean(0) + f.numpy().mean(0)) / 2
    expected = np.einsum("ni,ij,nj->n", centered, form, centered)
    assert objective("mcgan_cov").critic(r, r, f).numpy() == pytest.approx(expected, rel=1e-8, abs=1e-8)


def test_realness_is_two_divergences_from_skewed_anchors() -> None:
    a, b = logits(1, outputs=51, scale=1), logits(2, outputs=51, scale=1)
    u = (np.arange(51) + 0.5) / 51
    up = scipy.stats.beta(5, 2).pdf(u)
    up /= up.sum()
    down = up[::-1]

    def divergence(anchor: Array, heads: Tensor) -> float:
        return float(np.mean([scipy.stats.entropy(anchor, scipy.special.softmax(head)) for head in heads.numpy()]))

    outcomes = scipy.special.softmax(a.numpy(), axis=1) @ u
    assert objective("realness").critic(a, a, b).numpy() == pytest.approx(outcomes, rel=1e-10)
    loss = objective("realness").discriminator(a, b).item()
    assert loss == pytest.approx(divergence(up, a) + divergence(down, b), rel=1e-10)
    away = divergence(down, b)
    assert objective("realness(relativistic=False)").generator(b, a).item() == pytest.approx(
        divergence(up, b) - away, rel=1e-10
    )
    pairs = zip(scipy.special.softmax(a.numpy(), axis=1), scipy.special.softmax(b.numpy(), axis=1), strict=True)
    expected = np.mean([scipy.stats.entropy(real, fake) for real, fake in pairs])
    assert objective("realness").generator(b, a).item() == pytest.approx(expected - away, rel=1e-10)
    perfect = torch.tensor(np.log(up)).expand(4, 51)
    assert objective("realness").discriminator(perfect, perfect.flip(1)).item() == pytest.approx(0, abs=1e-12)


def test_realness_leaves_the_anchor_of_the_fakes() -> None:
    """At p_f = p_r the divergence between them has no slope: what is left is A0 - p_f, by hand."""
    fake = logits(3, outputs=51, scale=1).requires_grad_()
    objective("realness").generator(fake, fake.detach()).backward()
    u = (np.arange(51) + 0.5) / 51
    down = scipy.stats.beta(2, 5).pdf(u)
    expected = (down / down.sum() - scipy.special.softmax(fake.detach().numpy(), axis=1)) / len(fake)
    np.testing.assert_allclose(fake.grad.numpy(), expected, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("game", ["realness", "realness(relativistic=False)"])
@pytest.mark.parametrize("scale", [1.0, 300.0, 1e4])
def test_realness_is_finite_however_far_the_logits_are(game: str, scale: float) -> None:
    real, fake = (logits(seed, outputs=51, scale=scale).float().requires_grad_() for seed in (1, 2))
    loss = objective(game).generator(fake, real)
    slopes = torch.autograd.grad(loss, (fake, real), allow_unused=True)
    assert loss.isfinite()
    assert all(slope is None or bool(slope.isfinite().all()) for slope in slopes)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("outcomes", "skew"), [(51, 22), (51, 25), (51, 200), (2, 3000)])
def test_anchors_of_realness_that_underflow_are_still_distributions(
    outcomes: int, skew: int, dtype: torch.dtype
) -> None:
    """The least of them is 0 in float32, or all are; logarithms take over where that begins, between 22 and 25."""
    real, fake = (logits(seed, outputs=outcomes, scale=1).to(dtype).requires_grad_() for seed in (1, 2))
    u = (np.arange(outcomes) + 0.5) / outcomes
    log_up = skew * np.log(u) + np.log1p(-u)
    log_up -= scipy.special.logsumexp(log_up)

    def divergence(log_anchor: Array, heads: Tensor) -> float:
        gap = log_anchor - scipy.special.log_softmax(heads.detach().double().numpy(), axis=1)
        return float((np.exp(log_anchor) * gap).sum(1).mean())

    game = objective(f"realness(outcomes={outcomes}, skew={skew}, relativistic=False)")
    up_of_real, down_of_fake = divergence(log_up, real), divergence(log_up[::-1], fake)
    found = game.discriminator(real, fake), game.generator(fake, real)
    assert found[0].item() == pytest.approx(up_of_real + down_of_fake, rel=1e-5)
    assert found[1].item() == pytest.approx(divergence(log_up, fake) - down_of_fake, rel=1e-5, abs=1e-5)
    slopes = (*torch.autograd.grad(found[0], (real, fake)), *torch.autograd.grad(found[1], (fake,)))
    assert all(bool(slope.isfinite().all()) for slope in slopes)


def test_sphere_gan_measures_from_the_north_pole() -> None:
    a, b = logits(1, outputs=1024, scale=0.1), logits(2, outputs=1024, scale=0.03)

    def moments(points: Tensor) -> float:
        squared = (points.numpy() ** 2).sum(1)
        distance = np.arccos((squared - 1) / (squared + 1))
        return float(np.mean(distance + distance**2 + distance**3))

    assert objective("spheregan").discriminator(a, b).item() == pytest.approx(moments(b) - moments(a), rel=1e-10)
    assert objective("spheregan").generator(b).item() == pytest.approx(-moments(b), rel=1e-10)
    assert objective("spheregan").critic(torch.zeros(1, 1024), a, b).item() == pytest.approx(math.pi, rel=1e-6)
