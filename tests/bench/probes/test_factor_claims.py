"""Rows about losses and penalties as two factors: changes by hand, and what makes a row say what it says."""

import dataclasses
import math

import numpy as np
import pytest
from planted_records import FLOOR, UNTRAINED

from bench.methods import resolve
from bench.probes.factor_claims import (
    PENALTY_AGAINST_LOSS,
    PLAIN_AGAINST_PENALIZED,
    FactorClaim,
    change_of_loss,
    change_of_penalty,
)

PLAIN, PENALIZED = ("nsgan", "hinge", "lsgan"), ("nsgan-r1", "hinge + r1(gamma=10)", "lsgan + r1(gamma=10)")


@pytest.fixture
def claim():
    return FactorClaim(
        subject="penalty against loss",
        published="it matters more (somebody, 2020)",
        campaign="made-up",
        plain=PLAIN,
        penalized=PENALIZED,
        contrast=PENALTY_AGAINST_LOSS,
        reason="planted",
    )


@pytest.fixture
def runs(record, workload):
    """Return the runs of the grid, given its scores at each seed [seeds, 2, losses]."""

    def distance(score):
        return UNTRAINED * math.exp(-score * math.log(UNTRAINED / FLOOR))

    def make(scores):
        return [
            record(workload, str(*resolve([name])), seed, distance=distance(score))
            for seed, grid in enumerate(scores)
            for line, names in zip(grid, (PLAIN, PENALIZED), strict=True)
            for score, name in zip(line, names, strict=True)
        ]

    return make


def test_changes_by_hand():
    """Pairs of 0.1, 0.4, 0.2 are 0.3, 0.1 and 0.2 apart; with the penalty 0, 0.1 and 0.1; it moves 0.2, 0.1 and 0."""
    scores = np.array([[[0.1, 0.4, 0.2], [0.3, 0.3, 0.2]]])
    assert change_of_loss(scores)[0] == pytest.approx([0.2, 0.2 / 3], rel=1e-12)
    assert change_of_penalty(scores)[0] == pytest.approx(0.1, rel=1e-12)


PENALTY_DECIDES = [[[0.2, 0.2 + 0.01 * seed, 0.21], [0.6, 0.61, 0.62]] for seed in range(5)]
LOSS_DECIDES = [[[0.2, 0.4 + 0.01 * seed, 0.8], [0.21, 0.41, 0.8]] for seed in range(5)]


def cells(line):
    return [cell.strip() for cell in line.strip("| ").split(" | ")]


@pytest.mark.parametrize(
    ("scores", "verdict", "more"),
    [(PENALTY_DECIDES, "reproduced", 5), (LOSS_DECIDES, "**contradicted**", 0), (PENALTY_DECIDES[:4], "not shown", 4)],
)
def test_the_larger_change_decides(claim, runs, scores, verdict, more):
    row = cells(claim.line_of(runs(scores)))
    assert row[3] == verdict
    assert f"more at {more} of {len(scores)} seeds" in row[2]


def test_one_seed_against_it_is_not_shown(claim, runs):
    assert cells(claim.line_of(runs([*PENALTY_DECIDES[:4], LOSS_DECIDES[4]])))[3] == "not shown"


def test_losses_that_a_penalty_makes_alike(claim, runs):
    row = cells(
        dataclasses.replace(claim, contrast=PLAIN_AGAINST_PENALIZED).line_of(
            runs([[[0.2, 0.4, 0.6], [0.5, 0.5, 0.5 + 0.01 * seed]] for seed in range(5)])
        )
    )
    assert row[2].startswith(
        "the loss without R1 changes the score by 0.267, the loss with R1 by 0.013; more at 5 of 5"
    )
    assert row[3] == "reproduced"


def test_what_is_not_there_is_told(claim, runs):
    records = runs(PENALTY_DECIDES)
    with pytest.raises(ValueError, match="no run of hinge is there"):
        claim.line_of([run for run in records if run.spec.method != "hinge"])
    apart = [run for run in records if (run.spec.method == "hinge") == (run.spec.seed == 0)]
    with pytest.raises(ValueError, match="made-up has no seed of all of nsgan, hinge"):
        claim.line_of(apart)


@pytest.mark.parametrize(
    ("campaign", "command"),
    [("norms", "python -m bench run --suite norms"), ("norms-ln", "python -m bench run --suite norms --d-norm ln")],
)
def test_a_row_says_how_to_train_its_campaign_again(claim, runs, campaign, command):
    row = cells(dataclasses.replace(claim, campaign=campaign).line_of(runs(PENALTY_DECIDES)))
    assert row[-1].strip("`") == command
