"""Very many very short trials: nothing grows with their number. `tests/helpers/load.py` has thousands."""

from pathlib import Path

import pytest
from load import Watched, executor_of, load
from warm_trials import measure

HERE = Path(__file__).parent
LIGHT = ("bench.execution.worker",)
"""Enough for the fake trainer."""


@pytest.fixture(autouse=True)
def fake_trainer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(HERE))


def assert_flat(seen: Watched, count: int, handles: int) -> None:
    first, last = seen.memory[0], seen.memory[-1]
    assert last - first < 4 * count + 2048, f"KiB: {seen.memory}"  # a trial that is kept whole has some
    assert max(seen.handles) - min(seen.handles) <= handles, seen.handles
    assert max(seen.threads) - min(seen.threads) <= 4, seen.threads


@pytest.mark.slow
@pytest.mark.parametrize("count", [20, pytest.param(300, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
def test_neither_memory_nor_handles_nor_threads_grow_with_the_number_of_trials(tmp_path: Path, count: int) -> None:
    with executor_of("local", 2, LIGHT) as executor:
        seen = load(count, executor, tmp_path / "results", looks=5)
    assert (seen.finished, seen.recorded) == (count, count)
    pipes_of_two_workers = 2 * 5
    assert_flat(seen.supervisor, count, pipes_of_two_workers)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_neither_the_supervisor_nor_its_gateway_grow_with_the_number_of_trials_of_a_cluster(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'gan-loss-bench[ray]'")
    count = 60
    with executor_of("ray", 2) as executor:
        seen = load(count, executor, tmp_path / "results", looks=6)
    assert (seen.finished, seen.recorded) == (count, count)
    assert len(seen.gateway.handles) == len(seen.supervisor.handles) == 6
    for watched in (seen.supervisor, seen.gateway):
        assert_flat(watched, count, handles=4)


@pytest.mark.slow
def test_a_short_trial_costs_little_beside_its_training_where_workers_are_warm(tmp_path: Path) -> None:
    costs = measure(tmp_path, 2, steps=30, evaluate_every=30)
    for cost in costs:
        assert min(cost.before, cost.training, cost.leaving, cost.recording) >= 0.0
        assert cost.cpu_process >= cost.cpu_training - 0.02, "its ticks are a hundredth of a second"
    assert min(cost.cpu_beside for cost in costs) < 0.25, "CPU, which others on this machine do not take"
