"""Optimal transport between heads, against linear programs, plain matrix scaling and plans worked out by hand."""

import math

import numpy as np
import pytest
import scipy.optimize
import torch
from made_logits import logits, objective
from slow_cases import sampled

from losses.objectives.transport import transport_plan

Array = np.ndarray


def cosine_costs(x: Array, y: Array) -> Array:
    return np.array([[1 - u @ v / math.sqrt((u @ u + 1e-8) * (v @ v + 1e-8)) for v in y] for u in x])


def squared_costs(x: Array, y: Array) -> Array:
    return np.array([[((u - v) ** 2).sum() for v in y] for u in x])


def program(cost: Array) -> float:
    """The least cost of carrying equal masses, from a general linear program."""
    m, n = cost.shape
    marginals = np.zeros((m + n, m * n))
    for i in range(m):
        marginals[i, i * n : (i + 1) * n] = 1
    for j in range(n):
        marginals[m + j, j::n] = 1
    masses = np.concatenate([np.full(m, 1 / m), np.full(n, 1 / n)])
    return scipy.optimize.linprog(cost.ravel(), A_eq=marginals, b_eq=masses, bounds=(0, None)).fun


def scaled(cost: Array, epsilon: float, iterations: int) -> Array:
    """Sinkhorn's algorithm as it is usually written: the rows and the columns of a positive matrix in turn."""
    m, n = cost.shape
    kernel = np.exp(-cost / epsilon)
    v = np.ones(n)
    for _ in range(iterations):
        u = 1 / (m * (kernel @ v))
        v = 1 / (n * (kernel.T @ u))
    return u[:, None] * kernel * v[None, :]


@pytest.mark.parametrize("iterations", [1, 7])
@pytest.mark.parametrize("shape", [(5, 5), (6, 3)])
def test_a_plan_in_the_log_domain_is_that_of_scaled_matrices(shape: tuple[int, int], iterations: int) -> None:
    cost = logits(1, shape[0], shape[1]).abs()
    expected = scaled(cost.numpy(), 0.3, iterations)
    found = transport_plan(cost, 0.3, iterations).numpy()
    assert found == pytest.approx(expected, rel=1e-10)
    assert found.sum(0) == pytest.approx(np.full(shape[1], 1 / shape[1]), rel=1e-12)


