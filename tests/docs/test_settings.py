"""Which loss is better where: cells by hand, what is joined, and the page's text against the published records."""

import math
import re

import numpy as np
import pytest
import site_settings
from site_answers import spellings
from site_budgets import by_budget
from site_leaderboards import tables
from site_links import ROOT
from site_marks import inside
from site_settings import Cell, Setting, grid, names, score_in, settings

TEXT = site_settings.PAGE.read_text(encoding="utf-8")
PROSE = " ".join(TEXT.split())
DIGITS, LONG = Setting("digits", 1000, None), Setting("digits", 3000, None)
LAYER, SPECTRAL = (Setting("digits", 3000, norm) for norm in ("ln", "sn"))
STACKS, MNIST = Setting("stacked-digits", 1000, None), Setting("mnist", 5000, None)
ON_DIGITS = {DIGITS, LONG, LAYER, SPECTRAL}
INTERVAL = re.compile(r"([+−]\d\.\d{3}) \((−?\d\.\d{3}) to (−?\d\.\d{3})\)")


def cell(differences, *, failed=0, shown=False):
    return Cell(np.array(differences), failed, shown)


@pytest.fixture(scope="module")
def cells():
    """The cells of each method, as the page calls it."""
    return {names()[expression]: dict(own) for expression, own in grid().items()}


def all_seeds(own, *, better):
    """Return the settings in which a method is better than the reference at every seed, or at none."""
    return {where for where, found in own.items() if found.wins == (len(found.differences) if better else 0)}


def test_the_table_is_that_of_the_records():
    assert site_settings.table() == inside(TEXT, site_settings.MARK), "write it again: make docs"


def test_the_figure_is_that_of_the_records():
    """The words and the number of dots are compared, not the bytes: another matplotlib may place them otherwise."""
    stored, drawn = site_settings.PICTURE.read_text(encoding="utf-8"), site_settings.figure()
    words = [re.findall(r">([^<>\n]+)</text>", text) for text in (stored, drawn)]
    assert words[0] == words[1], "draw it again: make docs"
    assert "spectral norm" in words[0]
    assert stored.count("<use ") == drawn.count("<use ") >= sum(map(len, grid().values()))


def test_a_cell_by_hand():
    """The mean of 1, 2 and 6 is 3, their deviation the root of 7; t of two degrees of freedom is 4.30265."""
    found = cell([0.1, 0.2, 0.6])
    assert (found.mean, found.wins) == (pytest.approx(0.3), 3)
    half = 4.302652729911275 * math.sqrt(0.07) / math.sqrt(3)
    assert found.interval == (pytest.approx(0.3 - half, rel=1e-9), pytest.approx(0.3 + half, rel=1e-9))


def test_what_a_cell_says():
    assert str(cell([-0.1, 0.0])) == "−0.050 <br>0/2"
    assert str(cell([0.1, 0.3], shown=True)) == "**+0.200** <br>2/2"
    assert str(cell([0.1, -0.1, 0.3], failed=1)) == "+0.100 <br>2/3, 1 failed"
    assert str(cell([-1e-5, 0.0])) == "+0.000 <br>0/2"


def test_a_setting_joins_the_campaigns_that_share_it():
    assert settings()[DIGITS] == ("topic-gradients", "topic-correlation", "topic-balance")
    assert [str(one) for one in settings()][:4] == [
        *("digits, 1,000", "digits, 3,000", "digits, 3,000, layer norm", "digits, 3,000, spectral norm"),
    ]
    assert settings()[LAYER] == ("norms-ln",)


def test_cells_are_what_the_published_tables_say(cells):
    """A method's score less the reference's, its failures, its wins and the verdict are those of its own table."""
    compared = 0
    for where, campaigns in settings().items():
        for name in campaigns:
            (table,) = tables(name)
            rows = {row["expression"]: row for row in table["rows"]}
            own = next(row for row in table["rows"] if row["method"] == "nsgan")
            for expression in rows.keys() & grid().keys():
                row, found = rows[expression], grid()[expression][where]
                if row["seeds"] < len(found.differences):
                    continue  # another campaign of the setting has more of them
                assert score_in(where) == pytest.approx(own["score"], abs=1e-9)
                assert found.mean == pytest.approx(row["score"] - own["score"], abs=1e-9)
                assert (found.failed, len(found.differences)) == (row["failures"], row["runs"])
                assert found.wins == row[f"{where.workload}_wins"]
                assert found.shown == (row["verdict"] in ("better", "worse"))
                compared += 1
    assert compared >= sum(map(len, cells.values()))


