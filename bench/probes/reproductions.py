"""docs/reproductions.md: what papers say and what is found here, side by side; written again by

    python -m bench.probes.reproductions > docs/reproductions.md

A claim is reproduced if its check passes. What is written is the same on every machine: rates of a game of two numbers
in float64 to two digits, and verdicts elsewhere. Rows about trained losses are from published records
(`bench.probes.campaign_claims`).
"""

import cmath
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import losses
from bench.common.threads import torch_threads
from bench.config.commands import command
from bench.probes import dirac, gradients
from bench.probes.campaign_claims import CLAIMS, LEVEL, CampaignClaim
from bench.probes.claim_rows import HEAD, row
from bench.probes.dirac import SCHEDULES, Convergence, Schedule, Trajectory, consensus_optimization, follow
from bench.probes.factor_claims import FACTOR_CLAIMS
from bench.probes.mnist_claims import MNIST_CLAIMS
from bench.probes.norm_claims import NORM_CLAIMS

SIMULTANEOUS, ALTERNATING, _ = SCHEDULES
CONSENSUS: Final = consensus_optimization(1.0)
_SLOPE: Final = 0.5
"""f'(0) of the logistic loss, in the notation of Mescheder et al."""

_RATE_TOLERANCE: Final = 0.02
"""Of a rate against theory, relatively: a spiral is an ellipse, so its radius swings about the exponential."""

_UPDATES: Final = 600


@dataclass(frozen=True)
class Found:
    """What came out of a probe, and whether it is what was published."""

    words: str
    agrees: bool


@dataclass(frozen=True)
class Claim:
    """One row: what a source says, and the probe that looks."""

    subject: str
    published: str
    command: str
    look: Callable[[], Found]
    reason: str

    def line(self) -> str:
        seen = self.look()
        verdict = "reproduced" if seen.agrees else "**not reproduced**"
        return row(self.subject, self.published, seen.words, verdict, self.reason, self.command)


def convergence_claim(
    subject: str, expression: str, schedule: Schedule, published: str, fitting: tuple[Convergence, ...], reason: str
) -> Claim:
    """Return a claim about whether a Dirac-GAN reaches its equilibrium."""

    def look() -> Found:
        verdict = follow(losses.get(expression), schedule).verdict
        return Found(verdict, verdict in fitting)

    return Claim(f"{subject}, {schedule.name}", published, _command(expression, schedule), look, reason)


def rate_claim(
    subject: str,
    expression: str,
    eigenvalue: complex,
    published: str,
    reason: str,
    schedule: Schedule = SIMULTANEOUS,
) -> Claim:
    """Return a claim about the rate of descent together: log|1 + h v| for the eigenvalue v of the flow."""

    def look() -> Found:
        expected = math.log(abs(1 + dirac.STEP_SIZE * eigenvalue))
        rate = _rate(follow(losses.get(expression), schedule))
        near = math.isclose(rate, expected, rel_tol=_RATE_TOLERANCE)
        return Found(f"{rate:+.2g} a step, theory {expected:+.2g}", near)

    return Claim(f"{subject}, {schedule.name}", published, _command(expression, schedule), look, reason)


def _command(expression: str, schedule: Schedule) -> str:
    gamma = ("--consensus", f"{schedule.consensus:g}") if schedule.consensus else ()
    return command("probe", "dirac", expression, *gamma)


def gradient_claims() -> list[Claim]:
    """Return the claims about the gradient that a discriminator which has won leaves to the generator."""
    methods = {"mmgan": "vanishing", "nsgan": "exploding", "wgan-gp": "steady"}
    published = {
        "mmgan": "the norm falls, by up to five orders of magnitude in 4,000 updates of D",
        "nsgan": "the norm does not fall, it grows",
        "wgan-gp": "a critic held to slope 1 keeps its gradient (Gulrajani et al. 2017)",
    }
    verdicts: dict[str, str] = {}

    def look(method: str) -> Found:
        if not verdicts:
            verdicts.update({curve.method: curve.verdict for curve in gradients.probe(list(methods), updates=_UPDATES)})
        return Found(verdicts[method], verdicts[method] == methods[method])

    return [
        Claim(
            f"{method}, {_UPDATES} updates of D against an untrained generator",
            words,
            command("probe", "gradients", *methods, "--updates", str(_UPDATES)),
            lambda method=method: look(method),  # type: ignore[misc]
            "A narrow DCGAN on digits: the direction is compared, not the size.",
        )
        for method, words in published.items()
    ]


def _rate(trajectory: Trajectory) -> float:
    return math.nan if trajectory.rate is None else trajectory.rate


def _with_r1(gamma: float) -> complex:
    """Return the eigenvalue of the flow under R1 that decays last."""
    root = cmath.sqrt(gamma**2 / 4 - _SLOPE**2)
    return max((-gamma / 2 + root, -gamma / 2 - root), key=lambda eigenvalue: eigenvalue.real)


_STAY: Final[tuple[Convergence, ...]] = ("not convergent", "overflow")
_ARRIVE: Final[tuple[Convergence, ...]] = ("convergent", "near")

