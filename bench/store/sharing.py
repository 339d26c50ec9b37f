"""What is left of a plan for one campaign where others may be at it: what is next, and what has become of the rest.

Campaigns on one results folder take trials from the same plan, or from plans that overlap, until none is left. Each
goes past what another has recorded meanwhile, or is at, and comes back to the latter in the end.
"""

import contextlib
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.common.clock import SYSTEM, Clock
from bench.config.trial import Trial
from bench.events import HeldElsewhere, RecordedElsewhere
from bench.store.claims import Claims
from bench.store.journal import Store, read_record
from bench.store.liveness import Holder, SignOfLife, is_dead_for_sure
from bench.store.record import INFRASTRUCTURE_STATUSES
from bench.store.scratch import scratch_folder

LOOK_AGAIN_SECONDS = 2.0
"""How often it is asked what has become of the trials that others are at."""

Attempt = tuple[Trial, int]


@dataclass(frozen=True)
class _Held:
    trial: Trial
    attempt: int
    holder: Holder


class SharedPlan:
    """Groups of trials that wait for a process, and the trials that other campaigns are at."""

    def __init__(
        self,
        groups: Sequence[Sequence[Attempt]],
        claims: Claims,
        store: Store,
        *,
        look_again: float | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        self._groups = deque(groups)
        self._claims = claims
        self._store = store
        self._look_again = LOOK_AGAIN_SECONDS if look_again is None else look_again
        self._clock = clock
        self._looked = clock()
        self._held: dict[str, _Held] = {}
        self._known: set[str] = set()
        """The campaigns that have been told of."""
        self._told: tuple[str, ...] = ()
        """The trials that have been told to be waited for."""
        self._events: list[RecordedElsewhere | HeldElsewhere] = []

    def next_group(self) -> list[Attempt]:
        """Return the next trials to run in one process, now claimed; none where there is nothing to run just now."""
        while self._groups:
            group = [attempt for attempt in self._groups.popleft() if self._is_ours(*attempt)]
            if group:
                return group
        if self._held and self._clock() - self._looked >= self._look_again:
            self._looked = self._clock()
            for held in list(self._held.values()):
                del self._held[held.trial.id]
                if self._is_ours(held.trial, held.attempt):
                    return [(held.trial, held.attempt)]
        return []

    def events(self) -> Iterator[RecordedElsewhere | HeldElsewhere]:
        """Yield what has become known of other campaigns since the last time."""
        events, self._events = self._events, []
        fresh = {held.holder.campaign: held.holder for held in self._held.values()}
        if fresh.keys() - self._known:
            self._known |= fresh.keys()
            events.append(self._holding(waiting=False))
        yield from events

    def wait(self) -> Iterator[HeldElsewhere]:
        """Wait a little for what others are at; tell of it where that is not what it was."""
        if self._told != tuple(self._held):
            self._told = tuple(self._held)
            yield self._holding(waiting=True)
        self._clock.sleep(self._look_again)

    @property
    def is_waited_for(self) -> bool:
        """Whether other campaigns are at trials of this plan."""
        return bool(self._held)

    def _is_ours(self, trial: Trial, attempt: int) -> bool:
        """Claim an attempt; where it is another's, or recorded, keep that in mind."""
        if not self._is_recorded(trial, attempt):
            holder = self._claims.take(trial.id, attempt)
            if holder is not None:
                self._held[trial.id] = _Held(trial, attempt, holder)
                return False
            if not self._is_recorded(trial, attempt):  # it may have been, before it was claimed here
                return True
            self._claims.release(trial.id, attempt)
        self._settle(trial, attempt)
        return False

    def _settle(self, trial: Trial, attempt: int) -> None:
        """Take note of the result of another campaign, or of its next attempt."""
        following = attempt + 1
        status = read_record(self._store.record_path(trial.id, attempt)).status
        if status in INFRASTRUCTURE_STATUSES:
            if self._is_recorded(trial, following):
                self._settle(trial, following)
                return
            holder = self._claims.holder(trial.id, following)
            if holder is not None:
                self._held[trial.id] = _Held(trial, following, holder)
                return
        self._events.append(RecordedElsewhere(trial=trial, attempt=attempt, status=status))

    def _is_recorded(self, trial: Trial, attempt: int) -> bool:
        return self._store.record_path(trial.id, attempt).exists()

    def _holding(self, *, waiting: bool) -> HeldElsewhere:
        holders = dict.fromkeys(str(held.holder) for held in self._held.values())
        return HeldElsewhere(trial_ids=tuple(self._held), holders=tuple(holders), waiting=waiting)


@contextlib.contextmanager
def place_of(store: Store, clock: Clock = SYSTEM) -> Iterator[tuple[Claims, Path]]:
    """Give a campaign its claims, for as long as it lives, and its scratch folder."""
    with SignOfLife(store.claims, clock=clock) as sign:
        claims = Claims(store, sign)
        name = sign.holder.campaign
        with scratch_folder(store.root, name, is_dead=lambda other: is_dead_for_sure(store.claims, other)) as scratch:
            yield claims, scratch
