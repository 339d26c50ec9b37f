"""What an order on one data set says of another: taus by hand, what is compared, and the text against the table."""

import re

import msgspec
import site_transfer
from doc_pages import prose_under
from planted_records import make_workload, planted_record
from site_marks import inside
from site_transfer import Setting, comparisons, orders

TEXT = site_transfer.PAGE.read_text(encoding="utf-8")
TABLE = inside(TEXT, site_transfer.MARK)
ROWS = {
    (one, other): (int(methods), float(tau.replace("−", "-")), p, first, last)
    for one, other, methods, _, tau, p, first, last in (
        line.strip("| ").split(" | ") for line in TABLE.splitlines()[2:]
    )
}
NAMES = ("nsgan", "hinge", "lsgan", "mmgan", "rpgan")
A, B = Setting("digits", 1000), Setting("mnist", 5000)


def test_the_table_is_that_of_the_records():
    assert site_transfer.table() == TABLE, "write it again: make docs"


def test_tau_p_and_places_by_hand():
    """Of ten pairs one is turned round: tau is 8/10. Of the 120 orders one agrees wholly, and four as much as this."""
    first = {name: [score - 0.1, score + 0.1] for name, score in zip(NAMES, (5.0, 4.0, 3.0, 2.0, 1.0), strict=True)}
    second = {name: [score] for name, score in zip(NAMES, (5.0, 4.0, 3.0, 1.0, 2.0), strict=True)}
    (line,) = comparisons({A: first, B: second | {"dragan": [9.0]}})
    p = f"{5 / 120:.3f}"
    assert line == (f"| digits, 1,000 | mnist, 5,000 | 5 | 2 and 1 | 0.80 | {p} | `nsgan`: 1 of 5 | `nsgan`: 1 of 5 |")
    turned = {name: [-score for score in own] for name, own in second.items()}
    (line,) = comparisons({A: first, B: turned})
    assert "| −0.80 |" in line
    assert line.endswith("| `nsgan`: 5 of 5 | `mmgan`: 4 of 5 |")


def test_orders_of_few_methods_are_left_out():
    few = {name: [1.0] for name in NAMES[:4]}
    assert comparisons({A: few, B: few}) == []


def test_a_setting_has_the_runs_of_this_protocol_without_a_norm():
    runs = [
        planted_record(make_workload(), name, seed, distance=50.0) for name in ("hinge", "lsgan") for seed in (0, 1)
    ]
    spec = runs[0].spec
    layer_norm = msgspec.structs.replace(spec, network=msgspec.structs.replace(spec.network, d_norm="ln"))
    others = [layer_norm, msgspec.structs.replace(spec, protocol_version="1.0")]
    plain = [msgspec.structs.replace(run.spec, network=msgspec.structs.replace(run.spec.network, d_norm="none"),
                                     protocol_version="1.1") for run in runs]  # fmt: skip
    records = [msgspec.structs.replace(runs[0], spec=each) for each in [*plain, *others]]
    ((setting, scores),) = orders(records).items()
    assert setting == Setting("digits", spec.steps)
    assert {len(own) for own in scores.values()} == {2}
    assert len(scores) == 2


def test_a_published_trial_counts_once():
    trials = [record.trial_id for record in site_transfer.published()]
    assert len(trials) == len(set(trials)) > 500


def test_the_text_says_what_the_table_says():
    said = prose_under(TEXT, site_transfer.MARK)
    digits, longer = "digits, 1,000", "digits, 3,000"
    mnist, stacks = "mnist, 5,000", "stacked-digits, 3,000"
    assert ROWS[longer, mnist][:3] == (9, 0.72, "0.003")
    assert ROWS[digits, mnist][1:3] == (0.43, "0.089")
    assert ROWS[digits, mnist][4] == "`r3gan`: 4 of 8"
    assert ROWS[longer, mnist][4] == "`r3gan`: 4 of 9"
    with_stacks = [row[1] for pair, row in ROWS.items() if pair[1] == stacks]
    assert (min(with_stacks), max(with_stacks)) == (-0.52, 0.0)
    assert all(float(row[2]) > 0.5 for pair, row in ROWS.items() if pair[1] == stacks), "no relation"
    assert ROWS[digits, stacks][3:] == ("`hinge`: 6 of 7", "`rpgan`: 6 of 7")
    photographs = "imagefolder:/cifar10-jpeg?size=32, 5,000"
    assert ROWS[digits, photographs][:3] == ROWS[longer, photographs][:3] == (5, 0.4, "0.242")
    assert ROWS[photographs, mnist][:2] == (6, 0.47)
    assert ROWS[digits, photographs][3:] == ROWS[longer, photographs][3:] == ("`hinge`: 1 of 5", "`hinge`: 1 of 5")
    assert re.findall(r"−?\d\.\d+", said) == ["0.72", "0.43", "0.64", "−0.52", "0.00", "0.40", "0.242", "0.47"]


def test_only_one_agreement_is_more_than_chance_if_all_rows_are_counted():
    few = {pair for pair, row in ROWS.items() if float(row[2]) * len(ROWS) < 0.05}
    assert few == {("digits, 3,000", "mnist, 5,000")}


def test_without_the_method_that_is_last_in_both_longer_training_is_not_shown_to_foresee_better():
    """The shorter training lacks it, so the two agreements are of different methods."""
    scores = orders(site_transfer.published())
    short, longer, mnist = scores[A], scores[Setting("digits", 3000)], scores[B]
    (alone,) = (longer.keys() & mnist.keys()) - short.keys()
    assert alone.startswith("wasserstein + weight_clip"), "wgan"
    for setting in (longer, mnist):
        means = {name: sum(setting[name]) / len(setting[name]) for name in longer.keys() & mnist.keys()}
        assert min(means, key=means.__getitem__) == alone
    (row,) = comparisons({A: {name: own for name, own in longer.items() if name != alone}, B: mnist})
    assert " | 8 | " in row
    assert " | 0.64 | " in row
