"""A month of a campaign by a clock that is made up: nothing is lost, nothing is done twice, and its words hold."""

import os
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from long_campaigns import Elsewhere, LongExecutor, World
from made_clock import MadeClock

from bench import campaign
from bench.cli.tally import Tally
from bench.config.trial import Trial
from bench.config.workload import Workload
from bench.events import (
    CampaignFinished,
    CampaignStarted,
    Event,
    HeldElsewhere,
    RecordDisagrees,
    RecordedElsewhere,
    TrialFinished,
    TrialRetried,
)
from bench.execution.interface import ExecutorLostError
from bench.store.journal import Store
from bench.store.liveness import LEASE_SECONDS
from bench.store.record import INFRASTRUCTURE_STATUSES, Record
from bench.store.sharing import LOOK_AGAIN_SECONDS

DAY = 86400.0
HOUR = 3600.0
WORKERS = 4


@pytest.fixture(autouse=True)
def nobody_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(seconds: float) -> None:
        raise AssertionError(f"{seconds} s of real time were to be slept")

    monkeypatch.setattr(time, "sleep", refuse)


class Watch:
    """Follows a campaign's events as whoever shows its progress does, and holds its words to what comes."""

    def __init__(self, clock: MadeClock, executor: LongExecutor, still: float) -> None:
        self.clock = clock
        self.executor = executor
        self.still = still
        self.tally = Tally(clock=clock)
        self.events: Counter[str] = Counter()
        self.expected: list[tuple[float, float, float]] = []
        """The time, the share done, and how long it was said to take on."""
        self._share, self._began = 0.0, clock()

    def take(self, event: Event) -> None:
        tally, kind = self.tally, type(event)
        tally.take(event)
        self.events[kind.__name__] += 1
        assert kind is not RecordDisagrees
        if isinstance(event, TrialFinished):
            took = self.executor.seconds[event.trial.id, event.attempt]
            assert took - 1e-3 <= event.seconds <= took + self.still + 1e-3, "the machine may have stood still"
        if isinstance(event, CampaignFinished):
            assert event.seconds == self.clock() - self._began
            assert tally.seconds_left() == (0.0 if event.seconds else None)
            assert tally.share == 1.0
        left = tally.seconds_left()
        assert left is None or left >= 0.0
        assert tally.share <= 1.0 + 1e-9
        # What an attempt had done is gone with it, and the share of another number of trials is another one.
        if kind not in (CampaignStarted, TrialRetried, RecordedElsewhere):
            assert tally.share >= self._share - 1e-9, f"less done than before, by {event}"
        self._share = tally.share
        if left is not None and isinstance(event, TrialFinished):
            self.expected.append((self.clock(), tally.share, left))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("count", "days", "off"),
    [
        pytest.param(80, 0.5, 0.5, id="half a day"),
        pytest.param(5000, 30, 0.15, id="a month", marks=[pytest.mark.slow, pytest.mark.timeout(900)]),
    ],
)
def test_a_long_campaign_loses_nothing_does_nothing_twice_and_says_when_it_ends(
    tmp_path: Path, workload: Workload, record: Callable[..., Record], count: int, days: float, off: float
) -> None:
    store, clock = Store(tmp_path / "results"), MadeClock()
    world = World(clock)
    spec = record(workload, "nsgan", 0).trial.spec
    trials = [Trial(spec=msgspec.structs.replace(spec, seed=seed), components={}) for seed in range(count)]
    began, seconds, still = clock(), days * DAY * WORKERS / count, 0.01 * days * DAY
    other = Elsewhere(store, world, trials[5:25:2], every=2 * HOUR)
    signs = Signs(store, clock)
    told: list[tuple[str, int, str]] = []

    def follow(until: float = float("inf"), lost_at: float = float("inf")) -> Watch:
        executor = LongExecutor(world, WORKERS, seconds, told, lost_at=lost_at)
        watch = Watch(clock, executor, still)
        with closing(campaign.run(trials, executor, store, clock=clock)) as stream:
            for event in stream:
                watch.take(event)
                if isinstance(event, HeldElsewhere) and event.waiting:
                    other.is_waited_for()
                if clock() > until:  # Ctrl-C
                    break
        assert executor.is_closed
        return watch

    clock.every(days * DAY / 9, lambda: clock_jumps(clock, world, still))
    with pytest.raises(ExecutorLostError):
        follow(lost_at=began + 0.3 * days * DAY)
    assert not follow(until=began + 0.6 * days * DAY).events["CampaignFinished"]
    last = follow()
    assert last.events["CampaignFinished"] == 1
    assert last.executor.most == WORKERS
    assert_said_when_it_ends(last, clock(), off)
    taken_over = [last.executor.began[trial.id] - other.silent_since for trial in other.left]
    assert taken_over
    assert min(taken_over) >= LEASE_SECONDS, "not before it has to be taken for dead"
    assert min(taken_over) <= LEASE_SECONDS + 3 * LOOK_AGAIN_SECONDS, "and then at once"
    assert last.events["RecordedElsewhere"] > 0, "while it was waited for"
    assert not list(store.claims.glob("*.claim")), "nobody is at anything any more"
    passes = 1
    while follow().events["TrialFinished"]:  # those that broke or hung are tried again by the same command
        passes += 1
        assert passes < 8
    assert signs.seen >= 0.8 * days * 24
    assert_everything_is_recorded_once(store, trials, told, other)


class Signs:
    """Looks every hour whether a campaign has given signs of life since the last look."""

    def __init__(self, store: Store, clock: MadeClock) -> None:
        self._store = store
        self.seen = 0
        self._looked_at: Path | None = None
        clock.every(HOUR, self._look)

    def _look(self) -> None:
        own = next((path for path in self._store.claims.glob("*.alive") if path.stem != Elsewhere.NAME), None)
        if own is not None and own == self._looked_at:
            assert own.stat().st_mtime > 1.0, "no sign of life for an hour"
            self.seen += 1
        if own is not None:
            os.utime(own, (1.0, 1.0))
        self._looked_at = own


def clock_jumps(clock: MadeClock, world: World, still: float) -> None:
    """Let the machine stand still for so long; then the clocks on the walls are years off, forth or back."""
    clock.jump(still)
    world.off = timedelta(days=4000) if world.off <= timedelta() else timedelta(days=-4000)


def assert_said_when_it_ends(watch: Watch, end: float, off: float) -> None:
    early = [each for each in watch.expected if each[1] >= 0.1]
    assert early
    began = watch.tally.started
    for now, share, left in early:
        assert abs(now + left - end) <= off * (end - began) + 2 * Elsewhere.PATIENCE, f"at {share:.0%}"


def assert_everything_is_recorded_once(
    store: Store, trials: list[Trial], told: list[tuple[str, int, str]], other: Elsewhere
) -> None:
    records = list(store.records())
    own = Counter((each.trial_id, each.attempt, each.status) for each in records if each.trial_id not in other.recorded)
    assert own == Counter(told), "every attempt that has ended, and no other"
    attempts: dict[str, list[Record]] = {trial.id: [] for trial in trials}
    for each in sorted(records, key=lambda record: record.attempt):
        attempts[each.trial_id].append(each)
    for made in attempts.values():
        assert [each.attempt for each in made] == list(range(len(made)))
        *before, last = (each.status in INFRASTRUCTURE_STATUSES for each in made)
        assert all(before), "nothing is tried again that has its result"
        assert not last, "everything has its result"
    assert not {trial_id for trial_id, *_ in told} & set(other.recorded), "what another has recorded is not run"
    assert not list(store.claims.glob("*.claim"))
