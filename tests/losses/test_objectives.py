"""The objectives of one logit a sample against formulas written anew from the papers, in numpy and scipy, float64."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import scipy.optimize
import scipy.special
import scipy.stats
import torch
from made_logits import logits, objective
from torch import Tensor

import losses

OBJECTIVES = losses.names("objective")
Array = np.ndarray


def sigmoid(t: Array) -> Array:
    return 1 / (1 + np.exp(-t))


def cross_entropy(a: Array, b: Array) -> float:
    return -np.log(sigmoid(a)).mean() - np.log(1 - sigmoid(b)).mean()


def hinge(a: Array, b: Array) -> float:
    return np.maximum(0, 1 - a).mean() + np.maximum(0, 1 + b).mean()


def density_weighted(b: Array, temperature: float) -> Array:
    ratio = np.exp(b / temperature)
    return len(b) * ratio / ratio.sum() * b


def alpha_term(probability: Array, alpha: float) -> float:
    """The expected alpha-loss of the probability given to the truth."""
    return alpha / (alpha - 1) * (1 - (probability ** ((alpha - 1) / alpha)).mean())


def contrast(up: Array, down: Array) -> float:
    """Minus the log-probability of picking each of `up` among all of `down`, and each of `down` among all of `up`."""
    first = [-math.log(math.exp(u) / (math.exp(u) + np.exp(down).sum())) for u in up]
    second = [-math.log(math.exp(-d) / (math.exp(-d) + np.exp(-up).sum())) for d in down]
    return float(np.mean(first) + np.mean(second))


def gaussian_mmd(a: Array, b: Array) -> float:
    """The unbiased MMD^2 under a Gaussian kernel of width 1, from the sums of the three kernel matrices."""
    aa, bb, ab = (np.exp(-(np.subtract.outer(x, y) ** 2) / 2).sum() for x, y in ((a, a), (b, b), (a, b)))
    pairs = len(a) * (len(a) - 1)
    return (aa - len(a)) / pairs + (bb - len(b)) / pairs - 2 * ab / len(a) ** 2


def log_partition(*logits: Array) -> float:
    return math.log(sum(np.exp(each).sum() for each in logits))


# a, b: real and fake logits; each formula gives (L_D, L_G).
CLOSED_FORMS: dict[str, Callable[[Array, Array], tuple[float, float]]] = {
    # Goodfellow et al. 2014, equation 1 and section 3
    "bce_ns": lambda a, b: (cross_entropy(a, b), -np.log(sigmoid(b)).mean()),
    "bce_mm": lambda a, b: (cross_entropy(a, b), np.log(1 - sigmoid(b)).mean()),
    "bce_d": lambda a, b: (cross_entropy(a, b), 0.0),
    # Dong and Yang 2019
    "bce_linear": lambda a, b: (cross_entropy(a, b), -b.mean()),
    "bce_relu_g": lambda a, b: (cross_entropy(a, b), np.where(b < 0, -b, 0).mean()),
    "bce_imbalanced(gamma=0.5)": lambda a, b: (
        -0.5 * np.log(sigmoid(a)).mean() - np.log(1 - sigmoid(b)).mean(),
        -np.log(sigmoid(b)).mean(),
    ),
    "hinge_ns": lambda a, b: (hinge(a, b), -np.log(sigmoid(b)).mean()),
    "hinge_mm": lambda a, b: (hinge(a, b), -np.where(b > -1, 1 + b, 0).mean()),
    "hinge_relu1": lambda a, b: (hinge(a, b), np.where(b < 1, 1 - b, 0).mean()),
    "hinge_relu0": lambda a, b: (hinge(a, b), np.where(b < 0, -b, 0).mean()),
    "hinge_imbalanced(gamma=2)": lambda a, b: (
        2 * np.where(a < 1, 1 - a, 0).mean() + np.where(b > -1, 1 + b, 0).mean(),
        -b.mean(),
    ),
    "w_imbalanced(gamma=2)": lambda a, b: (b.mean() - 2 * a.mean(), -b.mean()),
    "absolute": lambda a, b: (np.abs(a - 1).mean() + np.abs(b).mean(), np.abs(b - 1).mean()),
    "asymmetric": lambda a, b: (np.abs(a).mean() + b.mean(), -b.mean()),
    # Salimans et al. 2016, section 3.4
    "label_smooth(target=0.8)": lambda a, b: (
        -(0.8 * np.log(sigmoid(a)) + 0.2 * np.log(1 - sigmoid(a))).mean() - np.log(1 - sigmoid(b)).mean(),
        -np.log(sigmoid(b)).mean(),
    ),
    "bce_ns_eps(epsilon=0.01)": lambda a, b: (
        -np.log(sigmoid(a) + 0.01).mean() - np.log(1 - sigmoid(b) + 0.01).mean(),
        -np.log(sigmoid(b) + 0.01).mean(),
    ),
    # Mao et al. 2017, equation 2
    "lsgan": lambda a, b: (((a - 1) ** 2).mean() / 2 + (b**2).mean() / 2, ((b - 1) ** 2).mean() / 2),
    "lsgan(a=-1, b=2, c=0.5)": lambda a, b: (
        ((a - 2) ** 2).mean() / 2 + ((b + 1) ** 2).mean() / 2,
        ((b - 0.5) ** 2).mean() / 2,
    ),
    # Lim and Ye 2017; Arjovsky et al. 2017, equation 2; Qi 2020
    "hinge": lambda a, b: (hinge(a, b), -b.mean()),
    "wasserstein": lambda a, b: (b.mean() - a.mean(), -b.mean()),
    "loss_sensitive(real=0.5)": lambda a, b: (-0.5 * a.mean(), -b.mean()),
    # Hjelm et al. 2018, section 3; Song and Ermon 2020
    "bgan": lambda a, b: (cross_entropy(a, b), (np.log(sigmoid(b) / (1 - sigmoid(b))) ** 2).mean() / 2),
    "kl_wgan": lambda a, b: (hinge(a, density_weighted(b, 1)), -density_weighted(b, 1).mean()),
    "kl_wgan(temperature=5)": lambda a, b: (hinge(a, density_weighted(b, 5)), -density_weighted(b, 5).mean()),
    # Kurri et al. 2021; Welfert et al. 2023
    "alpha_loss(alpha_d=0.6, alpha_g=3)": lambda a, b: (
        alpha_term(sigmoid(a), 0.6) + alpha_term(1 - sigmoid(b), 0.6),
        alpha_term(sigmoid(b), 3.0),
    ),
    "alpha_loss(alpha_d=2, alpha_g=0.7, saturating=True)": lambda a, b: (
        alpha_term(sigmoid(a), 2.0) + alpha_term(1 - sigmoid(b), 2.0),
        -alpha_term(1 - sigmoid(b), 0.7),
    ),
    # Jolicoeur-Martineau 2019, sections 3 and 4, and 2020
    "rp_bce": lambda a, b: (-np.log(sigmoid(a - b)).mean(), -np.log(sigmoid(b - a)).mean()),
    "rp_ls": lambda a, b: (((a - b - 1) ** 2).mean(), ((b - a - 1) ** 2).mean()),
    "rp_hinge": lambda a, b: (np.maximum(0, 1 - a + b).mean(), np.maximum(0, 1 - b + a).mean()),
    "ra_bce": lambda a, b: (
        -(np.log(sigmoid(a - b.mean())).mean() + np.log(1 - sigmoid(b - a.mean())).mean()) / 2,
        -(np.log(sigmoid(b - a.mean())).mean() + np.log(1 - sigmoid(a - b.mean())).mean()) / 2,
    ),
    "ra_ls": lambda a, b: (
        (((a - b.mean() - 1) ** 2).mean() + ((b - a.mean() + 1) ** 2).mean()) / 2,
        (((b - a.mean() - 1) ** 2).mean() + ((a - b.mean() + 1) ** 2).mean()) / 2,
    ),
    "ra_hinge": lambda a, b: (
        (np.maximum(0, 1 - a + b.mean()).mean() + np.maximum(0, 1 + b - a.mean()).mean()) / 2,
        (np.maximum(0, 1 - b + a.mean()).mean() + np.maximum(0, 1 + a - b.mean()).mean()) / 2,
    ),
    "ralf_bce": lambda a, b: (-np.log(sigmoid(a - b.mean())).mean(), -np.log(sigmoid(b - a.mean())).mean()),
    "ralf_ls": lambda a, b: (((a - b.mean() - 1) ** 2).mean(), ((b - a.mean() - 1) ** 2).mean()),
    "ralf_hinge": lambda a, b: (np.maximum(0, 1 - a + b.mean()).mean(), np.maximum(0, 1 - b + a.mean()).mean()),
    "rc_bce": lambda a, b: (
        cross_entropy(a - np.r_[a, b].mean(), b - np.r_[a, b].mean()),
        cross_entropy(b - np.r_[a, b].mean(), a - np.r_[a, b].mean()),
    ),
    "rc_ls": lambda a, b: (
        ((a - np.r_[a, b].mean() - 1) ** 2).mean() + ((b - np.r_[a, b].mean() + 1) ** 2).mean(),
        ((b - np.r_[a, b].mean() - 1) ** 2).mean() + ((a - np.r_[a, b].mean() + 1) ** 2).mean(),
    ),
    "rc_hinge": lambda a, b: (
        hinge(a - np.r_[a, b].mean(), b - np.r_[a, b].mean()),
        hinge(b - np.r_[a, b].mean(), a - np.r_[a, b].mean()),
    ),
    # Yu et al. 2021; Lin 2017
    "dual_contrastive": lambda a, b: (contrast(a, b), contrast(b, a)),
    "softmax_gan": lambda a, b: (
        log_partition(a, b) - a.mean(),
        log_partition(a, b) - np.r_[a, b].mean(),
    ),
    # Arbel et al. 2018
    "mmd_gaussian": lambda a, b: (-gaussian_mmd(a, b), gaussian_mmd(a, b)),
}  # fmt: skip

# f of each divergence, with D_f(P||Q) = sum over x of q(x) f(p(x)/q(x)). Nowozin et al. 2016, table 5.
DIVERGENCES: dict[str, Callable[[float], float]] = {
    "fgan_kl": lambda u: u * math.log(u),
    "fgan_rkl": lambda u: -math.log(u),
    "fgan_js": lambda u: u * math.log(u) - (u + 1) * math.log((1 + u) / 2),
    "fgan_gan": lambda u: u * math.log(u) - (u + 1) * math.log(u + 1),
    "fgan_pearson": lambda u: (u - 1) ** 2,
    "fgan_neyman": lambda u: (1 - u) ** 2 / u,
    "fgan_hellinger2": lambda u: (math.sqrt(u) - 1) ** 2,
    "fgan_tv": lambda u: abs(u - 1) / 2,
    "fgan_alpha(alpha=0.3)": lambda u: (u**0.3 - 1 - 0.3 * (u - 1)) / (0.3 * -0.7),
    "fgan_alpha(alpha=0.5)": lambda u: 2 * (math.sqrt(u) - 1) ** 2,
    "fgan_alpha(alpha=2)": lambda u: (u - 1) ** 2 / 2,
    "fgan_alpha(alpha=3)": lambda u: (u**3 - 1 - 3 * (u - 1)) / 6,
}

# Value of L_D at a = b = 0, and the sum over a batch of 8 of dL_G/db at a = 3, b = -3: what the discriminator's victory
# leaves to the generator. The spread is three orders of magnitude, which Adam hides and penalty weights do not.
SCALE_AND_SIGNAL = {
    "bce_ns": (1.386294, -0.952574), "bce_mm": (1.386294, -0.047426), "lsgan": (0.5, -4.0),
    "lsgan(a=-1, b=1, c=0)": (1.0, -3.0), "hinge": (2.0, -1.0), "kl_wgan": (2.0, -1.0), "wasserstein": (0.0, -1.0),
    "asymmetric": (0.0, -1.0), "fgan_kl": (0.367879, -1.0), "fgan_kl(saturating=True)": (0.367879, -0.018316),
    "fgan_rkl": (0.0, -20.085537), "fgan_hellinger2": (0.0, -20.085537), "fgan_pearson": (0.0, -1.0),
    "fgan_pearson(saturating=True)": (0.0, 0.5), "fgan_neyman(saturating=True)": (0.0, -4.481689),
    "fgan_tv": (0.0, -0.004933), "rp_bce": (0.693147, -0.997527), "ra_bce": (0.693147, -0.997527),
    "rc_bce": (1.386294, -0.952574), "rp_ls": (1.0, -14.0), "ra_ls": (1.0, -14.0), "rc_ls": (2.0, -8.0),
    "rp_hinge": (1.0, -1.0), "ra_hinge": (1.0, -1.0), "rc_hinge": (2.0, -1.0),
    "dual_contrastive": (2 * math.log(9), -1.999380), "softmax_gan": (math.log(16), -0.497527),
    "bgan": (1.386294, -3.0), "alpha_loss(0.5, 0.8)": (2.0, -2.041244),
    "alpha_loss(0.5, 0.8, saturating=True)": (2.0, -0.048005),
}  # fmt: skip


def gradients(name: str, a: Tensor, b: Tensor) -> dict[str, Tensor]:
    """Return the derivatives dL_D/da, dL_D/db and dL_G/db."""
    a, b = a.clone().requires_grad_(), b.clone().requires_grad_()
    of_a, of_b = torch.autograd.grad(objective(name).discriminator(a, b), (a, b), allow_unused=True)
    (of_g,) = torch.autograd.grad(objective(name).generator(b, a.detach()), b)
    return {"dL_D/da": of_a, "dL_D/db": of_b, "dL_G/db": of_g}


def test_every_objective_is_derived_again_somewhere_here() -> None:
    derived = {name.split("(")[0] for name in (*CLOSED_FORMS, *DIVERGENCES)}
    vector_heads = {name for name in OBJECTIVES if objective(name).outputs > 1}
    assert vector_heads == {
        "realness",
        "spheregan",
        "mcgan_mean",
        "mcgan_cov",
        "mmd_rbf",
        "mmd_rq",
        "mmd_repulsive",
        "cramer",
        "sinkhorn",
        "otgan",
    }
    assert derived | vector_heads == set(OBJECTIVES)


@pytest.mark.parametrize("expression", CLOSED_FORMS)
@pytest.mark.parametrize("seed", range(3))
def test_closed_form(expression: str, seed: int) -> None:
    a, b = logits(seed), logits(seed + 100)
    expected_d, expected_g = CLOSED_FORMS[expression](a.numpy(), b.numpy())
    # softplus switches to the identity at 20, which is 2e-9 away from the exact value.
    assert objective(expression).discriminator(a, b).item() == pytest.approx(expected_d, rel=1e-8, abs=1e-12)
    assert objective(expression).generator(b, a).item() == pytest.approx(expected_g, rel=1e-8, abs=1e-12)


@pytest.mark.parametrize("expression", DIVERGENCES)
def test_the_best_discriminator_of_an_f_gan_returns_its_divergence(expression: str) -> None:
    """On two discrete distributions the bound, maximized atom by atom over the logit, is D_f(P||Q)."""
    p, q = np.array([0.5, 0.2, 0.05, 0.25]), np.array([0.1, 0.3, 0.4, 0.2])
    game = objective(expression)

    def loss(logit: float, weight_p: float, weight_q: float) -> float:
        v, apart = torch.tensor([logit], dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
        # The loss is a sum of a real and a fake term: each is read off with the other logit held at 0.
        nothing = game.discriminator(apart, apart)
        real, fake = game.discriminator(v, apart), game.discriminator(apart, v)
        real_at_zero = -_activation_at_zero(expression)
        return float(weight_p * (real - nothing + real_at_zero) + weight_q * (fake - real_at_zero))

    bound = 0.0
    for weight_p, weight_q in zip(p, q, strict=True):
        found = scipy.optimize.minimize_scalar(
            loss, bounds=(-9, 14), args=(weight_p, weight_q), method="bounded", options={"xatol": 1e-10}
        )
        bound -= found.fun
    expected = sum(
        weight_q * DIVERGENCES[expression](weight_p / weight_q) for weight_p, weight_q in zip(p, q, strict=True)
    )
    # The total variation is reached only by infinite logits; 9 is within 2e-8 of it.
    assert bound == pytest.approx(expected, rel=1e-6)


def _activation_at_zero(expression: str) -> float:
    """T(0) of table 2, by hand: how the constant splits between the real and the fake term."""
    name = expression.split("(")[0]
    if name == "fgan_alpha":
        alpha = float(expression.split("=")[1].rstrip(")"))
        return 0.0 if alpha > 1 else 1 / (1 - alpha) - math.log(2)
    return {"fgan_rkl": -1.0, "fgan_gan": -math.log(2)}.get(name, 0.0)


@pytest.mark.parametrize("name", SCALE_AND_SIGNAL)
def test_value_at_zero_and_signal_under_a_strong_discriminator(name: str) -> None:
    at_zero, signal = SCALE_AND_SIGNAL[name]
    zero = torch.zeros(8, dtype=torch.float64)
    assert objective(name).discriminator(zero, zero).item() == pytest.approx(at_zero, abs=1e-6)
    strong = gradients(name, torch.full_like(zero, 3.0), torch.full_like(zero, -3.0))
    assert strong["dL_G/db"].sum().item() == pytest.approx(signal, abs=1e-6)


@pytest.mark.parametrize("name", ["bce_ns", "rp_bce"])
def test_confidently_wrong_discriminator_keeps_its_gradient(name: str) -> None:
    found = gradients(name, torch.full((1,), -1e4), torch.full((1,), 1e4))
    assert found["dL_D/da"].item() == pytest.approx(-1, abs=1e-6)
    assert found["dL_D/db"].item() == pytest.approx(1, abs=1e-6)
    assert gradients(name, torch.full((1,), 1e4), torch.full((1,), -1e4))["dL_G/db"].item() == pytest.approx(-1)


def test_the_epsilon_form_goes_blind_where_the_logits_form_does_not() -> None:
    at = {b: gradients("bce_ns_eps", torch.zeros(1), torch.tensor([b])) for b in (-18.42, -25.0, 17.5)}
    assert at[-18.42]["dL_G/db"].item() == pytest.approx(-0.5, abs=0.01)
    assert at[-25.0]["dL_G/db"].item() == pytest.approx(-1e-3, abs=5e-4)
    assert at[17.5]["dL_D/db"].item() == 0.0, "1 - sigmoid has rounded to zero"
    assert objective("bce_ns_eps").discriminator(
        torch.full((1,), 50.0), torch.full((1,), 50.0)
    ).item() == pytest.approx(18.42, abs=0.01)
    assert gradients("bce_ns", torch.zeros(1), torch.tensor([17.5]))["dL_D/db"].item() == pytest.approx(1)


def test_the_exponentials_go_on_as_their_tangents() -> None:
    b = torch.tensor([15.9, 16.0, 16.1, 1e4], dtype=torch.float64, requires_grad=True)
    loss = objective("fgan_kl").discriminator(torch.zeros(4), b)
    (slope,) = torch.autograd.grad(loss, b)
    top = math.exp(15)
    assert (4 * slope).tolist() == pytest.approx([math.exp(14.9), top, top, top], rel=1e-9)
    assert loss.item() == pytest.approx((math.exp(14.9) + top + 1.1 * top + (1e4 - 15) * top) / 4, rel=1e-9)


@pytest.mark.parametrize("alpha", [1.5, 2.0, 3.0])
def test_the_conjugate_of_an_alpha_divergence_is_flat_below_its_least_value(alpha: float) -> None:
    """f*(t) is -f(0) = -1/alpha where no u has the slope t, below -1/(alpha - 1)."""
    edge, zero = -1 / (alpha - 1), torch.zeros(1, dtype=torch.float64)
    for v in (edge, edge - 0.5, edge - 7):
        loss = objective(f"fgan_alpha(alpha={alpha})").discriminator(zero, zero + v)
        assert loss.item() == pytest.approx(-1 / alpha, rel=1e-12)


@pytest.mark.parametrize("alpha", [0.999, 1.001])
def test_the_alpha_loss_tends_to_the_logistic_one(alpha: float) -> None:
    a, b = logits(1), logits(2)
    near, limit = objective(f"alpha_loss({alpha}, {alpha})"), objective("bce_ns")
    assert near.discriminator(a, b).item() == pytest.approx(limit.discriminator(a, b).item(), rel=5e-3)
    assert near.generator(b).item() == pytest.approx(limit.generator(b).item(), rel=5e-3)
    exact = objective("alpha_loss(1)")
    assert exact.discriminator(a, b).item() == pytest.approx(limit.discriminator(a, b).item(), rel=1e-12)
    assert exact.generator(b).item() == pytest.approx(limit.generator(b).item(), rel=1e-12)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("label_smooth(target=1)", "bce_ns"),
        ("bce_imbalanced(gamma=1)", "bce_ns"),
        ("hinge_imbalanced(gamma=1)", "hinge"),
        ("w_imbalanced(gamma=1)", "wasserstein"),
    ],
)
def test_variants_contain_their_original(one: str, other: str) -> None:
    a, b = logits(3), logits(4)
    assert objective(one).discriminator(a, b).item() == pytest.approx(
        objective(other).discriminator(a, b).item(), rel=1e-12
    )
    assert objective(one).generator(b, a).item() == pytest.approx(objective(other).generator(b, a).item(), rel=1e-12)


@pytest.mark.parametrize("base", ["bce", "ls", "hinge"])
def test_average_and_paired_agree_on_a_batch_of_one(base: str) -> None:
    a, b = logits(5, batch=1), logits(6, batch=1)
    for other in ("ra", "ralf"):
        assert objective(f"{other}_{base}").discriminator(a, b).item() == pytest.approx(
            objective(f"rp_{base}").discriminator(a, b).item(), rel=1e-12
        )


@pytest.mark.parametrize("name", [name for name in OBJECTIVES if name.split("_")[0] in ("rp", "ra", "ralf", "rc")])
def test_relativistic_losses_do_not_see_a_common_shift(name: str) -> None:
    a, b = logits(7), logits(8)
    assert objective(name).discriminator(a + 5, b + 5).item() == pytest.approx(
        objective(name).discriminator(a, b).item(), rel=1e-12
    )


def test_pairs_are_never_made_by_broadcasting() -> None:
    with pytest.raises(ValueError, match=r"equal shapes, got \(8,\) and \(1,\)"):
        objective("rp_bce").discriminator(logits(1), logits(2, batch=1))
    with pytest.raises(ValueError, match="rp_bce pairs real with fake"):
        objective("rp_bce").generator(logits(1), logits(2, batch=4))


@pytest.mark.parametrize(
    ("alias", "original"),
    [("fgan_js", "bce_ns"), ("fgan_gan", "bce_ns"), ("fgan_js(True)", "bce_mm"), ("fgan_gan(True)", "bce_mm")],
)
def test_an_alias_resolves_to_what_it_trains_as(alias: str, original: str) -> None:
    method = losses.get(f"{alias} + r1")
    assert str(method.resolved) == str(losses.get(f"{original} + r1"))
    assert losses.get("bce_ns + r1").resolved == losses.get("bce_ns + r1")
    assert losses.describe(alias.split("(")[0]).alias == "bce_ns"
