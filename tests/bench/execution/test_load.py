"""Very many very short trials: nothing grows with their number. `tests/helpers/load.py` has thousands."""

from pathlib import Path

import pytest
from load import load

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def fake_trainer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(HERE))


@pytest.mark.parametrize("count", [20, pytest.param(300, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
def test_neither_memory_nor_handles_nor_threads_grow_with_the_number_of_trials(tmp_path: Path, count: int) -> None:
    seen = load(count, 2, tmp_path / "results", looks=5)
    assert (seen.finished, seen.recorded) == (count, count)
    first, last = seen.memory[0], seen.memory[-1]
    assert last - first < 4 * count + 2048, f"KiB: {seen.memory}"  # a trial that is kept whole has some
    pipes_of_two_workers = 2 * 5
    assert max(seen.handles) - min(seen.handles) <= pipes_of_two_workers, seen.handles
    assert max(seen.threads) - min(seen.threads) <= 4, seen.threads
