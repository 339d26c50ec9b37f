"""Readings, signals and curves against numbers derived apart from the library."""

import math

import numpy as np
import pytest
import torch

import losses
from bench.atlas import signals
from bench.atlas.pages import scalar_objectives
from losses import registry


def sigmoid(t):
    return 1 / (1 + math.exp(-t))


LOST = sigmoid(-3)  # what a logistic generator has left where D wins
SURE = sigmoid(6)

EXPECTED = {
    # the objective: L_D(0, 0), and the generator's signal at a = 3, b = -3
    "bce_mm": (2 * math.log(2), -LOST),
    "bce_ns": (2 * math.log(2), -(1 - LOST)),
    "lsgan": (0.5, -4),
    "lsgan(a=-1, b=1, c=0)": (1, -3),
    "hinge": (2, -1),
    "kl_wgan": (2, -1),
    "wasserstein": (0, -1),
    "asymmetric": (0, -1),
    "fgan_kl": (math.exp(-1), -1),
    "fgan_kl(saturating=True)": (math.exp(-1), -math.exp(-4)),
    "fgan_rkl": (0, -math.exp(3)),
    "fgan_hellinger2": (0, -math.exp(3)),
    "fgan_pearson": (0, -1),
    "fgan_pearson(saturating=True)": (0, 0.5),
    "fgan_neyman(saturating=True)": (0, -math.exp(1.5)),
    "fgan_tv": (0, -0.5 / math.cosh(3) ** 2),
    "rp_bce": (math.log(2), -SURE),
    "ra_bce": (math.log(2), -SURE),
    "rc_bce": (2 * math.log(2), -(1 - LOST)),
    "rp_ls": (1, -14),
    "ra_ls": (1, -14),
    "rc_ls": (2, -8),
    "rp_hinge": (1, -1),
    "rc_hinge": (2, -1),
    "dual_contrastive": (2 * math.log(9), -2 * (1 - 1 / (1 + 8 * math.exp(6)))),
    "softmax_gan": (math.log(16), -0.5 + 1 / (1 + math.exp(6))),
    "bgan": (2 * math.log(2), -3),
    "alpha_loss(alpha_d=0.5, alpha_g=0.8)": (2, None),
    "alpha_loss(alpha_d=0.5, alpha_g=0.8, saturating=True)": (2, None),
    "bce_d": (2 * math.log(2), 0),
}


def alpha_slope(alpha, t):
    """The slope of alpha/(alpha - 1) (1 - sigmoid(t)^q), q = (alpha - 1)/alpha, worked out on paper."""
    return -(sigmoid(t) ** ((alpha - 1) / alpha)) * (1 - sigmoid(t))


EXPECTED["alpha_loss(alpha_d=0.5, alpha_g=0.8)"] = (2, alpha_slope(0.8, -3))
EXPECTED["alpha_loss(alpha_d=0.5, alpha_g=0.8, saturating=True)"] = (2, alpha_slope(0.8, 3))

PUBLISHED = {
    # the same as a reference table prints them
    "bce_mm": (1.386, -0.047), "bce_ns": (1.386, -0.953), "fgan_kl": (0.368, -1), "fgan_rkl": (0, -20.1),
    "fgan_kl(saturating=True)": (0.368, -0.018), "fgan_neyman(saturating=True)": (0, -4.5),
    "rp_bce": (0.693, -0.998), "ra_bce": (0.693, -0.998), "rc_bce": (1.386, -0.953),
    "softmax_gan": (math.log(16), -0.50), "dual_contrastive": (2 * math.log(9), -2.0), "fgan_tv": (0, -0.005),
    "alpha_loss(alpha_d=0.5, alpha_g=0.8)": (2, -2.0),
    "alpha_loss(alpha_d=0.5, alpha_g=0.8, saturating=True)": (2, -0.048),
}  # fmt: skip


@pytest.mark.parametrize("expression", list(EXPECTED))
def test_reading_and_signal_are_those_of_the_formula(expression):
    objective = losses.get(expression).objective
    reading, signal = EXPECTED[expression]
    assert signals.reading_at_zero(objective) == pytest.approx(reading, abs=1e-12)
    assert signals.push(objective) == pytest.approx(signal, abs=1e-12)


