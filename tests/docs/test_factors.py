"""What the page of losses, penalties and norms says that each change does to the score."""

import re

import numpy as np
import pytest
import site_factors
from doc_pages import prose_under
from site_campaigns import FACTORS, MARK, PAGES
from site_marks import inside

WITH_FACTORS = [page for page in PAGES if page.has_factors]

NO_NORM = np.array([[[0.1, 0.4], [0.3, 0.3]], [[0.2, 0.4], [0.4, 0.3]]])
"""Two seeds, two losses: 0.3 and 0.2 apart without R1, 0 and 0.1 with it."""
LAYER_NORM = NO_NORM + np.array([[0.1, 0.1], [-0.2, 0.2]])


def test_changes_by_hand():
    rows = [*site_factors.rows({"no norm": NO_NORM, "layer norm": LAYER_NORM})]
    found = {(what, at): (size, mean) for what, at, size, _, mean in rows}
    assert found == {
        ("the loss", "no norm, no R1"): ("0.250", "–"),
        ("the loss", "no norm, R1"): ("0.050", "–"),
        ("the loss", "layer norm, no R1"): ("0.250", "–"),
        ("the loss", "layer norm, R1"): ("0.350", "–"),
        ("only the seed", "no norm, no R1, loss"): ("0.050", "–"),
        ("only the seed", "no norm, R1, loss"): ("0.050", "–"),
        ("only the seed", "layer norm, no R1, loss"): ("0.050", "–"),
        ("only the seed", "layer norm, R1, loss"): ("0.050", "–"),
        ("R1 is added", "no norm, loss"): ("0.150", "+0.050"),
        ("R1 is added", "layer norm, loss"): ("0.050", "−0.050"),
        ("layer norm is added", "no R1, loss"): ("0.100", "+0.100"),
        ("layer norm is added", "R1, loss"): ("0.200", "+0.000"),
    }
    assert len(found) == len(rows)


def test_the_interval_is_students_over_the_seeds():
    """Of 0.3 and 0.2: t of 97.5 % with one degree of freedom is 12.706, and the standard error 0.05."""
    scores = {"no norm": NO_NORM / 10}
    (interval,) = [
        cell for what, at, _, cell, _ in site_factors.rows(scores) if (what, at) == ("the loss", "no norm, no R1")
    ]
    assert interval == f"0.000 to {0.025 + 12.706 * 0.005:.3f}"


@pytest.mark.parametrize("page", WITH_FACTORS, ids=lambda page: page.name)
def test_every_number_with_a_decimal_under_the_table_stands_in_it(page):
    mark, text = MARK.format(FACTORS), page.path.read_text(encoding="utf-8")
    said = prose_under(text, mark)
    numbers = set(re.findall(r"\d+\.\d+", said))
    assert numbers
    assert numbers - set(re.findall(r"\d+\.\d+", inside(text, mark))) == set()
