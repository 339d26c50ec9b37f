"""Score against budget in words: who leads where, and what the order at half of the budget says of the last one."""

import math

import numpy as np
from planted_campaigns import WORKLOADS, campaign

from bench.report.budgets import agreement_text, budget_caption, leaders_text, score_band, score_lines
from bench.report.titles import score_title
from bench.statistics.budgets import scores_by_budget
from bench.statistics.ranking import rank

FINAL = {"nsgan": 60.0, "hinge": 30.0, "lsgan": 15.0, "wgan": 90.0}
EARLY = {"nsgan": 500.0, "hinge": 400.0, "lsgan": 900.0, "wgan": 100.0}


def made(**changes):
    records = campaign(**{"methods": FINAL, "early": EARLY, **changes})
    (board,) = rank(records, WORKLOADS, resamples=100)
    return scores_by_budget(board, records, WORKLOADS)[0]


def test_leaders_are_named_with_the_budgets_at_which_they_lead():
    assert leaders_text(made()) == "wgan leads at 300 steps, lsgan at 600"
    assert leaders_text(made(early=FINAL)) == "lsgan leads from 300 to 600 steps"


def test_nobody_leads_where_several_have_the_highest_score():
    untrained = dict.fromkeys(FINAL, 8000.0)
    later = made(early=untrained)
    assert leaders_text(later) == "lsgan leads at 600 steps"
    assert score_title(later).endswith("digits, lsgan leads where any does")
    never = made(methods=dict.fromkeys(FINAL, 20.0), early=untrained)
    assert leaders_text(never).startswith("no method leads")
    assert score_title(never).endswith("digits, no method leads")
    assert score_title(made(early=FINAL)).endswith("digits, lsgan leads at each")


def test_the_agreement_of_the_orders_is_said_with_its_number():
    assert agreement_text(made()) == (
        "The order at 300 steps agrees with that at 600 by Kendall's tau = -0.67 (1: the same order; 0: no relation)."
    )
    same = made(methods=dict.fromkeys(FINAL, 20.0))
    assert math.isnan(same.agreement[1])
    assert agreement_text(same) == "At 600 steps all methods have the same score, which is no order."
    untrained = made(early=dict.fromkeys(FINAL, 8000.0))
    assert agreement_text(untrained) == "At 300 steps all methods have the same score, which is no order."
    never = made(methods=dict.fromkeys(FINAL, 20.0), early=dict.fromkeys(FINAL, 8000.0))
    assert agreement_text(never) == "At 300 and 600 steps all methods have the same score, which is no order."


def test_lines_are_the_seeds_and_the_band_is_their_mean_with_its_interval():
    found = made()
    place = [row.method for row in found.rows].index("wgan")
    lines, band = score_lines(found, place), score_band(found, place)
    assert [line.seed for line in lines] == [0, 1, 2, 3, 4]
    assert band.steps == [300.0, 600.0]
    assert np.mean([line.points[0][1] for line in lines]) == band.middle[0]
    assert band.low[0] < band.middle[0] < band.high[0]
    single = score_band(made(seeds=1), 0)
    assert (single.low, single.high) == ([None, None], [None, None])


def test_the_caption_says_all_of_it():
    caption = budget_caption(made())
    assert "By the mean, wgan leads at 300 steps, lsgan at 600." in caption
    assert "tau = -0.67" in caption
    assert "the band its 95 % interval" in caption
    assert "band" not in budget_caption(made(seeds=2))
