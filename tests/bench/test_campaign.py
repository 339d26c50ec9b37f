"""A campaign from its plan to its records: what is run, tried again, told and divided."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from fake_campaigns import FAKE, MakeTrial, Recording, deterministic, of

from bench.campaign import divide, groups, run
from bench.config.suite import load_suite
from bench.config.trial import Trial
from bench.events import (
    CampaignFinished,
    CampaignStarted,
    Progress,
    RecordDisagrees,
    TrialFinished,
    TrialRetried,
    TrialStarted,
)
from bench.execution.inline import InlineExecutor
from bench.execution.interface import Executor, Finished, Message
from bench.execution.local import LocalExecutor
from bench.plan import expand
from bench.store import environment
from bench.store.journal import RecordError, Store
from bench.training.run_options import RunOptions


def test_a_campaign_from_start_to_end(store: Store, trial: MakeTrial) -> None:
    one = trial()
    events = list(run([one], InlineExecutor(), store, trainer=FAKE))
    assert [type(event) for event in events] == [
        CampaignStarted, TrialStarted, Progress, TrialFinished, CampaignFinished,
    ]  # fmt: skip
    assert events[0] == CampaignStarted(planned=1, recorded=0, workers=1, results=str(store.root))
    (end,) = of(events, TrialFinished)
    assert isinstance(end, TrialFinished)
    (record,) = store.records()
    assert (end.trial, end.attempt, end.status) == (one, 0, "ok")
    assert end.distance == record.metrics["distance"]
    assert record.trial == one
    assert record.environment is not None
    assert (store.artifacts_dir(one.id) / "samples.png").read_bytes() == one.id.encode()
    assert not [path for path in (store.root / "scratch").iterdir() if path.is_dir()]


def test_again_does_nothing_and_more_does_only_what_is_missing(store: Store, trial: MakeTrial) -> None:
    first, second = trial(seed=0), trial(seed=1)
    list(run([first], InlineExecutor(), store, trainer=FAKE))
    before = store.record_path(first.id, 0).stat().st_mtime_ns
    events = list(run([first, second], InlineExecutor(), store, trainer=FAKE))
    assert events[0] == CampaignStarted(planned=2, recorded=1, workers=1, results=str(store.root))
    assert [event.trial for event in of(events, TrialStarted)] == [second]  # type: ignore[union-attr]
    assert store.record_path(first.id, 0).stat().st_mtime_ns == before
    events = list(run([first, second], InlineExecutor(), store, trainer=FAKE))
    assert [type(event) for event in events] == [CampaignStarted, CampaignFinished]


def test_trials_run_in_the_order_of_the_plan(store: Store, trial: MakeTrial) -> None:
    trials = [trial(method, seed) for seed in (0, 1) for method in ("b", "a")]
    events = list(run(trials, InlineExecutor(), store, trainer=FAKE))
    assert [event.trial for event in of(events, TrialStarted)] == trials  # type: ignore[union-attr]


def test_a_failed_run_is_a_result_and_an_error_is_tried_again(store: Store, trial: MakeTrial) -> None:
    failed, broken = trial("nonfinite"), trial("break")
    events = list(run([failed, broken], InlineExecutor(), store, trainer=FAKE))
    (end,) = of(events, CampaignFinished)
    assert isinstance(end, CampaignFinished)
    assert (end.finished, end.failed) == (2, 2)
    assert "Traceback" in store.log_path(broken.id, 0).read_text()
    assert not store.artifacts_dir(broken.id).exists()
    assert store.artifacts_dir(failed.id).exists(), "what a failed generator draws is worth a look"
    list(run([failed, broken], InlineExecutor(), store, trainer=FAKE))
    assert [(record.status, record.attempt) for record in store.records() if record.trial_id == broken.id] == [
        ("error", 0),
        ("error", 1),
    ]
    assert store.latest()[failed.id].attempt == 0


def test_a_lost_process_is_recorded_and_its_trial_retried(store: Store, trial: MakeTrial) -> None:
    lost, other = trial("die-once"), trial()
    events = list(run([lost, other], LocalExecutor(1), store, trainer=FAKE))
    (retried,) = of(events, TrialRetried)
    assert isinstance(retried, TrialRetried)
    assert (retried.trial_id, retried.attempt) == (lost.id, 1)
    assert "SIGKILL" in retried.reason
    records = [record for record in store.records() if record.trial_id == lost.id]
    assert [(record.attempt, record.status) for record in records] == [(0, "error"), (1, "ok")]
    ends = [event for event in events if isinstance(event, TrialFinished)]
    assert sorted((end.trial.id, end.attempt, end.status) for end in ends) == sorted(
        [(lost.id, 1, "ok"), (other.id, 0, "ok")]
    )
    assert "SIGKILL" in store.log_path(lost.id, 0).read_text()


def test_what_a_lost_process_had_not_finished_is_retried_alone(store: Store, trial: MakeTrial) -> None:
    trials = [trial("die-once"), trial("nap"), trial()]
    events = list(run(trials, LocalExecutor(1), store, RunOptions(trials_per_process=3), trainer=FAKE))
    assert {event.trial_id for event in of(events, TrialRetried)} == {trials[0].id}
    assert {event.status for event in of(events, TrialFinished)} == {"ok"}
    attempts = {(record.spec.method, record.attempt): record.status for record in store.records()}
    expected = {("plain", 0): "ok", ("nap", 0): "ok", ("die-once", 0): "error", ("die-once", 1): "ok"}
    assert attempts == expected


@pytest.mark.slow
def test_a_trial_that_did_not_fit_beside_others_is_retried_alone(store: Store, trial: MakeTrial) -> None:
    trials = [trial("large"), trial(), trial("large", 1)]
    events = list(run(trials, LocalExecutor(1), store, RunOptions(trials_per_process=3), trainer=FAKE))
    assert {event.trial_id for event in of(events, TrialRetried)} == {trials[0].id, trials[2].id}
    assert {event.status for event in of(events, TrialFinished)} == {"ok"}


def test_what_found_no_memory_is_tried_again_with_half_as_many_down_to_one(store: Store, trial: MakeTrial) -> None:
    half, huge = [trial("half", seed) for seed in range(3)], trial("huge")
    trials = [half[0], huge, half[1], trial(), half[2], trial(seed=1)]
    events = list(run(trials, InlineExecutor(), store, RunOptions(trials_per_process=6), trainer=FAKE))
    attempts = {trial.id: [] for trial in trials}
    for record in store.records():
        attempts[record.trial_id].append(record.message.partition(" of its process")[0] or record.status)
    beside = [f"out of memory beside {number} other trials" for number in (5, 2)]
    # Of the four, three share a process and one has its own; then each of the three has one, too.
    assert attempts[huge.id] == [*beside, "out of memory: no memory was left"]
    assert sorted(attempts[each.id] for each in half) == [[beside[0], "ok"], [*beside, "ok"], [*beside, "ok"]]
    retried = [each.trials_per_process for each in of(events, TrialRetried) if each.trial_id == huge.id]
    assert retried == [3, 1]
    (end,) = [each for each in of(events, TrialFinished) if each.trial.id == huge.id]
    assert (end.status, end.attempt) == ("error", 2)


def test_what_found_no_memory_waits_until_its_company_has_ended(store: Store, trial: MakeTrial) -> None:
    """Until then the memory is theirs."""
    trials = [trial("half"), trial(), trial("nap"), trial("half", 1)]
    events = list(run(trials, LocalExecutor(2), store, RunOptions(trials_per_process=4), trainer=FAKE))
    told = [
        (type(each).__name__, each.trial.spec.method if isinstance(each, TrialStarted | TrialFinished) else "half")
        for each in events
        if isinstance(each, TrialStarted | TrialFinished | TrialRetried)
    ]
    again = [place for place, what in enumerate(told) if what == ("TrialStarted", "half")][2:]
    assert len(again) == 2, "they share a process again"
    assert told.index(("TrialFinished", "nap")) < again[0]
    assert told[-2:] == [("TrialFinished", "half")] * 2


@pytest.mark.parametrize("size", [1, 2, 3, 10])
def test_groups_have_one_workload_and_precision_and_keep_the_order(trial: MakeTrial, size: int) -> None:
    def named(workload: str, seed: int, precision: str = "fp32") -> tuple[Trial, int]:
        spec = msgspec.structs.replace(trial(seed=seed).spec, workload=workload, precision=precision)
        return Trial(spec=spec, components={}), seed

    todo = [named("a", 0), named("b", 1), named("a", 2), named("a", 3), named("a", 4, "bf16"), named("b", 5)]
    expected = {
        1: [[0], [1], [2], [3], [4], [5]],
        2: [[0, 2], [1, 5], [3], [4]],
        3: [[0, 2, 3], [1, 5], [4]],
        10: [[0, 2, 3], [1, 5], [4]],
    }
    assert [[attempt for _, attempt in group] for group in groups(todo, size)] == expected[size]


def test_a_process_without_trials_or_with_too_many_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one trial, not 0"):
        RunOptions(trials_per_process=0)
    with pytest.raises(ValueError, match="at most 16 trials, not 17"):
        RunOptions(trials_per_process=17)


@pytest.mark.slow
def test_trials_that_share_a_process_have_the_records_of_trials_alone(tmp_path: Path) -> None:
    settings = {"methods": ["nsgan", "wgan-gp"], "seeds": 2, "steps": 60, "evaluate_every": 30, "samples": 100}
    trials = expand(load_suite("smoke", settings))
    stores = [Store(tmp_path / name) for name in ("alone", "shared")]
    for store, size in zip(stores, (1, 3), strict=True):
        events = list(run(trials, LocalExecutor(1), store, RunOptions(trials_per_process=size)))
        assert len(of(events, TrialFinished)) == 4
    assert deterministic(stores[0]) == deterministic(stores[1])
    assert [record.cost.get("pack") for record in stores[1].records()].count(3) == 3
    again = list(run(trials, InlineExecutor(), stores[1], RunOptions(trials_per_process=4)))
    assert again[-1].finished == 0, "nothing is left to run"


def test_a_process_lost_twice_is_given_up(store: Store, trial: MakeTrial) -> None:
    lost = trial("die")
    events = list(run([lost], LocalExecutor(1), store, trainer=FAKE))
    assert len(of(events, TrialRetried)) == 1
    (end,) = of(events, TrialFinished)
    assert isinstance(end, TrialFinished)
    assert (end.attempt, end.status) == (1, "error")
    assert [record.status for record in store.records()] == ["error", "error"]


def test_timeout_is_recorded(store: Store, trial: MakeTrial) -> None:
    (end,) = of(
        list(run([trial("sleep")], LocalExecutor(1), store, RunOptions(timeout_minutes=1 / 60), trainer=FAKE)),
        TrialFinished,
    )
    assert isinstance(end, TrialFinished)
    assert end.status == "timeout"
    assert store.records()[0].status == "timeout"


class Twice(InlineExecutor):
    """An at-least-once executor: every outcome comes twice, the second time changed by `change`."""

    def __init__(self, change: Callable[[Finished], Finished]) -> None:
        super().__init__()
        self._change = change

    def messages(self) -> Iterator[Message]:
        for message in super().messages():
            yield message
            if isinstance(message, Finished):
                yield self._change(message)


def test_a_trial_that_is_run_twice_is_harmless(store: Store, trial: MakeTrial) -> None:
    events = list(run([trial()], Twice(lambda message: message), store, trainer=FAKE))
    assert of(events, RecordDisagrees) == []
    assert len(store.records()) == 1


def test_two_runs_that_disagree_are_told(store: Store, trial: MakeTrial) -> None:
    def disagree(message: Finished) -> Finished:
        outcome = msgspec.structs.replace(message.outcome, metrics={**message.outcome.metrics, "distance": 9.0})
        return msgspec.structs.replace(message, outcome=outcome)

    one = trial()
    events = list(run([one], Twice(disagree), store, trainer=FAKE))
    assert of(events, RecordDisagrees) == [RecordDisagrees(trial_id=one.id, fields=("metrics.distance",))]
    assert store.records()[0].metrics["distance"] != 9.0


class Closed(InlineExecutor):
    closed = 0

    def close(self) -> None:
        self.closed += 1
        super().close()


def test_the_executor_is_closed_however_it_ends(store: Store, trial: MakeTrial) -> None:
    closing = Closed()
    events = run([trial(), trial(seed=1)], closing, store, trainer=FAKE)
    next(events)
    assert closing.closed == 0
    events.close()  # type: ignore[attr-defined]
    assert closing.closed == 1

    (store.root / "records" / "junk").touch()
    refused = Closed()
    with pytest.raises(RecordError):
        list(run([trial()], refused, store, trainer=FAKE))
    assert refused.closed == 1


def test_closing_the_stream_stops_the_children(store: Store, trial: MakeTrial) -> None:
    events = run([trial("sleep")], LocalExecutor(1), store, trainer=FAKE)
    while not isinstance(next(events), TrialStarted):
        pass
    started = time.monotonic()
    events.close()  # type: ignore[attr-defined]
    assert time.monotonic() - started < 5.0
    assert store.records() == []


def test_the_options_reach_the_task_whole(store: Store, trial: MakeTrial, tmp_path: Path) -> None:
    executor = Recording()
    given: Executor = executor
    options = RunOptions(threads=3, device="cuda:1", data_dir=str(tmp_path), timeout_minutes=2.0)
    list(run([trial()], given, store, options))
    (task,) = executor.tasks
    assert task.options == msgspec.structs.replace(options, checkpoint_dir=str(store.root / "checkpoints"))
    assert task.options.timeout_seconds == 120.0
    assert Path(task.scratch).is_absolute()
    assert task.trial == trial(), "nothing of it entered the trial"


@pytest.mark.parametrize(
    ("workers", "company", "seconds"), [(1, 1, 0.25), (250, 1, 0.25), (1000, 1, 1.0), (1000, 16, 16.0)]
)
def test_trials_tell_of_themselves_less_often_where_very_many_run_at_once(
    store: Store, trial: MakeTrial, workers: int, company: int, seconds: float
) -> None:
    executor = Recording()
    executor.workers = workers
    list(run([trial()], executor, store, RunOptions(trials_per_process=company)))
    assert executor.tasks[0].options.progress_seconds == seconds


@pytest.mark.parametrize(("workers", "backlog", "submitted"), [(1, 0, 1), (2, 0, 2), (2, 3, 5), (9, 9, 6)])
def test_no_more_is_submitted_than_there_is_room_for_and_what_is_to_be_seen_waiting(
    store: Store, trial: MakeTrial, workers: int, backlog: int, submitted: int
) -> None:
    executor = Recording()
    executor.workers, executor.backlog = workers, backlog
    list(run([trial(seed=seed) for seed in range(6)], executor, store))
    assert len(executor.tasks) == submitted
    assert len(list(store.claims.glob("*.claim"))) == submitted, "the rest is for others"


@pytest.mark.parametrize(
    ("cpus", "planned", "workers", "device", "expected"),
    [
        (2, 8, None, "cpu", (2, 1)),
        (16, 8, None, "cpu", (8, 2)),
        (16, 1, None, "cpu", (1, 16)),
        (16, 8, None, "cuda", (1, 16)),
        (16, 8, 3, "cpu", (3, 5)),
        (16, 8, 2, "cuda:1", (2, 8)),
        (2, 8, 4, "cpu", (4, 1)),
        (4, 2, 4, "cpu", (2, 2)),
        (4, 0, None, "cpu", (1, 4)),
    ],
)
def test_division_of_the_machine(
    monkeypatch: pytest.MonkeyPatch,
    cpus: int,
    planned: int,
    workers: int | None,
    device: str,
    expected: tuple[int, int],
) -> None:
    monkeypatch.setattr("bench.campaign.usable_cpus", lambda: cpus)
    monkeypatch.setattr("bench.campaign.cpu_limit", lambda: None)
    assert divide(planned, workers, device) == expected


@pytest.mark.parametrize(
    ("limit", "planned", "workers", "device", "expected"),
    [
        (4, 100, None, "cpu", (4, 1)),
        (4, 2, None, "cpu", (2, 2)),
        (64, 100, None, "cpu", (16, 1)),
        (4, 100, 8, "cpu", (8, 2)),
        (4, 100, None, "cuda", (1, 16)),
    ],
)
def test_a_container_has_no_more_workers_than_its_limit_lets_run(
    monkeypatch: pytest.MonkeyPatch,
    limit: int,
    planned: int,
    workers: int | None,
    device: str,
    expected: tuple[int, int],
) -> None:
    monkeypatch.setattr("bench.campaign.usable_cpus", lambda: 16)
    monkeypatch.setattr("bench.campaign.cpu_limit", lambda: limit)
    assert divide(planned, workers, device) == expected


def test_division_refuses_no_workers() -> None:
    with pytest.raises(ValueError, match="workers must be at least 1"):
        divide(4, 0, "cpu")
    assert environment.usable_cpus() >= 1
