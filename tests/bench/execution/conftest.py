"""Tasks for the fake trainer, which child processes find on the search path of this one."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.config.workload import Workload
from bench.execution.interface import Task
from bench.store.record import Record


@pytest.fixture
def make_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workload: Workload, record: Callable[..., Record]
) -> Callable[..., Task]:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.setenv("FAKE_TRAINING_MARKER", str(tmp_path / "marker"))

    def make(method: str = "plain", seed: int = 0, **changes: object) -> Task:
        trial = record(workload, method, seed).trial
        settings: dict[str, object] = {
            "trial": trial,
            "attempt": 0,
            "scratch": str(tmp_path / "scratch" / f"{trial.id}.0"),
            "log": str(tmp_path / "logs" / f"{trial.id}.0.log"),
            "trainer": "fake_training:train",
            "pack_trainer": "fake_training:train_pack",
            "timeout_seconds": 30.0,
        }
        return Task(**(settings | changes))

    return make
