"""The simulation behind docs/scale.md: where its numbers can be computed, it has them."""

import re
from pathlib import Path

import pytest
from many_gpus import Cluster, row, simulate

DOCUMENT = Path(__file__).parents[2] / "docs" / "scale.md"


def test_without_preemptions_the_hours_are_those_of_the_rounds() -> None:
    seen = simulate(Cluster(trials=1001, gpus=10, trial=2.0, start=0.5, supervisor=0.1))
    assert seen.hours == pytest.approx(101 * 2.5), "one trial more than a hundred rounds"
    assert seen.trained == pytest.approx(1001 * 2.0)
    assert seen.lost == pytest.approx(1001 * 0.5)
    assert seen.busy == pytest.approx(1001 * 0.1 / seen.hours)


def test_trials_that_share_a_process_need_as_many_processes_less() -> None:
    alone, four = (simulate(Cluster(trials=1000, gpus=10, trial=1.0, per_process=size)) for size in (1, 4))
    assert four.hours == pytest.approx(alone.hours / 4)


@pytest.mark.parametrize("noticed", [0.0, 1.0])
def test_every_trial_is_trained_whole_whatever_is_preempted(noticed: float) -> None:
    cluster = Cluster(trials=2000, gpus=50, trial=1.0, preemptions=0.3, noticed=noticed, checkpoint=0.25, start=0.01)
    seen = simulate(cluster)
    assert seen.trained == pytest.approx(2000.0)
    assert 0.8 < seen.preempted / (0.3 * (seen.trained + seen.lost)) < 1.25, "the rate is the one asked for"
    starts = 2000 * 0.01 + seen.preempted * 0.005
    remade = seen.lost - starts
    if noticed:
        assert abs(remade) < 0.01 * seen.preempted, "a notice in time costs a start"
    else:
        assert 0.08 < remade / seen.preempted < 0.17, "else half of the time between two checkpoints"
    assert seen.away / seen.preempted == pytest.approx(0.1, rel=0.2)
    assert seen.most_losses >= 2


def test_it_is_the_same_again() -> None:
    cluster = Cluster(trials=300, gpus=7, trial=1.0, preemptions=0.5)
    assert simulate(cluster, 3) == simulate(cluster, 3) != simulate(cluster, 4)


@pytest.mark.slow
def test_the_table_of_the_document_is_what_the_simulation_gives() -> None:
    rows = [line for line in DOCUMENT.read_text().splitlines() if re.match(r"\| 0\.\d\d \| \d ", line)]
    assert len(rows) == 8
    made = [
        row(
            Cluster(trials=1_000_000, gpus=1000, trial=0.25, preemptions=rate, supervisor=0.02 / 3600, per_process=size)
        )
        for rate in (0.0, 0.01, 0.05, 0.2)
        for size in (1, 4)
    ]
    assert rows == made
