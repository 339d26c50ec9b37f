"""Rows about a norm of the discriminator: one method at the same seeds in two campaigns of a suite."""

import pytest

from bench.methods import resolve
from bench.probes import norm_claims
from bench.probes.campaign_claims import DISTANCE
from bench.probes.norm_claims import NormClaim

LOW, HIGH = [50.0, 51.0, 52.0, 53.0, 54.0], [90.0, 80.0, 95.0, 85.0, 99.0]


@pytest.fixture
def claim():
    return NormClaim(
        subject="a norm",
        published="lower FID with it (somebody, 2020)",
        campaign="made-up-sn",
        method="lsgan",
        than="made-up",
        measure=DISTANCE,
        reason="planted",
    )


@pytest.fixture
def runs(record, workload):
    def make(distances, first_seed=0):
        (method,) = resolve(["lsgan"])
        return [
            record(workload, str(method), seed, distance=distance)
            for seed, distance in enumerate(distances, first_seed)
        ]

    return make


@pytest.fixture
def without(monkeypatch):
    """Plant the records of the campaign without the norm."""

    def plant(records):
        monkeypatch.setattr(norm_claims, "records_of", {"made-up": records}.__getitem__)

    return plant


def cells(line):
    return [cell.strip() for cell in line.strip("| ").split(" | ")]


@pytest.mark.parametrize(
    ("with_norm", "bare", "found", "verdict"),
    [
        (LOW, HIGH, "FD 52 against 90; better at 5 of 5 seeds; p 0.031", "reproduced"),
        (HIGH, LOW, "FD 90 against 52; better at 0 of 5 seeds; p 0.031", "**contradicted**"),
        (LOW[:4], HIGH[:4], "FD 51.5 against 87.5; better at 4 of 4 seeds; p 0.062", "not shown"),
    ],
)
def test_the_campaign_with_the_norm_is_the_one_said_to_be_better(claim, runs, without, with_norm, bare, found, verdict):
    without(runs(bare))
    assert cells(claim.line_of(runs(with_norm)))[2:4] == [found, verdict]


def test_only_seeds_of_both_campaigns_are_compared(claim, runs, without):
    without(runs(HIGH, first_seed=3))
    assert "better at 2 of 2 seeds" in claim.line_of(runs(LOW))
    without(runs(HIGH, first_seed=5))
    with pytest.raises(ValueError, match="made-up-sn and made-up have no seed of lsgan in common"):
        claim.line_of(runs(LOW))


def test_a_row_says_how_to_train_both_campaigns_again(claim, runs, without):
    without(runs(HIGH))
    commands = "`python -m bench run --suite made-up --d-norm sn` and `python -m bench run --suite made-up`"
    assert cells(claim.line_of(runs(LOW)))[-1] == commands