def test_a_plan_between_two_points_and_two_is_known() -> None:
    """With costs 0 on the diagonal and c off it the plan keeps the share 1/(1 + exp(-c/epsilon)) in place."""
    cost = torch.tensor([[0.0, 0.7], [0.7, 0.0]], dtype=torch.float64)
    kept = 0.5 / (1 + math.exp(-0.7 / 0.2))
    expected = [[kept, 0.5 - kept], [0.5 - kept, kept]]
    assert transport_plan(cost, 0.2, 3).numpy() == pytest.approx(np.array(expected), rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("shape", sampled([((6, 6),), ((5, 3),)], every=2))
def test_a_plan_of_little_entropy_costs_what_the_linear_program_costs(shape: tuple[int, int]) -> None:
    x, y = logits(1, shape[0], 4).numpy(), logits(2, shape[1], 4).numpy()
    cost = cosine_costs(x, y)
    plan = transport_plan(torch.from_numpy(cost), 1e-3, 20_000).numpy()
    assert plan.sum(1) == pytest.approx(np.full(shape[0], 1 / shape[0]), rel=1e-3)
    assert (plan * cost).sum() == pytest.approx(program(cost), rel=3e-4)


def test_costs_that_would_underflow_still_have_a_plan() -> None:
    """In place they cost 1 + 5, crosswise 2 + 3."""
    cost = torch.tensor([[1.0, 2.0], [3.0, 5.0]])
    assert np.exp(-cost.numpy() / 0.002).max() == 0
    expected = np.array([[0, 0.5], [0.5, 0]])
    assert transport_plan(cost, 0.002, 2000).numpy() == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("cosine", [True, False])
def test_the_sinkhorn_divergence_is_that_of_scaled_matrices(cosine: bool) -> None:
    r, f = logits(1, 6, 16, scale=0.5), 0.3 + logits(2, 5, 16, scale=0.5)
    costs = cosine_costs if cosine else squared_costs

    def carried(x: Array, y: Array) -> float:
        cost = costs(x, y)
        return (scaled(cost, 0.4, 9) * cost).sum()

    real, fake = r.numpy(), f.numpy()
    expected = 2 * carried(real, fake) - carried(real, real) - carried(fake, fake)
    game = objective(f"sinkhorn(epsilon=0.4, iterations=9, cosine={cosine})")
    assert game.generator(f, r).item() == pytest.approx(expected, rel=1e-9)
    assert game.discriminator(r, f).item() == pytest.approx(-expected, rel=1e-9)
    nearer = costs(real, fake).mean(1) - costs(real, real).mean(1)
    assert game.critic(r, r, f).numpy() == pytest.approx(nearer, rel=1e-9)


def test_the_sinkhorn_divergence_of_much_entropy_is_an_energy_distance() -> None:
    r, f = logits(1, 6, 16), 1 + logits(2, 6, 16)
    costs = [squared_costs(x.numpy(), y.numpy()).mean() for x, y in ((r, f), (r, r), (f, f))]
    found = objective("sinkhorn(epsilon=1e7, cosine=False)").generator(f, r)
    assert found.item() == pytest.approx(2 * costs[0] - costs[1] - costs[2], rel=1e-4)


def test_the_sinkhorn_divergence_of_a_batch_from_itself_is_zero() -> None:
    r = logits(1, 6, 16)
    assert objective("sinkhorn").generator(r.clone(), r).item() == pytest.approx(0, abs=1e-12)
    assert objective("sinkhorn").generator(-r, r).item() > 0.5


@pytest.mark.parametrize(("reals", "fakes"), [(8, 8), (7, 5), (2, 3)])
def test_otgan_is_six_linear_programs_between_halves(reals: int, fakes: int) -> None:
    r, f = logits(1, reals, 256), 3 + logits(2, fakes, 256)
    (a, a_), (b, b_) = ((x[: len(x) // 2].numpy(), x[len(x) // 2 :].numpy()) for x in (r, f))
    across = sum(program(cosine_costs(x, y)) for x in (a, a_) for y in (b, b_))
    expected = across / 2 - program(cosine_costs(a, a_)) - program(cosine_costs(b, b_))
    game = objective("otgan(epsilon=1e-3, iterations=1000)")
    assert abs(expected) > 0.2
    assert game.generator(f, r).item() == pytest.approx(expected, rel=1e-3)
    assert game.discriminator(r, f).item() == pytest.approx(-expected, rel=1e-3)


def test_otgan_holds_its_plans_constant() -> None:
    """The gradient is that of the cost of fixed plans, which finite differences take here."""
    r, f = logits(1, 6, 16), logits(2, 6, 16)
    expression = "otgan(dimension=16, epsilon=0.5, iterations=5)"
    pairs = [("r", "f", 0.5), ("r", "f_", 0.5), ("r_", "f", 0.5), ("r_", "f_", 0.5), ("r", "r_", -1), ("f", "f_", -1)]

    def halves(real: Array, fake: Array) -> dict[str, Array]:
        return {"r": real[:3], "r_": real[3:], "f": fake[:3], "f_": fake[3:]}

    start = halves(r.numpy(), f.numpy())
    plans = [scaled(cosine_costs(start[x], start[y]), 0.5, 5) for x, y, _ in pairs]

    def value(fake: Array) -> float:
        at = halves(r.numpy(), fake)
        return sum(
            weight * (plan * cosine_costs(at[x], at[y])).sum()
            for plan, (x, y, weight) in zip(plans, pairs, strict=True)
        )

    moving = f.clone().requires_grad_()
    found = objective(expression).generator(moving, r)
    assert found.item() == pytest.approx(value(f.numpy()), rel=1e-9)
    found.backward()
    for i, j in ((0, 0), (2, 7), (5, 15)):
        step = np.zeros((6, 16))
        step[i, j] = 1e-5
        slope = (value(f.numpy() + step) - value(f.numpy() - step)) / 2e-5
        assert moving.grad[i, j].item() == pytest.approx(slope, rel=1e-6, abs=1e-10)


def test_the_critic_of_otgan_is_large_far_from_the_fakes_and_near_the_reals() -> None:
    r, f, x = logits(1, 4, 16), logits(2, 6, 16), logits(3, 5, 16)
    costs = [cosine_costs(x.numpy(), other.numpy()).mean(1) for other in (f, r)]
    found = objective("otgan(dimension=16)").critic(x, r, f)
    assert found.numpy() == pytest.approx(costs[0] - costs[1], rel=1e-9)


def test_otgan_needs_two_halves() -> None:
    with pytest.raises(ValueError, match="at least two samples"):
        objective("otgan").generator(logits(1, 1, 256), logits(2, 4, 256))
