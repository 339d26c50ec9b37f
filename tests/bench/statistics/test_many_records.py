"""A results folder of 10,000 records with a known truth: the table finds it, in time."""

import time

import numpy as np
import pytest
from synthetic import World, make, method_names, write

from bench import data
from bench.statistics.ranking import rank
from bench.store.journal import Store

LEVELS = (-0.6, 0.0, 0.3, 0.6)
"""Effects on the log distance of ten methods each; a run scatters by 0.2, so neighbors of 50 seeds are far apart."""


@pytest.fixture(scope="module")
def world():
    methods = method_names(40)
    effects = {name: LEVELS[place // 10] for place, name in enumerate(methods)}
    failing = {methods[-1]: 0.3}
    speeds = {methods[1]: 0.5}
    return World(methods=methods, effects=effects, failure_rates=failing, speeds=speeds)


@pytest.mark.slow
def test_ten_thousand_records_are_ranked_as_they_were_planted(world, tmp_path):
    results = write(make(world, 50), tmp_path)
    started = time.process_time()
    records = Store(results).records()
    read = time.process_time()
    (board,) = rank(records, {name: data.workload(name) for name in world.workloads})
    ranked = time.process_time()
    assert len(records) == 10_000
    assert len(board.ranked) == 40

    levels = np.array([world.effects[row.method] for row in board.rows])
    assert (np.diff(levels) >= 0).all(), "methods of a lower level stand above those of a higher one"
    for place, level in enumerate(LEVELS):
        of_level = [row for row in board.rows if world.effects[row.method] == level]
        assert all(row.rank_low > 10 * place and row.rank_high <= 10 * (place + 1) for row in of_level)
    best = [row for row in board.rows if row.among_best]
    assert all(world.effects[row.method] == LEVELS[0] for row in best)
    assert len(best) >= 7  # each of the ten is left out with 5 %

    by_name = {row.method: row for row in board.rows}
    own = world.effects["nsgan"]
    others = [row for row in board.rows if row.method != "nsgan"]
    assert all(row.p_adjusted <= 0.001 for row in others if world.effects[row.method] != own)
    assert sum(row.p_adjusted <= 0.05 for row in others if world.effects[row.method] == own) <= 1
    failing = by_name[world.methods[-1]]
    assert failing.failure_low <= 0.3 <= failing.failure_high
    assert by_name[world.methods[1]].relative_throughput == pytest.approx(0.5, rel=0.02)
    assert by_name[world.methods[1]].relative_discriminator_update == pytest.approx(2.0, rel=0.02)
    assert read - started < 10  # 2 s on an idle core
    assert ranked - read < 30  # 6 s on an idle core
