"""What the page about MNIST says of every seed is so at every seed."""

import statistics

import pytest
from site_answers import answer, records_of
from site_links import PUBLISHED, ROOT

PAGE = (ROOT / "docs" / "explanation" / "ten-losses-on-mnist.md").read_text(encoding="utf-8")
SEEDS = (0, 1, 2)


@pytest.fixture(scope="module")
def runs():
    """The records by method and seed."""
    found = {}
    for record in records_of("mnist"):
        found.setdefault(record.spec.method_name, {})[record.spec.seed] = record
    assert all(tuple(sorted(own)) == SEEDS for own in found.values())
    assert len(found) == 10
    return found


def wins(runs, method, other="nsgan", metric="distance"):
    """Return at how many seeds a method has the lower distance."""
    return sum(runs[method][seed].metrics[metric] < runs[other][seed].metrics[metric] for seed in SEEDS)


def test_who_is_better_at_every_seed(runs):
    others = [name for name in runs if name != "r3gan"]
    assert "better than each of the other nine at each of\n   the three seeds" in PAGE
    assert {wins(runs, "r3gan", name) for name in others} == {3}
    assert {wins(runs, name, "rpgan") for name in runs if name != "rpgan"} == {3}
    found = {name: wins(runs, name) for name in others}
    assert {name for name, count in found.items() if count == 3} == {"hinge", "mmgan"}
    assert {name: count for name, count in found.items() if count in (1, 2)} == {
        "dragan": 2,
        "wgan-gp": 1,
        "nsgan-r1": 1,
    }
    assert {name for name, count in found.items() if count == 0} == {"nsgan", "lsgan", "sngan", "rpgan"}


def test_what_a_moving_average_changes(runs):
    medians = {
        name: statistics.median(own[seed].metrics["ema_distance"] for seed in SEEDS) for name, own in runs.items()
    }
    order = sorted(medians, key=medians.__getitem__)
    assert (order[:3], order.index("nsgan")) == (["r3gan", "hinge", "wgan-gp"], 6)
    gains = {
        name: all(own[seed].metrics["ema_distance"] < own[seed].metrics["distance"] for seed in SEEDS)
        for name, own in runs.items()
    }
    assert [name for name, gain in gains.items() if not gain] == ["rpgan"]


def test_r3gan_at_half_of_the_budget_is_behind_the_plain_game_at_all_of_it(runs):
    halfway = [each.metrics["fd"] for seed in SEEDS for each in runs["r3gan"][seed].history.evaluations
               if each.step == 2500]  # fmt: skip
    last = [runs["nsgan"][seed].metrics["fd"] for seed in SEEDS]
    assert len(halfway) == len(last)
    assert all(half > whole for half, whole in zip(halfway, last, strict=True))
    assert f"{statistics.median(halfway):.0f} against {statistics.median(last):.0f} in the median" in PAGE


def test_every_run_was_still_getting_better(runs):
    assert "every run was still getting better" in PAGE
    assert all(own[seed].stability["best_step"] == 5000 for own in runs.values() for seed in SEEDS)


def test_what_the_steps_cost():
    """More than half as long again for an iteration of R3GAN; half again or nearly twice for steps with a penalty."""
    table = (ROOT / PUBLISHED / "mnist" / "leaderboard.md").read_text(encoding="utf-8").partition("#### Cost")[2]
    rows = {cells[0]: cells[1:] for line in table.splitlines() for cells in [line.strip("| ").split(" | ")]}
    assert 1.5 < float(rows["r3gan"][0].rstrip("x")) < 1.7
    longer = float(rows["r3gan"][0].rstrip("x")) / float(rows["nsgan"][0].rstrip("x"))
    assert round(5000 / longer, -2) == 3100
    steps = [float(rows[name][1].rstrip("x")) for name in ("nsgan-r1", "wgan-gp", "dragan")]
    assert 1.4 < steps[0] < 1.6
    assert all(1.8 < step < 2.0 for step in steps[1:])
    assert all(abs(float(rows[name][0].rstrip("x")) - 1) < 0.02 for name in ("hinge", "mmgan"))


def test_the_page_shows_the_table_of_wins():
    assert "| `hinge` | – | 0.529 | 0.47 to 0.58 | better at 3 of 3 | 0/3 | 82.5 |" in answer("mnist", "en")
