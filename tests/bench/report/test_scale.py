"""Ten thousand trials on one page: it stays small, it is made while one waits, and it says what it leaves out."""

import time

import pytest
import synthetic

from bench import data
from bench.report.html import render
from bench.statistics.ranking import rank


@pytest.mark.slow
def test_ten_thousand_trials_fit_one_page(tmp_path):
    names = synthetic.method_names(20)
    world = synthetic.World(
        methods=names,
        effects={name: 0.08 * place for place, name in enumerate(names)},
        failure_rates={name: 0.02 * place / 20 for place, name in enumerate(names)},
    )
    records = synthetic.make(world, seeds=100)
    assert len(records) == 10_000
    grid = tmp_path / "samples.png"
    grid.write_bytes(b"x" * 50_000)
    workloads = {name: data.workload(name) for name in world.workloads}
    boards = rank(records, workloads)
    started = time.process_time()
    page = render(records, workloads, sample_file=lambda _: grid, command="c", boards=boards)
    assert time.process_time() - started < 15  # about 6 s of a core; the ranking takes some 12 more
    assert len(page.encode()) < 25_000_000
    assert page.count('class="cell ') > 10_000
    assert "no quantity has a panel per method" in page
    assert "The page has room for 120 grids; 9,880 more lie" in page
