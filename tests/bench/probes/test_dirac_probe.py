"""The Dirac probe: rates against the eigenvalues of the linearised system, verdicts, refusals, what is written."""

import csv
import io
import math

import numpy as np
import pytest
import torch
from slow_cases import sampled

import losses
from bench.probes import dirac
from bench.probes.dirac import SCHEDULES, DiracGan, Schedule, Trajectory, consensus_optimization, follow
from losses import registry

SIMULTANEOUS, ALTERNATING, FIVE = SCHEDULES


def linear_step(gamma: float, schedule: Schedule, h: float = dirac.STEP_SIZE) -> np.ndarray:
    """One step near the equilibrium: theta' = -psi/2 and psi' = theta/2 - gamma psi, on (theta, psi)."""
    generator = np.array([[1, -h / 2], [0, 1]])
    discriminator = np.array([[1, 0], [h / 2, 1 - h * gamma]])
    if schedule.together:
        return generator + discriminator - np.eye(2)
    return np.linalg.matrix_power(discriminator, schedule.critic_steps) @ generator


@pytest.mark.parametrize("gamma", sampled([0.6, 0.3, 2.0], every=3))
@pytest.mark.parametrize("schedule", sampled([SIMULTANEOUS, ALTERNATING], every=2), ids=lambda each: each.name)
def test_rates_with_r1_are_the_eigenvalues_of_the_linearised_field(gamma, schedule):
    trajectory = follow(losses.get(f"bce_mm + r1(gamma={gamma})"), schedule, steps=300, batch_size=2)
    theory = math.log(max(abs(np.linalg.eigvals(linear_step(gamma, schedule)))))
    # A spiral is an ellipse, so its radius swings about the exponential that the fit looks for.
    assert trajectory.rate == pytest.approx(theory, rel=0.02)
    assert trajectory.verdict == "convergent"


@pytest.mark.slow
def test_simultaneous_rates_are_those_of_the_flow_of_the_paper():
    gamma = 0.3
    eigenvalue = complex(-gamma / 2, math.sqrt(1 / 4 - gamma**2 / 4))
    expected = math.log(abs(1 + dirac.STEP_SIZE * eigenvalue))
    assert follow(losses.get("bce_mm + r1(gamma=0.3)"), SIMULTANEOUS, batch_size=2).rate == pytest.approx(
        expected, rel=0.005
    )


def test_the_slopes_of_consensus_optimization_are_those_of_the_closed_form():
    """In the minimax game v = s (psi, -theta) with s = sigmoid(b) and b = -psi theta: |v|^2 = s^2 (theta^2 + psi^2)."""
    theta, psi, gamma = 0.7, -0.4, 0.3
    game = DiracGan(losses.get("bce_mm"), batch_size=2)
    with torch.no_grad():
        game.generator.theta.fill_(theta)
        game.discriminator.psi.fill_(psi)
    s = 1 / (1 + math.exp(psi * theta))
    outer = (theta**2 + psi**2) * s**2 * (1 - s)  # from ds/db = s (1 - s), before db/dtheta = -psi, db/dpsi = -theta
    slopes = s**2 * theta - outer * psi, s**2 * psi - outer * theta
    game.move_together(0, consensus=gamma)
    step = [-dirac.STEP_SIZE * (own + gamma * slope) for own, slope in zip((s * psi, -s * theta), slopes, strict=True)]
    assert game.position == pytest.approx((theta + step[0], psi + step[1]), rel=1e-9)


@pytest.mark.parametrize(("gamma", "steps"), sampled([(1.0, 120), (0.5, 400)], every=2))
def test_the_rate_of_consensus_optimization_is_that_of_its_eigenvalues(gamma, steps):
    trajectory = follow(losses.get("bce_mm"), consensus_optimization(gamma), steps=steps, batch_size=2)
    eigenvalue = complex(-gamma / 4, 1 / 2)
    assert trajectory.rate == pytest.approx(math.log(abs(1 + dirac.STEP_SIZE * eigenvalue)), rel=0.005)
    assert trajectory.verdict == "convergent"


