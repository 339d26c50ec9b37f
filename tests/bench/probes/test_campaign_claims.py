"""Rows about trained losses: what is called reproduced, contradicted and not shown."""

import dataclasses
from pathlib import Path

import msgspec
import numpy as np
import pytest

from bench.methods import resolve
from bench.probes.campaign_claims import DISTANCE, LATE_REGRESSION, MODES, TrainedClaim, judge
from bench.probes.reproductions import TRAINED_CLAIMS

PAGE = Path(__file__).parents[3] / "docs" / "reproductions.md"


@pytest.fixture
def claim():
    """`lsgan` is said to be better than `nsgan`."""
    return TrainedClaim(
        subject="a loss",
        published="lower FID (somebody, 2020)",
        campaign="made-up",
        better="lsgan",
        than="nsgan",
        measure=DISTANCE,
        reason="planted",
    )


@pytest.fixture
def runs(record, workload):
    """Return the runs of both methods, given the distances at each seed; None is a process that was lost."""

    def make(lsgan, nsgan):
        given = {canonical("lsgan"): lsgan, canonical("nsgan"): nsgan}
        return [
            record(workload, method, seed, distance=distance)
            if distance is not None
            else record(workload, method, seed, distance=None, status="error")
            for method, distances in given.items()
            for seed, distance in enumerate(distances)
        ]

    return make


def canonical(name):
    (method,) = resolve([name])
    return str(method)


LOW, HIGH = [50.0, 51.0, 52.0, 53.0, 54.0], [90.0, 80.0, 95.0, 85.0, 99.0]


def verdict_of(line):
    return line.split(" | ")[3]


def test_a_claim_that_holds_at_all_of_five_seeds_is_reproduced(claim, runs):
    assert claim.line_of(runs(LOW, HIGH)) == (
        "| a loss | lower FID (somebody, 2020) | FD 52 against 90; better at 5 of 5 seeds; p 0.031 | reproduced "
        "| planted | `python -m bench run --suite made-up` |"
    )


def test_the_opposite_at_all_of_five_seeds_contradicts_it(claim, runs):
    line = claim.line_of(runs(HIGH, LOW))
    assert "better at 0 of 5 seeds; p 0.031" in line
    assert verdict_of(line) == "**contradicted**"


@pytest.mark.parametrize(
    ("lsgan", "nsgan"),
    [(LOW[:4], HIGH[:4]), ([50.0, 51.0, 52.0, 53.0, 99.0], [90.0, 80.0, 95.0, 85.0, 60.0]), (LOW, LOW)],
    ids=["four seeds", "one seed is against it", "equal"],
)
def test_what_could_be_chance_is_not_shown_in_either_direction(claim, runs, lsgan, nsgan):
    assert verdict_of(claim.line_of(runs(lsgan, nsgan))) == "not shown"
    assert verdict_of(claim.line_of(runs(nsgan, lsgan))) == "not shown"


@pytest.mark.parametrize(("differences", "p"), [([1, 2, 3, 4, -0.5], 2 / 32), ([1, 2, 3, 4, 5], 1 / 32), ([0, 0], 0.5)])
def test_p_is_the_share_of_sign_patterns_on_one_side(differences, p):
    """By hand: of 1 + 2 + 3 + 4 - 0.5, only the pattern without a minus has a larger sum."""
    assert judge(np.array(differences, dtype=float))[1] == pytest.approx(p, rel=1e-12)
    assert judge(-np.array(differences, dtype=float))[1] == pytest.approx(p, rel=1e-12)


def test_a_failed_run_is_the_worst_and_a_lost_process_is_none(claim, runs, record, workload):
    lost = runs([*LOW, None], [*HIGH, 70.0])
    assert "better at 5 of 5 seeds" in claim.line_of(lost)
    failed = [*runs(LOW, HIGH[:4]), record(workload, canonical("nsgan"), 4, distance=40.0, status="diverged")]
    line = claim.line_of(failed)
    assert "against 85 (1 failed); better at 5 of 5 seeds" in line


def test_modes_are_compared_as_modes(claim, record, workload):
    def found(method, counts):
        return [
            record(workload, canonical(method), seed, metrics={"modes": count}) for seed, count in enumerate(counts)
        ]

    more = found("lsgan", [200.0, 210.0, 220.0, 230.0, 240.0])
    few = found("nsgan", [100.0, 0.0, 110.0, 120.0, None])
    line = dataclasses.replace(claim, measure=MODES).line_of([*more, *few])
    assert "modes 220 against 105; better at 5 of 5 seeds" in line
    assert verdict_of(line) == "reproduced"


def test_less_late_regression_is_better(claim, record, workload):
    def ended(method, values):
        return [
            msgspec.structs.replace(record(workload, canonical(method), seed), stability={"late_regression": value})
            for seed, value in enumerate(values)
        ]

    steady = ended("lsgan", [0.0, 0.1, 0.0, 0.2, 0.0])
    line = dataclasses.replace(claim, measure=LATE_REGRESSION).line_of([*steady, *ended("nsgan", [0.5] * 5)])
    assert "late regression 0 against 0.5; better at 5 of 5 seeds" in line
    assert verdict_of(line) == "reproduced"
    with pytest.raises(ValueError, match="has no late regression"):
        dataclasses.replace(claim, measure=LATE_REGRESSION).line_of([*steady, *ended("nsgan", [None])])


def test_what_is_not_there_is_told(claim, runs):
    with pytest.raises(ValueError, match="no run of nsgan is there"):
        claim.line_of(runs(LOW, []))
    with pytest.raises(ValueError, match="more than one run of lsgan at a seed"):
        claim.line_of(runs(LOW, HIGH) + runs(LOW, []))
    with pytest.raises(ValueError, match="made-up has no seed of both lsgan and nsgan"):
        claim.line_of(runs(LOW[:1], []) + runs([], [None, 60.0])[1:])
    with pytest.raises(ValueError, match="there are no published records called 'made-up'"):
        claim.line()


@pytest.mark.parametrize("claim", TRAINED_CLAIMS, ids=lambda claim: claim.subject)
def test_the_page_has_the_rows_of_the_published_records(claim):
    assert claim.line() in PAGE.read_text(encoding="utf-8").splitlines()
