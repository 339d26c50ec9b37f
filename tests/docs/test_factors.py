"""What the page of losses, penalties and norms says that each change does to the score."""

import math
import re

import msgspec
import numpy as np
import pytest
import site_factors
from doc_pages import prose_under
from planted_records import FLOOR, UNTRAINED, make_workload, planted_record
from site_campaigns import FACTORS, MARK, PAGES, SIDES
from site_links import ROOT
from site_marks import inside

from bench.probes.campaign_claims import runs_of
from bench.probes.factor_claims import PENALIZED, PLAIN, change_of_loss
from bench.store.record import History

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


def test_what_runs_are_like_is_the_median_of_each_measure():
    """Scores of three distances, recalls, and a monitor of which a run's second half counts; one run has no recall."""

    def run(seed, distance, recall, accuracy):
        record = planted_record(make_workload(), "nsgan", seed, distance=distance, metrics={"recall": recall})
        training = {"step": [300, 400, 600], "discriminator_accuracy": [0.0, accuracy, accuracy]}
        history = History(evaluations=record.history.evaluations, training=training)
        return msgspec.structs.replace(record, history=history)

    told = site_factors.side([run(0, 100.0, 0.5, 0.9), run(1, 50.0, None, 0.7), run(2, 25.0, 0.8, 0.8)])
    assert told["score"] == pytest.approx(math.log(UNTRAINED / 50) / math.log(UNTRAINED / FLOOR), rel=1e-9)
    assert (told["distance"], told["recall"], told["discriminator_accuracy"]) == (50.0, pytest.approx(0.65), 0.8)
    assert math.isnan(told["logit_gap"])


@pytest.mark.parametrize("mark", [FACTORS, SIDES])
@pytest.mark.parametrize("page", WITH_FACTORS, ids=lambda page: page.name)
def test_every_number_with_a_decimal_under_a_table_stands_in_it(page, mark):
    text = page.path.read_text(encoding="utf-8")
    table = inside(text, MARK.format(mark))
    numbers = set(re.findall(r"\d+\.\d+", prose_under(text, MARK.format(mark))))
    assert numbers
    assert numbers - set(re.findall(r"\d+\.\d+", table)) == set()


def test_what_the_text_says_of_every_seed_holds_at_every_seed():
    """Which methods each norm helps or harms at all of them, and where two losses are more alike at all of them."""
    bare, layer, spectral = site_factors.scores_of(["norms", "norms-ln", "norms-sn"]).values()
    plain = dict(zip(PLAIN, np.moveaxis(spectral - bare, 2, 0)[..., 0], strict=True))
    assert bare.shape == (5, 2, 4)
    assert (layer < bare).all()
    assert {name for name, moved in plain.items() if (moved > 0).all()} == {"lsgan", "rpgan"}
    assert {name for name, moved in plain.items() if (moved < 0).all()} == {"hinge"}
    assert np.count_nonzero(plain["nsgan"] < 0) == 4
    apart = change_of_loss(bare)[:, 0]
    assert (apart > change_of_loss(bare)[:, 1]).all()
    assert (apart > change_of_loss(spectral)[:, 0]).all()
    assert (spectral[:, 1].mean(axis=0) < spectral[:, 0].mean(axis=0)).all(), "R1 gains nothing on top"
    between = bare[:, 0, PLAIN.index("hinge")] - spectral[:, 0, PLAIN.index("lsgan")]
    assert abs(between.mean()) < between.std(ddof=1) / math.sqrt(len(between)), "less than its standard error"
    assert np.count_nonzero(between > 0) == 2


def test_which_plain_losses_lead_under_each_norm():
    """Another loss is best under spectral norm, and not under layer norm."""
    orders = [
        [PLAIN[place] for place in scores[:, 0].mean(axis=0).argsort()[::-1]]
        for scores in site_factors.scores_of(["norms", "norms-ln", "norms-sn"]).values()
    ]
    assert [order[:2] for order in orders] == [["hinge", "nsgan"], ["hinge", "nsgan"], ["lsgan", "nsgan"]]
    said = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert "under spectral norm another loss is best. Least squares lead there" in said
    assert "hinge and `nsgan` lead without a norm and under layer norm" in said


def test_which_methods_layer_norm_costs_recall_and_precision_at_every_seed():
    """The medians over the losses hide that least squares lose precision."""
    lower = {"precision": set(), "recall": set()}
    for method in (*PLAIN, *PENALIZED):
        without, under = (runs_of(site_factors.records_of(name), method) for name in ("norms", "norms-ln"))
        for metric, names in lower.items():
            if all(under[seed].metrics[metric] < run.metrics[metric] for seed, run in without.items()):
                names.add(method)
    assert lower == {"precision": {"lsgan", "lsgan + r1(gamma=10)"}, "recall": {*PLAIN, *PENALIZED}}
