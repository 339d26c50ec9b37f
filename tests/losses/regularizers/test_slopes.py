"""The penalties on the critic's slope, by closed forms on critics whose slope is known everywhere."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from directions import derivatives_agree
from torch import Tensor, nn

import losses


def term(
    critic: Callable[[Tensor], Tensor], expression: str, real: Tensor, fake: Tensor, seed: int = 0
) -> losses.LossPart:
    method = losses.get(f"bce_ns + {expression}")
    rng = torch.Generator().manual_seed(seed)
    return method.discriminator_loss(critic, real, fake, rng=rng, state={})[method.regularizers[0].name]


def bowl(x: Tensor) -> Tensor:
    """A critic whose gradient at x is x."""
    return 0.5 * x.flatten(1).square().sum(1)


class Noting:
    """A critic that notes where it is asked."""

    def __init__(self, critic: Callable[[Tensor], Tensor]) -> None:
        self.critic = critic
        self.calls: list[Tensor] = []

    def __call__(self, x: Tensor) -> Tensor:
        self.calls.append(x.detach())
        return self.critic(x)


ON_LINEAR_CRITICS: dict[str, Callable[[float], float]] = {
    "gp1_onesided": lambda n: 10 * max(0, n - 1) ** 2,
    "gp1_onesided(weight=3, target=2)": lambda n: 3 * max(0, n - 2) ** 2,
    "gp1_hinge": lambda n: 20 * max(0, n - 1),
    "gp1_hinge(weight=3, target=2)": lambda n: 3 * max(0, n - 2),
    "local_gp": lambda n: 10 * (n - 1) ** 2,
    "local_gp(weight=2, c=0.5, k=2)": lambda n: 2 * (n - 2) ** 2,
    "local_gp(k=2, one_sided=True)": lambda n: 10 * max(0, n - 2) ** 2,
    "gp0": lambda n: 10 * n**2,
    "gp0(weight=100)": lambda n: 100 * n**2,
    "maxgp": lambda n: 10 * n**2,
    "wdiv": lambda n: 2 * n**6,
    "wdiv(weight=5, power=3)": lambda n: 5 * n**3,
    "wdiv(power=2)": lambda n: 2 * n**2,
    "sobolev(rho=0.5)": lambda n: 0.25 * (n**2 - 1) ** 2,
}


@pytest.mark.parametrize("expression", ON_LINEAR_CRITICS)
@pytest.mark.parametrize("slope", [0.25, 1.0, 3.0])
def test_the_weighted_term_on_a_linear_critic(
    expression: str, slope: float, images: Callable, linear_critic: Callable
) -> None:
    found = term(linear_critic(slope), expression, images(0), images(1))
    assert found.weighted.item() == pytest.approx(ON_LINEAR_CRITICS[expression](slope), rel=1e-10, abs=1e-12)


IN_OTHER_NORMS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "gp1_linf": lambda g: 20 * np.maximum(np.abs(g).max(1) - 1, 0),
    "gp1_linf(weight=3, target=0.4)": lambda g: 3 * np.maximum(np.abs(g).max(1) - 0.4, 0),
    "gp1_linf(weight=10, hinge=False)": lambda g: 10 * (np.abs(g).max(1) - 1) ** 2,
    "gp1_l1": lambda g: 20 * np.maximum(np.abs(g).sum(1) - 1, 0),
    "gp1_l1(weight=3, target=7)": lambda g: 3 * np.maximum(np.abs(g).sum(1) - 7, 0),
    "gp1_l1(weight=10, target=7, hinge=False)": lambda g: 10 * (np.abs(g).sum(1) - 7) ** 2,
}


@pytest.mark.parametrize("expression", IN_OTHER_NORMS)
@pytest.mark.parametrize("slope", [0.25, 1.0, 8.0, -8.0])
def test_the_weighted_term_in_another_norm_on_a_linear_critic(
    expression: str, slope: float, images: Callable, linear_critic: Callable
) -> None:
    critic = linear_critic(slope)
    (expected,) = IN_OTHER_NORMS[expression](critic.weight.detach().numpy().reshape(1, -1))
    found = term(critic, expression, images(0), images(1))
    assert found.weighted.item() == pytest.approx(expected, rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("expression", [*IN_OTHER_NORMS, "gp1_hinge(target=3.5)"])
def test_another_norm_is_taken_of_each_sample_between_the_pairs(expression: str, images: Callable) -> None:
    real, fake = 0.6 * images(0), 0.6 * images(1)
    critic = Noting(bowl)
    found = term(critic, expression, real, fake)
    points = critic.calls[2]
    shares = ((points - fake) / (real - fake)).flatten(1).numpy()
    assert np.ptp(shares, axis=1) == pytest.approx(np.zeros(6), abs=1e-9)
    assert np.ptp(shares[:, 0]) > 0.2
    penalty = IN_OTHER_NORMS.get(expression, lambda g: 20 * np.maximum(np.sqrt((g**2).sum(1)) - 3.5, 0))
    each = penalty(points.flatten(1).numpy())  # the gradient of the bowl at a point is the point
    assert np.ptp(each) > 0
    assert found.weighted.item() == pytest.approx(each.mean(), rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("expression", ["gp1_linf", "gp1_l1", "gp1_hinge"])
def test_a_hinge_pushes_equally_hard_however_steep_it_is(expression: str, images: Callable) -> None:
    pushes = []
    for size in (5.0, 50.0):
        scale = torch.tensor(size, dtype=torch.float64, requires_grad=True)
        found = term(lambda x, scale=scale: scale * x.flatten(1).sum(1), expression, images(0), images(1))
        (push,) = torch.autograd.grad(found.weighted, scale)
        pushes.append(push.item())
    norm = {"gp1_linf": 1.0, "gp1_l1": 60.0, "gp1_hinge": 60**0.5}[expression]  # of the gradient, all ones
    assert pushes == pytest.approx([20 * norm] * 2, rel=1e-10)


def test_diggan_is_the_squared_gap_between_the_slopes_of_each_pair(images: Callable, linear_critic: Callable) -> None:
    real, fake = images(0), 1.5 * images(1)
    n_r, n_f = (np.sqrt((x.flatten(1).numpy() ** 2).sum(1)) for x in (real, fake))
    found = term(bowl, "diggan", real, fake)
    assert found.value.item() == pytest.approx(((n_f - n_r) ** 2).mean(), rel=1e-10)
    assert found.weighted.item() == pytest.approx(1000 * ((n_f - n_r) ** 2).mean(), rel=1e-10)
    assert term(bowl, "diggan", fake, real).value.item() == pytest.approx(found.value.item(), rel=1e-12)
    assert term(bowl, "diggan", real, fake.flip(0)).value.item() != pytest.approx(found.value.item(), rel=1e-3)
    assert term(linear_critic(7.0), "diggan", real, fake).value.item() == pytest.approx(0, abs=1e-20)


@pytest.mark.parametrize("expression", ["gp1_onesided", "gp0", "maxgp", "wdiv(power=5)"])
def test_the_points_lie_between_the_pairs_with_one_coefficient_a_sample(expression: str, images: Callable) -> None:
    real, fake = images(0), images(1)
    critic = Noting(bowl)
    found = term(critic, expression, real, fake)
    points = critic.calls[2]
    shares = ((points - fake) / (real - fake)).flatten(1).numpy()
    assert np.ptp(shares, axis=1) == pytest.approx(np.zeros(6), abs=1e-9)
    assert 0 <= shares.min() <= shares.max() <= 1
    assert np.ptp(shares[:, 0]) > 0.2
    n = np.linalg.norm(points.flatten(1).numpy(), axis=1)  # the gradient of the bowl at a point is the point
    expected = {
        "gp1_onesided": (np.maximum(n - 1, 0) ** 2).mean(),
        "gp0": (n**2).mean(),
        "maxgp": n.max() ** 2,
        "wdiv(power=5)": (n**5).mean(),
    }
    assert found.value.item() == pytest.approx(expected[expression], rel=1e-10)


def test_the_one_sided_penalty_is_below_the_two_sided_one_and_equals_it_where_all_is_steep(images: Callable) -> None:
    both = ("gp1_onesided", "gp1")
    gentle = [term(bowl, name, 0.15 * images(0), 0.15 * images(1), seed=4).value.item() for name in both]
    assert 0 < gentle[0] < gentle[1], "some points are steeper than 1, some are not"
    steep = [term(bowl, name, 5 * images(0), 5 * images(1), seed=4).value.item() for name in both]
    assert steep[0] == pytest.approx(steep[1], rel=1e-12)


def test_local_gp_asks_at_the_reals_with_gaussian_noise() -> None:
    real = torch.randn(6, 3, 40, 40, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    critic = Noting(bowl)
    found = term(critic, "local_gp(c=0.2)", real, torch.zeros_like(real))
    noise = (critic.calls[2] - real).numpy() / 0.2
    assert noise.mean() == pytest.approx(0, abs=0.02)
    assert noise.std() == pytest.approx(1, abs=0.02)
    assert (np.abs(noise) > 2).mean() == pytest.approx(0.0455, abs=0.005)
    n = np.linalg.norm(critic.calls[2].flatten(1).numpy(), axis=1)
    assert found.value.item() == pytest.approx(((n - 1) ** 2).mean(), rel=1e-10)


def test_js_reg_weighs_each_slope_by_its_own_doubt(images: Callable) -> None:
    real, fake = 0.2 * images(0), 0.3 * images(1)
    found = term(bowl, "js_reg(gamma=0.6)", real, fake)
    r, f = (0.5 * (x.flatten(1).numpy() ** 2).sum(1) for x in (real, fake))
    s_r, s_f = 1 / (1 + np.exp(-r)), 1 / (1 + np.exp(-f))
    expected = ((1 - s_r) ** 2 * 2 * r).mean() + (s_f**2 * 2 * f).mean()  # n^2 of the bowl is twice its value
    assert found.value.item() == pytest.approx(expected, rel=1e-10)
    assert found.weighted.item() == pytest.approx(0.3 * expected, rel=1e-10)


def test_sobolev_measures_the_slopes_at_both_batches(images: Callable) -> None:
    real, fake = images(0), 2 * images(1)
    omega = ((real.numpy() ** 2).sum() + (fake.numpy() ** 2).sum()) / 12  # six samples each, and the half
    found = term(bowl, "sobolev(rho=0.001)", real, fake)
    assert found.weighted.item() == pytest.approx(0.0005 * (omega - 1) ** 2, rel=1e-10)


@pytest.mark.parametrize("slope", [0.5, 1.0, 4.0])
def test_alp_on_a_linear_critic_finds_the_slope_whatever_the_distance(
    slope: float, images: Callable, linear_critic: Callable
) -> None:
    found = term(linear_critic(slope), "alp", images(0), images(1))
    assert found.value.item() == pytest.approx(max(0, slope - 1) ** 2, abs=1e-9)
    assert found.weighted.item() == pytest.approx(100 * max(0, slope - 1) ** 2, abs=1e-7)


def test_alp_follows_one_power_step_and_compares_quotients(images: Callable) -> None:
    real, fake = images(0), images(1)
    critic = Noting(bowl)
    found = term(critic, "alp(xi=2, shortest=0.5, longest=3)", real, fake)
    _, _, looked, moved = (call.flatten(1).numpy() for call in critic.calls)
    x = torch.cat([real, fake]).flatten(1).numpy()
    assert np.linalg.norm(looked - x, axis=1) == pytest.approx(np.full(12, 2.0), rel=1e-10)
    value = lambda p: 0.5 * (p**2).sum(1)  # noqa: E731 - reads as mathematics
    uphill = looked * np.sign(value(looked) - value(x))[:, None]  # the gradient of |difference| where it looked
    distance = np.linalg.norm(moved - x, axis=1)
    assert (moved - x) / distance[:, None] == pytest.approx(uphill / np.linalg.norm(uphill, axis=1, keepdims=True))
    assert 0.5 <= distance.min() < 1.5 < distance.max() < 3
    quotients = np.abs(value(moved) - value(x)) / distance
    assert found.value.item() == pytest.approx((np.maximum(quotients - 1, 0) ** 2).mean(), rel=1e-9)


def test_alp_keeps_its_random_direction_where_the_critic_is_flat(images: Callable) -> None:
    """A critic that is steep at 0 alone: far out, where the direction is looked for, it has no slope."""
    zero = torch.zeros_like(images(0))
    found = term(lambda x: 50 * x.flatten(1).sum(1).clamp(-1, 1), "alp(xi=1e6)", zero, zero)
    rng = torch.Generator().manual_seed(0)
    way = torch.randn(12, 60, generator=rng, dtype=torch.float64).numpy()
    distance = 0.1 + 9.9 * torch.rand(12, generator=rng, dtype=torch.float64).numpy()
    moved = distance * way.sum(1) / np.linalg.norm(way, axis=1)
    excess = np.maximum(50 * np.abs(moved.clip(-1, 1)) / distance - 1, 0)
    assert excess.max() > 0
    assert found.value.item() == pytest.approx((excess**2).mean(), rel=1e-9)


def test_alp_does_not_differentiate_the_direction(images: Callable) -> None:
    tilt = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)  # it turns the direction of steepest change
    critic = Noting(lambda x: bowl(x) + tilt * x[:, 0, 0, 0])
    found = term(critic, "alp", images(0), images(1))
    x, moved = torch.cat([images(0), images(1)]).flatten(1).numpy(), critic.calls[3].flatten(1).numpy()
    change = ((moved**2).sum(1) - (x**2).sum(1)) / 2 + 1.5 * (moved - x)[:, 0]
    distance = np.linalg.norm(moved - x, axis=1)
    excess = np.maximum(np.abs(change) / distance - 1, 0)
    found.value.backward()
    expected = (2 * excess * np.sign(change) * (moved - x)[:, 0] / distance).mean()
    assert tilt.grad.item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    "expression",
    [
        *("gp1_onesided", "gp0", "local_gp", "local_gp(k=0.1, one_sided=True)", "maxgp", "wdiv", "js_reg"),
        *("sobolev(rho=1)", "gp1_linf(target=0.05)", "gp1_linf(hinge=False)", "gp1_l1(target=0.5)", "diggan(weight=3)"),
        *("gp1_l1(target=0.5, hinge=False)", "gp1_hinge(target=0.1)"),
    ],
)
def test_the_double_backward_matches_finite_differences(
    expression: str, images: Callable, smooth_critic: Callable
) -> None:
    critic, real, fake = smooth_critic(), images(0, batch=3), images(1, batch=3)
    names, weights = zip(*critic.named_parameters(), strict=True)

    def value(*tensors: Tensor) -> Tensor:
        swapped = dict(zip(names, tensors, strict=True))
        return term(lambda x: torch.func.functional_call(critic, swapped, (x,)), expression, real, fake).weighted

    assert derivatives_agree(value, weights, atol=1e-6)


@pytest.mark.parametrize(
    "name",
    [
        *("gp1_onesided", "gp0", "local_gp", "maxgp", "wdiv(power=2)", "js_reg", "alp", "sobolev", "gp1_hinge"),
        *("gp1_linf", "gp1_linf(hinge=False)", "gp1_l1", "gp1_l1(hinge=False)", "diggan"),
    ],
)
def test_a_flat_critic_gives_zero_slopes_and_finite_gradients(
    name: str, images: Callable, smooth_critic: Callable
) -> None:
    critic = smooth_critic(dtype=torch.float32)
    nn.init.zeros_(critic.last.weight)
    found = term(critic, name, images(0, dtype=torch.float32), images(1, dtype=torch.float32))
    at_one = dict.fromkeys(("local_gp", "gp1_linf(hinge=False)", "gp1_l1(hinge=False)"), 1.0)
    expected = {**at_one, "sobolev": 0.5e-5}.get(name, 0.0)
    assert found.value.item() == pytest.approx(expected, rel=1e-6)
    found.weighted.backward()
    assert all(each.grad is None or each.grad.isfinite().all() for each in critic.parameters())


@pytest.mark.parametrize("scale", [1e4, -1e4])
def test_huge_logits_keep_js_reg_finite(scale: float, images: Callable, smooth_critic: Callable) -> None:
    critic = smooth_critic(dtype=torch.float32)
    nn.init.constant_(critic.last.bias, scale)
    found = term(critic, "js_reg", images(0, dtype=torch.float32), images(1, dtype=torch.float32))
    found.weighted.backward()
    assert found.value.isfinite()
    assert all(each.grad.isfinite().all() for each in critic.parameters())


@pytest.mark.parametrize("name", ["gp1_onesided", "gp0", "maxgp", "wdiv", "gp1_linf", "gp1_l1", "gp1_hinge", "diggan"])
def test_batches_that_do_not_pair_are_refused(name: str, images: Callable, smooth_critic: Callable) -> None:
    with pytest.raises(ValueError, match=f"{name} pairs real with fake"):
        term(smooth_critic(), name, images(0, batch=4), images(1, batch=1))


def test_a_power_below_two_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        losses.get("wasserstein + wdiv(power=1.5)")
