"""A user's loss that raises, returns a wrong shape or NaN, never returns, or forks away: what the records say."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_trials import toy_trial

import losses
from bench import campaign
from bench.config.trial import Trial
from bench.events import CampaignFinished, TrialFinished
from bench.execution.inline import InlineExecutor
from bench.execution.interface import Executor
from bench.execution.local import LocalExecutor
from bench.store.journal import Store
from bench.store.record import Record
from bench.training.run_options import RunOptions

FILE = Path(__file__).parents[2] / "helpers" / "faulty_losses.py"


def forget(file: Path) -> None:
    """Take back what a file of losses has registered, as if it had not been imported."""
    for name in [name for name in sys.modules if losses.plugins.file_of(name) == file]:
        del sys.modules[name]
    losses.registry._parts.pop("faulty", None)


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv(losses.plugins.FILES_VARIABLE, "")
    monkeypatch.setenv("FAULTY_MARKER", str(tmp_path / "marker"))
    losses.registry.import_file(FILE)
    losses.plugins.name_file(FILE)
    yield
    forget(FILE)


WAYS = ("good", "raises", "shape", "nan", "forks", "hangs")


def trial(way: str) -> Trial:
    place = WAYS.index(way)
    method = "faulty" if place == 0 else f"faulty(way={place})"
    return toy_trial(method=str(losses.get(method)), method_name=way, steps=10, evaluate_every=10, samples=100)


def outcome(executor: Executor, store: Store, *ways: str, minutes: float = 5.0) -> dict[str, Record]:
    """Run trials, and return their last records by the way in which they broke; those before come as a group."""
    events = list(campaign.run([trial(way) for way in ways], executor, store, RunOptions(timeout_minutes=minutes)))
    assert isinstance(events[-1], CampaignFinished)
    assert sum(isinstance(event, TrialFinished) for event in events) == len(ways)
    return {record.spec.method_name: record for record in store.latest().values()}


@pytest.mark.slow
def test_one_that_raises_or_has_a_wrong_shape_or_is_nan_from_the_first_step_costs_itself_alone(tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    records = outcome(InlineExecutor(), store, "raises", "shape", "nan", "good")
    assert {way: record.status for way, record in records.items()} == {
        "raises": "error", "shape": "error", "nan": "nonfinite", "good": "ok",
    }  # fmt: skip
    assert records["raises"].message == "RuntimeError: the loss has had enough"
    assert "scalar" in records["shape"].message
    assert records["nan"].stability["first_nonfinite_step"] == 0
    log = store.log_path(records["raises"].trial_id, 0).read_text()
    assert "faulty_losses.py" in log, "the line of the user's file"


@pytest.mark.slow
def test_one_that_never_returns_or_forks_away_holds_nobody(tmp_path: Path) -> None:
    started = time.monotonic()
    records = outcome(LocalExecutor(2), Store(tmp_path / "results"), "hangs", "forks", "good", minutes=0.5)
    assert {way: record.status for way, record in records.items()} == {
        "hangs": "timeout", "forks": "ok", "good": "ok",
    }  # fmt: skip
    assert "stopped after 0.5 minutes" in records["hangs"].message
    assert time.monotonic() - started < 250, "nobody waited for the fork"
    child = int((tmp_path / "marker").read_text())
    assert not Path(f"/proc/{child}").exists() or "zombie" in Path(f"/proc/{child}/status").read_text()
