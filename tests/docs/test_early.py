"""What an early look tells: taus by hand and by another library, planted orders, and the text against the table."""

import re

import numpy as np
import pytest
import site_early
from doc_pages import prose_under
from scipy.stats import kendalltau
from site_marks import chance_of, inside, two_digits

TEXT = site_early.PAGE.read_text(encoding="utf-8")
TABLE = inside(TEXT, site_early.MARK)
ROWS = [
    (name, workload, int(step.replace(",", "")) / int(last.replace(",", "")), number(methods), number(seeds), p)
    for number in [lambda text: float(text.replace("−", "-").replace("–", "nan"))]
    for name, workload, step, last, methods, seeds, p in re.findall(
        r"^\| \[([\w-]+)\]\(\S+\) \| (\S+) \| (\S+) \| (\S+) \| (\S+) \| (\S+) \| (.+) \|$", TABLE, re.MULTILINE
    )
]


def test_the_table_is_that_of_the_records():
    assert site_early.table() == TABLE, "write it again: make docs"
    assert len(ROWS) == len(TABLE.splitlines()) - 2


def test_taus_are_those_of_scipy_ties_among_them():
    drawn = np.random.default_rng(1)
    early, last = drawn.integers(0, 4, (6, 7)).astype(float), drawn.integers(0, 4, (6, 7)).astype(float)
    found, _ = site_early.of_seeds(early, last, 10)
    expected = [kendalltau(one, other).statistic for one, other in zip(early, last, strict=True)]
    assert found == pytest.approx(np.mean(expected), rel=1e-12)


def test_methods_that_do_not_scatter_say_nothing():
    early, last = np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]]), np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])
    found, p = site_early.of_seeds(early, last, 3000)
    assert found == 1.0
    assert p == pytest.approx(1 / 6, abs=0.02), "one of the six orders of three"


def test_where_no_method_scatters_there_is_no_order_and_no_p():
    flat = np.zeros((3, 2))
    found = site_early.of_seeds(flat, np.array([[1.0, 2.0], [3.0, 1.0], [0.0, 2.0]]), 10)
    assert np.isnan(found).all()
    assert [chance_of(found[1]), two_digits(found[0])] == ["–", "–"]


def test_an_order_that_stays_is_seen_and_one_that_does_not_is_not():
    drawn = np.random.default_rng(0)
    start = drawn.normal(size=(8, 10))
    assert site_early.of_seeds(start, start + 0.5 * drawn.normal(size=(8, 10)), 300)[1] < 0.01
    alone = [site_early.of_seeds(drawn.normal(size=(8, 10)), drawn.normal(size=(8, 10)), 200)[1] for _ in range(60)]
    assert 0 <= sum(p <= 0.05 for p in alone) <= 8


def least_and_most(place, rows):
    return min(row[place] for row in rows), max(row[place] for row in rows)


def test_the_text_says_what_the_table_says():
    said = prose_under(TEXT, site_early.MARK)
    layer_norm = {row[2]: row for row in ROWS if row[0] == "norms-ln"}
    spectral_norm = {row[2]: row for row in ROWS if row[0] == "norms-sn"}
    digits = [row for row in ROWS if row[1] == "digits" and row[0] != "norms-ln"]
    first = [row for row in digits if row[2] <= 0.25]
    assert {round(1 / row[2]) for row in first} == {4, 6}, "a quarter or a sixth"
    late = [row for row in digits if row[2] >= 0.75]
    topics_late = [row for row in late if row[0].startswith("topic")]
    stacks = [row for row in ROWS if row[1] == "stacked-digits" and row[2] == 0.25]
    assert least_and_most(4, first) == (0.0, 0.18)
    assert not [row for row in first if row[5] == "< 0.001" or float(row[5]) < 0.05]
    assert least_and_most(4, late)[1] == 0.38
    assert least_and_most(3, first) == (0.21, 0.43)
    assert least_and_most(3, topics_late) == (0.79, 0.93)
    assert least_and_most(4, stacks) == (0.61, 0.73)
    assert layer_norm[1 / 6][4:] == (0.3, "0.024")
    assert layer_norm[0.5][4:] == (0.65, "< 0.001")
    assert [spectral_norm[share][4] for share in (1 / 2, 2 / 3, 5 / 6)] == [0.5, 0.03, 0.03]
    photographs = {row[2]: row for row in ROWS if row[0] == "photographs"}
    level = [steps for steps, row in photographs.items() if np.isnan(row[3])]
    assert (level, photographs[0.8][3]) == ([0.2], 0.6)
    assert [np.count_nonzero(site_early.by_budget("photographs").scores[:, place]) for place in (1, 2)] == [1, 1]
    known = "0.00 0.18 0.38 0.50 0.03 0.21 0.43 0.79 0.93 0.30 0.024 0.65 0.61 0.73 0.60"
    assert re.findall(r"\d\.\d+", said) == known.split()