@pytest.mark.parametrize("expression", list(PUBLISHED))
def test_reading_and_signal_are_those_of_the_published_table(expression):
    objective = losses.get(expression).objective
    reading, signal = PUBLISHED[expression]
    assert signals.reading_at_zero(objective) == pytest.approx(reading, abs=6e-4)
    # -2.0 was printed with one decimal, -0.0497 as -.050, and so on
    assert signals.push(objective) == pytest.approx(signal, abs=0.05 if abs(signal) > 1 else 3e-3)


def test_a_vector_head_has_a_reading_and_no_signal():
    realness = registry.part("realness")()
    assert math.isfinite(signals.reading_at_zero(realness))
    assert signals.push(realness) is None


@pytest.mark.parametrize(
    ("signal", "words"),
    [(-0.953, ""), (-0.0474, "vanishing"), (-20.1, "exploding"), (0.5, "the wrong way"), (0.0, "none")],
)
def test_a_signal_is_put_in_words(signal, words):
    assert signals.in_words(signal) == words


def test_the_curves_of_a_loss_that_reads_logits_one_by_one_are_its_terms():
    # torch's softplus is linear from 20 on, which is 2e-9 off
    t = np.array(signals.logits())
    real, fake, generator = signals.curves(registry.part("bce_ns")())
    assert real.values == pytest.approx(np.logaddexp(0, -t) + math.log(2), abs=5e-9)
    assert fake.values == pytest.approx(np.logaddexp(0, t) + math.log(2), abs=5e-9)
    assert generator.values == pytest.approx(np.logaddexp(0, -t), abs=5e-9)
    assert real.gradients == pytest.approx(-1 / (1 + np.exp(t)), abs=5e-9)
    assert fake.gradients == pytest.approx(1 / (1 + np.exp(-t)), abs=5e-9)


def test_the_curves_of_a_loss_of_means_show_one_image_of_eight():
    t = np.array(signals.logits())
    # ra_ls by one real logit: 1/2 [mean (a - 1)^2 + (mean a - 1)^2], the second with the mean t/8
    value = 1 + 8 * 0.5 * (((t - 1) ** 2 - 1) / 8 + (t / 8 - 1) ** 2 - 1)
    assert signals.curves(registry.part("ra_ls")())[0].values == pytest.approx(value, abs=1e-9)


def test_the_curves_of_the_defect_die_as_they_do_in_single_precision():
    _, fake, generator = signals.curves(registry.part("bce_ns_eps")())
    at = {logit: index for index, logit in enumerate(signals.logits())}
    assert fake.gradients[at[15.125]] > 0.5
    assert {fake.gradients[at[logit]] for logit in at if logit > 18} == {0.0}
    assert max(fake.values) == pytest.approx(-math.log(1e-8) + math.log(2), abs=1e-4)
    assert generator.gradients[at[-15.125]] == pytest.approx(-0.964, abs=5e-3)
    assert generator.gradients[at[-25.125]] > -2e-3
    in_double = signals.curves(registry.part("bce_ns_eps")(), torch.float64)
    assert in_double[1].gradients[at[17.125]] > 0.5


def test_every_curve_is_finite():
    for objective in scalar_objectives():
        for curve in signals.curves(objective):
            assert np.isfinite(curve.values).all(), objective.name
            assert np.isfinite(curve.gradients).all(), objective.name


def test_digests_tell_objectives_apart_and_aliases_together():
    digest = {each.name: signals.digest(each) for each in scalar_objectives()}
    assert digest["fgan_gan"] == digest["bce_ns"]
    assert len(set(digest.values())) == len(digest) - 1


def test_a_digest_ignores_what_machines_disagree_about():
    assert signals.rounded(1.23456e-9) == signals.rounded(0.0) == "0"
    assert signals.rounded(2.000000001) == signals.rounded(2.0)
    assert signals.rounded(2.001) != signals.rounded(2.0)
    assert signals.rounded(-1234.56) == "-1235e0"
    for value in (23.875, 1.0, 1000.0, 0.5, 10.0625, 6.0625):  # a linear loss has halves and powers of ten
        assert len({signals.rounded(value * (1 + error)) for error in (-1e-12, 0, 1e-12)}) == 1, value


def test_no_digest_hangs_on_the_last_bits_of_a_number():
    for objective in scalar_objectives():
        for curve in signals.curves(objective, torch.float64):
            for number in (*curve.values, *curve.gradients):
                near = {signals.rounded(number * (1 + error) + error) for error in (-1e-12, 0, 1e-12)}
                assert len(near) == 1, (objective.name, curve.label, number)
