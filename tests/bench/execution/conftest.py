"""Tasks for the fake trainer, which child processes find on the search path of this one."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.config.workload import Workload
from bench.execution.interface import Task
from bench.store.record import Record
from bench.training.run_options import RunOptions


@pytest.fixture(autouse=True)
def _untimed(untimed: None) -> None:
    """Of every trial here."""


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
        }
        options = {name: changes.pop(name) for name in RunOptions.__struct_fields__ if name in changes}
        return Task(**(settings | changes), options=RunOptions(**({"timeout_minutes": 0.5} | options)))

    return make
