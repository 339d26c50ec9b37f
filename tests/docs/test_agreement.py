"""What the page about measuring says of other measures: taus by hand, and the text against the table."""

import math
import re

import msgspec
import numpy as np
import pytest
import site_agreement
from doc_pages import prose_under
from planted_records import make_workload, planted_record
from site_marks import inside

TEXT = site_agreement.PAGE.read_text(encoding="utf-8")
TABLE = inside(TEXT, site_agreement.MARK)
ROWS = {cells[0]: cells[1:] for line in TABLE.splitlines()[2:] for cells in [line.strip("| ").split(" | ")]}


def test_the_table_is_that_of_the_records():
    assert site_agreement.table() == TABLE, "write it again: make docs"


def test_orders_by_two_halves_by_hand():
    """Two seeds: 1, 2, 3 against 1, 3, 2 has two pairs in order and one out of it, so tau is 1/3."""
    assert site_agreement.between_halves(np.array([[1.0, 1.0], [2.0, 3.0], [3.0, 2.0]])) == pytest.approx(1 / 3)
    assert site_agreement.between_halves(np.array([[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]])) == pytest.approx(1.0)


@pytest.mark.parametrize(("measure", "expected"), [("distance", [-30.0, -40.0]), ("vendi", [5.0, math.nan])])
def test_more_is_better_and_a_measure_that_no_run_has_is_not_known(measure, expected):
    def run(seed, distance, **metrics):
        record = planted_record(make_workload(), "hinge", seed, distance=distance)
        return msgspec.structs.replace(record, metrics={**record.metrics, **metrics})

    runs = {"one": [run(0, 20.0, vendi=4.0), run(1, 30.0, vendi=6.0), run(2, 90.0)], "other": [run(0, 40.0)]}
    assert site_agreement._goodness(runs, measure) == pytest.approx(expected, nan_ok=True)


def test_a_measure_that_no_run_has_agrees_with_nothing():
    assert math.isnan(site_agreement._tau(np.array([1.0, 2.0, 3.0]), np.full(3, np.nan)))


def test_a_measure_without_a_better_direction_ranks_nothing():
    with pytest.raises(ValueError, match="no better direction"):
        site_agreement._goodness({}, "fd_gap")


def test_the_text_says_what_the_table_says():
    said = prose_under(TEXT, site_agreement.MARK)
    numbers = set(re.findall(r"−?\d+\.\d+", said))
    assert numbers
    assert numbers - set(re.findall(r"−?\d+\.\d+", TABLE)) == set()

    heads = re.findall(r"\[([\w-]+)\]", TABLE.splitlines()[0])

    def row(name, *left_out):
        values = [float(cell.replace("−", "-").replace("–", "nan")) for cell in ROWS[name]]
        return [value for campaign, value in zip(heads, values, strict=True) if campaign not in left_out]

    halves = row("score, of the other half of the seeds")
    distances = row("`fd_test`") + row("`kid`")
    assert (min(distances), max(distances)) == (0.64, 1.0)
    less = [name for name, each, half in zip(heads * 2, distances, halves * 2, strict=True) if each <= half]
    assert less == ["norms-ln"]
    assert row("`kid`")[heads.index("norms-ln")] < halves[heads.index("norms-ln")]
    others = row("`precision`", "norms-ln", "mnist") + row("`density`", "norms-ln", "mnist")
    assert (min(others), max(others)) == (-0.02, 0.5)

    def at(campaign, *measures):
        return [row(f"`{name}`")[heads.index(campaign)] for name in measures]

    assert at("norms-ln", "vendi", "classifier_score", "precision", "density") == [-0.21, 0.0, 0.79, 0.86]
    assert at("mnist", "vendi", "precision", "density") == [0.11, 0.82, 0.91]
    between = row("`recall`") + row("`unreadable`", "photographs")
    assert (min(between), max(between)) == (0.17, 0.96)