def test_consensus_optimization_leaves_what_parts_remember_and_draw_as_it_was():
    expression = "bce_ns + instance_noise(sigma=0.5) + lecam(weight=0.1, decay=0.9, start=1)"
    plain, other = (DiracGan(losses.get(expression), batch_size=4) for _ in range(2))
    for index in range(4):
        plain.move_together(index)
        other.move_together(index, consensus=1e-300)
    assert other.position == plain.position
    assert str(other.step.state) == str(plain.step.state)
    assert plain.step.state, "something is remembered"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("expression", "schedule", "verdict"),
    sampled(
        [
            ("bce_mm", SIMULTANEOUS, "not convergent"),
            ("bce_ns", ALTERNATING, "slow"),
            ("wasserstein + gp1(weight=0.35)", ALTERNATING, "not convergent"),
            ("wasserstein + weight_clip(c=1)", ALTERNATING, "not convergent"),
            ("wgan", SIMULTANEOUS, "near"),
            ("bce_mm + instance_noise(sigma=0.7)", SIMULTANEOUS, "near"),
            ("bce_mm + r1(gamma=1)", ALTERNATING, "convergent"),
            ("wgan-gp", SIMULTANEOUS, "overflow"),
        ],
        every=8,
    ),
)
def test_verdicts_are_those_of_the_theory(expression, schedule, verdict):
    assert follow(losses.get(expression), schedule).verdict == verdict


def made(radii, steps=None):
    positions = [(radius, 0.0) for radius in radii]
    return Trajectory("made", "made", SIMULTANEOUS, positions, len(radii) - 1 if steps is None else steps)


def test_the_rate_and_the_verdict_of_a_made_trajectory():
    decay = made([math.exp(-0.03 * step) for step in range(201)])
    assert decay.rate == pytest.approx(-0.03, rel=1e-9)
    assert decay.verdict == "convergent"
    # What happens in the first half is no part of it.
    assert made([1.0] * 100 + [math.exp(-0.03 * step) for step in range(101)]).rate == pytest.approx(-0.03, rel=1e-9)
    # Constant speed into a small orbit, as under a clipped critic.
    assert made([max(1 - step / 200, 0.01) for step in range(251)]).verdict == "near"
    assert made([1.0 for _ in range(201)]).verdict == "not convergent"
    assert made([math.exp(-0.003 * step) for step in range(201)]).verdict == "slow"
    assert made([math.exp(-0.9 * step) if step < 100 else 0.0 for step in range(201)]).verdict == "convergent"
    broken = made([1.0, 3.0, 9.0], steps=200)
    assert (broken.rate, broken.verdict) == (None, "overflow")
    assert broken.to_json()["radius"] is None


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("bce_ns + diffaug", "diffaug works on images"),
        ("bce_ns + pack", "joins 2 samples"),
        ("bce_ns + spectral_norm", "spectral_norm changes layers of weights"),
        ("bce_ns + msgan", "compares the samples of different latents"),
        ("bce_ns + ortho", "reads layers of weights"),
        ("bce_ns + feature_variance", "reads features"),
        ("realness", "outputs a sample"),
        ("bce_ns + bcr", "bcr works on images"),
    ],
)
def test_what_two_numbers_cannot_give_is_refused_with_the_reason(expression, words):
    with pytest.raises(ValueError, match=words):
        dirac.probe(["nsgan", expression])


@pytest.mark.slow
def test_every_part_is_either_refused_or_makes_its_steps():
    followed = 0
    for name, part in registry.parts().items():
        method = losses.get(name if part.kind == "objective" else f"bce_ns + {name}")
        if dirac.refusal(method) is None:
            followed += 1
            positions = follow(method, ALTERNATING, steps=3, batch_size=4).positions
            assert len(positions) > 1, name
    assert followed > 50


def test_the_table_has_every_position():
    trajectories = dirac.probe(["mmgan"], steps=20)
    rows = list(csv.DictReader(io.StringIO(dirac.to_csv(trajectories))))
    assert len(rows) == 3 * 21
    assert (rows[0]["theta"], rows[0]["psi"], rows[0]["step"]) == ("1.0", "1.0", "0")
    assert {row["schedule"] for row in rows} == {schedule.name for schedule in SCHEDULES}
    assert float(rows[-1]["radius"]) == trajectories[-1].radii[-1]
