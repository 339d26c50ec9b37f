"""What the page about photographs says of both seeds is so at both seeds."""

import statistics

import pytest
from site_answers import records_of
from site_campaigns import MARK
from site_links import PUBLISHED, ROOT
from site_marks import inside

PAGE = (ROOT / "docs" / "explanation" / "six-losses-on-photographs.md").read_text(encoding="utf-8")
PROSE = " ".join(PAGE.split())
SEEDS = (0, 1)


@pytest.fixture(scope="module")
def runs():
    """The records by method and seed."""
    found = {}
    for record in records_of("photographs"):
        found.setdefault(record.spec.method_name, {})[record.spec.seed] = record
    assert all(tuple(sorted(own)) == SEEDS for own in found.values())
    assert len(found) == 6
    return found


def distance_at(record, step):
    (found,) = [each.metrics["fd"] for each in record.history.evaluations if each.step == step]
    return found


def order_at(runs, seed, step):
    return sorted(runs, key=lambda name: distance_at(runs[name][seed], step))


def test_what_was_trained_on_is_told_where_the_suite_names_other_data():
    rows = inside(PAGE, MARK.format("photographs"))
    assert "| workload | `cifar10` |\n| trained on | `imagefolder:/cifar10-jpeg?size=32` |" in rows
    others = (ROOT / "docs" / "explanation" / "ten-losses-on-mnist.md").read_text(encoding="utf-8")
    assert "trained on |" not in inside(others, MARK.format("mnist"))


def test_who_is_better_than_nsgan_at_both_seeds(runs):
    better = {name: {order_at(runs, seed, 5000).index(name) < order_at(runs, seed, 5000).index("nsgan")
                     for seed in SEEDS} for name in runs}  # fmt: skip
    assert {name for name, at in better.items() if at == {True}} == {"hinge", "nsgan-r1", "r3gan"}
    assert {name for name, at in better.items() if at == {False}} == {"nsgan", "wgan-gp", "sngan"}
    assert [order_at(runs, seed, 5000)[0] for seed in SEEDS] == ["r3gan", "hinge"]
    assert [set(order_at(runs, seed, 5000)[-2:]) for seed in SEEDS] == [{"wgan-gp", "sngan"}] * 2


def test_r3gan_is_ahead_early_and_its_iteration_takes_longer(runs):
    leaders = {step: [order_at(runs, seed, step)[0] for seed in SEEDS] for step in (2000, 3000, 4000)}
    assert leaders[2000] == leaders[3000] == ["r3gan", "r3gan"]
    assert leaders[4000] != ["r3gan", "r3gan"]
    late = {(name, seed): own[seed].stability["best_step"] for name, own in runs.items() for seed in SEEDS}
    assert {run: step for run, step in late.items() if step != 5000} == {("r3gan", 1): 3000, ("wgan-gp", 0): 4000}
    table = (ROOT / PUBLISHED / "photographs" / "leaderboard.md").read_text(encoding="utf-8").partition("#### Cost")[2]
    rows = {cells[0]: cells[1:] for line in table.splitlines() for cells in [line.strip("| ").split(" | ")]}
    longer = float(rows["r3gan"][0].rstrip("x")) / float(rows["nsgan"][0].rstrip("x"))
    assert 1.5 < longer < 1.7
    assert 5000 / longer == pytest.approx(3000, rel=0.06)
    then = [distance_at(runs["r3gan"][seed], 3000) for seed in SEEDS]
    behind = {
        name: sum(distance_at(runs[name][seed], 5000) < then[seed] for seed in SEEDS) for name in ("hinge", "nsgan")
    }
    assert behind == {"hinge": 2, "nsgan": 1}
    assert "it is behind `hinge` after 5,000 at both seeds, and behind `nsgan` at one" in PROSE


def test_the_two_runs_that_have_not_learned_and_by_how_much(runs):
    failed = {(name, seed) for name, own in runs.items() for seed in SEEDS if own[seed].status != "ok"}
    assert failed == {("wgan-gp", 1), ("sngan", 1)}
    metrics = runs["wgan-gp"][1].metrics
    assert (round(metrics["distance"]), round(metrics["distance_init"] / 2)) == (788, 785)
    first = runs["sngan"][0]
    assert distance_at(first, 1000) > first.metrics["distance_init"]


def test_distances_in_words(runs):
    medians = [statistics.median(own[seed].metrics["distance"] for seed in SEEDS) for own in runs.values()]
    inits = [own[seed].metrics["distance_init"] for own in runs.values() for seed in SEEDS]
    assert (round(min(medians)), round(max(medians)), round(statistics.median(inits))) == (678, 795, 1561)
    assert "an FD of 678 to 795. An untrained generator has 1,561" in PROSE


def test_precision_above_that_of_real_images(runs):
    medians = {name: statistics.median(own[seed].metrics["precision"] for seed in SEEDS) for name, own in runs.items()}
    ceiling = runs["nsgan"][0].metrics["precision_ceiling"]
    assert [name for name, value in medians.items() if value < ceiling] == ["wgan-gp"]
    assert max(own[seed].metrics["recall"] for own in runs.values() for seed in SEEDS) < 0.001
    density = statistics.median(runs["hinge"][seed].metrics["density"] for seed in SEEDS)
    assert 4.5 < density / runs["hinge"][0].metrics["density_ceiling"] < 5


def test_whom_a_moving_average_helps(runs):
    nearer = {
        name: {own[seed].metrics["ema_distance"] < own[seed].metrics["distance"] for seed in SEEDS}
        for name, own in runs.items()
    }
    assert {name for name, at in nearer.items() if at == {True}} == {"hinge", "nsgan", "r3gan", "wgan-gp"}
    assert {name for name, at in nearer.items() if at == {False}} == {"sngan"}
    assert "`sngan` is farther away at both" in PROSE