DIRAC: Final = (
    convergence_claim(
        "Goodfellow's game", "bce_mm", SIMULTANEOUS, "does not converge", _STAY,
        "Eigenvalues ±f'(0)i: every step leads outward.",
    ),
    convergence_claim(
        "Goodfellow's game", "bce_mm", ALTERNATING, "does not converge", _STAY, "It circles for ever.",
    ),
    convergence_claim(
        "non-saturating", "bce_ns", ALTERNATING, "no linear convergence", ("slow", "not convergent"),
        "The same eigenvalues; far from the equilibrium it creeps inward.",
    ),
    convergence_claim(
        "WGAN, clipped", "wasserstein + weight_clip(c=1)", ALTERNATING, "does not converge", _STAY,
        "The slope runs from one end of the clipped range to the other.",
    ),
    convergence_claim(
        "WGAN-GP", "wasserstein + gp1(weight=0.35)", ALTERNATING, "does not converge", _STAY,
        "The slope is driven to 1, and the equilibrium has slope 0.",
    ),
    convergence_claim(
        "instance noise", "bce_mm + instance_noise(sigma=0.7)", SIMULTANEOUS, "converges", _ARRIVE,
        "The probe draws the noise, so it ends in a small cloud.",
    ),
    convergence_claim(
        "R1, gamma 1", "bce_mm + r1(gamma=1)", ALTERNATING, "converges", ("convergent",),
        "Real parts are negative.",
    ),
    rate_claim(
        "R1, gamma 0.3", "bce_mm + r1(gamma=0.3)", _with_r1(0.3), "eigenvalue −γ/2 ± √(γ²/4 − f'(0)²)",
        "Below the critical gamma of 1: a spiral.",
    ),
    rate_claim(
        "R1, gamma 2", "bce_mm + r1(gamma=2)", _with_r1(2.0), "eigenvalue −γ/2 ± √(γ²/4 − f'(0)²)",
        "Above it: no spiral, and slower.",
    ),
    convergence_claim(
        "Goodfellow's game", "bce_mm", CONSENSUS, "converges", ("convergent",),
        "Half the squared norm of both gradients is added to each loss, with gamma 1.",
    ),
    rate_claim(
        "Goodfellow's game", "bce_mm", complex(-(_SLOPE**2), _SLOPE), "eigenvalue −γf'(0)² ± if'(0)",
        "Real parts are −γf'(0)².", CONSENSUS,
    ),
)  # fmt: skip

TIME_SCALES: Final = tuple(
    convergence_claim(
        f"Goodfellow's game, D's rate times {ratio}", f"bce_mm + ttur(ratio={ratio})", schedule,
        "no ratio of rates makes it converge", _STAY,
        "The eigenvalues stay imaginary: ±f'(0)i times the root of the product of the rates.",
    )
    for ratio in ("4", "0.25")
    for schedule in (SIMULTANEOUS, ALTERNATING)
)  # fmt: skip

_INTRODUCTION: Final = f"""# What is published, and what is found here

Written by `python -m bench.probes.reproductions`; a test compares this file with what it writes. A row is reproduced if
the probe, or a published campaign, finds what the source says. Its command shows it in full.

## The Dirac-GAN

Mescheder, Geiger and Nowozin, Which training methods for GANs do actually converge?, ICML 2018. Step size
{dirac.STEP_SIZE}, {dirac.STEPS} steps from (1, 1). The probe calls a path *convergent*, *near* (within a small cloud),
*slow* (still falling), *not convergent*, or *overflow*.
"""

_TIME_SCALES: Final = """
## Two time scales

Heusel et al. (NeurIPS 2017) prove convergence for two time scales under assumptions, among them a stable equilibrium.
Mescheder et al. show that the Dirac-GAN has none without a regularizer, whatever the rates.
"""

_GRADIENTS: Final = """
## The gradient that a discriminator which has won leaves

Arjovsky and Bottou, Towards principled methods for training GANs, ICLR 2017: a frozen generator, a fresh discriminator.
*vanishing* is a last norm below a tenth of the largest early one, *exploding* above ten times.
"""

_TRAINED: Final = f"""
## Losses in training

The rows above need no trained generator; these come from the published campaigns. The paper has named the better
method, or the larger of two changes, so the test is one-sided. If the two were equal, every difference at a seed could
as well have the other sign; p is the share of all sign patterns whose mean is at least as far out. A row is
*reproduced* if p is at most {LEVEL} on the paper's side, *contradicted* if it is so on the other side, and else *not
shown*. Five seeds that all agree give 0.031, and ten 0.001. Each row is a test of its own: of twenty rows, one reaches
{LEVEL} on the paper's side by chance, and one on the other. Networks, data and budgets are this benchmark's, far
smaller than the papers', so a contradiction says where a claim does not hold, and not that the paper is wrong.
"""

_LACKING: Final = """
## Not there yet

This needs a campaign that is not published, so nothing is said of it here:

- ring and grid of PacGAN, with its own architecture and budget: 400,000 updates, three hours of a CPU core a run
"""


TRAINED_CLAIMS: Final[tuple[CampaignClaim, ...]] = (*CLAIMS, *FACTOR_CLAIMS, *NORM_CLAIMS, *MNIST_CLAIMS)
"""The rows that published campaigns answer."""


def document() -> str:
    """Return the text of docs/reproductions.md."""
    with torch_threads(1):
        parts = [
            _INTRODUCTION, *table(DIRAC), _TIME_SCALES, *table(TIME_SCALES), _GRADIENTS, *table(gradient_claims()),
            _TRAINED, *table(TRAINED_CLAIMS), _LACKING,
        ]  # fmt: skip
    return "\n".join(part.rstrip("\n") if part is _LACKING else part for part in parts) + "\n"


def table(claims: Iterable[Claim | CampaignClaim]) -> list[str]:
    """Return the lines of a table of claims, each looked at now."""
    return [*HEAD, *(claim.line() for claim in claims)]


if __name__ == "__main__":
    print(document(), end="")  # noqa: T201 - the document is the output
