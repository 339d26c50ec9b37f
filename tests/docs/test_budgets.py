"""The figures of score against budget, and what is said of them, are those of the published records."""

import dataclasses
import json
import re

import numpy as np
import pytest
import site_budgets
from site_answers import PICTURES, published_campaigns, spellings
from site_links import PUBLISHED, ROOT

HERE = published_campaigns()


@pytest.mark.parametrize("name", HERE)
def test_the_last_budget_is_that_of_the_table(name):
    board = json.loads((ROOT / PUBLISHED / name / "leaderboard.json").read_text(encoding="utf-8"))["tables"][0]
    found = site_budgets.by_budget(name)
    expected = [(row["expression"], pytest.approx(row["score"], abs=1e-9)) for row in board["rows"]]
    assert [(row.expression, score) for row, score in zip(found.rows, found.scores[:, -1], strict=True)] == expected
    leaders = re.findall(r"`([^`]+)` (?:leads )?(?:at|from)", site_budgets.picture(name, "en", ""))
    assert leaders[-1] == spellings(name)[board["rows"][0]["expression"]]


def test_who_leads_is_told_span_by_span():
    said = site_budgets.picture("norms", "en", "../")
    assert said.startswith(
        "![the mean score of every method of norms at each evaluation](../pictures/norms-budget.svg)"
    )
    assert (
        "`hinge` leads from 500 to 1,500 updates, `nsgan` at 2,000, `hinge` from 2,500 to 3,000. "
        "The order at 1,500 updates agrees with that at 3,000"
    ) in said
    assert "`hinge` 从 500 到 1,500 次更新时领先，`nsgan` 在 2,000 次更新时领先" in site_budgets.picture(
        "norms", "zh", ""
    )


@pytest.mark.parametrize(("is_level_at_the_end", "english", "chinese"), [
    (False, "At 1,500 updates all methods have the same score, which is no order.", "1,500 次更新时所有方法得分相同"),
    (True, "At 1,500 and 3,000 updates all methods have", "1,500 次和 3,000 次更新时所有方法得分相同"),
])  # fmt: skip
def test_where_all_methods_are_level_no_agreement_is_told(monkeypatch, is_level_at_the_end, english, chinese):
    found = site_budgets.by_budget("norms")
    scores = found.scores.copy()
    scores[:, [found.half, *[-1] * is_level_at_the_end]] = 0.0
    level = dataclasses.replace(found, scores=scores)
    monkeypatch.setattr(site_budgets, "by_budget", lambda name: level)
    assert english in site_budgets.picture("norms", "en", "")
    assert chinese in site_budgets.picture("norms", "zh", "")
    assert "Kendall" not in site_budgets.picture("norms", "en", "")


def test_where_nobody_leads_it_is_said(monkeypatch):
    found = site_budgets.by_budget("norms")
    monkeypatch.setattr(
        site_budgets, "by_budget", lambda name: dataclasses.replace(found, scores=np.zeros_like(found.scores))
    )
    assert (
        "each evaluation. No method leads at any budget, as several have the highest. At 1,500 and 3,000 updates"
        in (site_budgets.picture("norms", "en", ""))
    )
    assert "。没有方法领先，因为总有几个方法得分同为最高。" in site_budgets.picture("norms", "zh", "")


@pytest.mark.parametrize("name", HERE)
def test_the_figure_is_of_these_records(name):
    """The words and the number of dots are compared, not the bytes: another matplotlib may place them otherwise."""
    stored, drawn = (PICTURES / f"{name}-budget.svg").read_text(encoding="utf-8"), site_budgets.figure(name)
    words = [re.findall(r">([^<>\n]+)</text>", text) for text in (stored, drawn)]
    assert words[0] == words[1], "draw it again: make docs"
    assert stored.count("<use ") == drawn.count("<use ")
    assert set(spellings(name).values()) <= {word.replace("&gt;", ">") for word in words[0]}


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ([0.2, 0.4], [0.2, 0.4]),
        ([1.04, 0.985, 0.5], [1.0, 0.945, 0.5]),
        ([-0.03, 0.025, 0.08], [0.0, 0.055, 0.11]),
        ([1.06, 1.005, 0.95, 0.9], [1.0, 0.945, 0.89, 0.835]),
    ],
)
def test_names_stay_inside_the_frame_and_make_room_there(places, expected):
    assert site_budgets._inside(places) == pytest.approx(expected)