def test_a_method_of_one_setting_is_left_out(cells):
    assert "bce_ns_eps" not in " ".join(cells)
    assert min(map(len, cells.values())) == 2


def test_every_interval_in_the_text_is_one_of_the_table(cells):
    told = set(INTERVAL.findall(PROSE))
    there = {
        tuple(f"{value + 0.0:{sign}.3f}".replace("-", "−") for value, sign in zip(parts, ("+", "", ""), strict=True))
        for own in cells.values()
        for found in own.values()
        for parts in [(found.mean, *(round(end, 3) + 0.0 for end in found.interval))]
    }
    assert len(told) == 9
    assert told <= there


def test_no_loss_is_better_everywhere(cells):
    assert len(cells) == 11
    better = {name: sum(found.mean > 0 for found in own.values()) for name, own in cells.items()}
    assert all(better[name] < len(own) for name, own in cells.items())
    assert {name for name, number in better.items() if number > 1} == {"hinge", "r3gan"}


def test_what_hinge_and_r3gan_gain(cells):
    hinge = {where: found.mean for where, found in cells["hinge"].items()}
    gains = [gain for gain in hinge.values() if gain > 0]
    assert (len(gains), len(hinge)) == (5, 6)
    assert (round(min(gains), 3), round(max(gains), 3)) == (0.003, 0.03)
    assert {where for where, found in cells["hinge"].items() if found.shown} == {DIGITS}
    assert all_seeds(cells["hinge"], better=False) == {SPECTRAL}
    r3gan = cells["r3gan"]
    assert all_seeds(r3gan, better=True) == r3gan.keys() - {DIGITS}
    most = max((found.mean, name, where) for name, own in cells.items() for where, found in own.items())
    assert (round(most[0], 3), *most[1:]) == (0.057, "r3gan", MNIST)
    assert score_in(STACKS) == 0.0


def test_r3gan_leads_on_stacks_in_equal_time_too():
    """Half of its updates take less time than all of those of `nsgan`, which has no score after them."""
    (cost,) = re.findall(r"^\| `r3gan` \|.* (\S+)x \|$", inside(TEXT, site_settings.MARK), re.MULTILINE)
    assert 1 < float(cost) < 2
    found = by_budget("r3gan-ablation")
    half = dict(zip([spellings("r3gan-ablation")[row.expression] for row in found.rows], found.scores, strict=True))
    assert found.steps[found.half] * 2 == found.steps[-1] == STACKS.steps
    assert half["r3gan"][found.half] > half["nsgan"][-1] == 0.0
    assert f"Its iteration takes {cost} times as long" in PROSE
    for page, words in (("README.md", f"takes {cost} times as long"), ("README.zh-CN.md", f"时间是 {cost} 倍")):
        assert words in " ".join((ROOT / page).read_text(encoding="utf-8").split())


def test_what_holds_at_every_seed(cells):
    assert all_seeds(cells["rpgan"], better=False) == cells["rpgan"].keys() - {STACKS}
    assert cells["rpgan"][STACKS].failed == 2
    assert min(found.mean for found in cells["rpgan"].values()) == cells["rpgan"][LONG].mean
    assert all_seeds(cells["lsgan"], better=True) == {SPECTRAL}
    assert all_seeds(cells["lsgan"], better=False) == cells["lsgan"].keys() - {SPECTRAL}
    assert all_seeds(cells["nsgan-r1"], better=False) == ON_DIGITS
    penalized = {name: own for name, own in cells.items() if name.endswith(" + r1(gamma=10)")}
    assert len(penalized) == 3
    ahead = [(name, where) for name, own in penalized.items() for where, found in own.items() if found.mean > 0]
    assert ahead == [("lsgan + r1(gamma=10)", SPECTRAL)]


def test_what_budget_and_norm_change():
    told = [f"{score_in(where):.3f}" for where in (DIGITS, LONG, LAYER)]
    assert told == ["0.552", "0.687", "0.454"]
    assert "take `nsgan` on digits from 0.552 to 0.687, and layer norm takes it down to 0.454" in PROSE


def test_how_many_intervals_exclude_zero(cells):
    found = [one.interval for own in cells.values() for one in own.values()]
    outside = sum(low > 0 or high < 0 for low, high in found)
    assert f"Of {len(found)} cells two are expected to exclude zero by chance alone, and {outside} do" in PROSE
    assert round(0.05 * len(found)) == 2
