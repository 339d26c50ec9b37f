"""Campaigns of trials that a fake trainer makes: what is done with their events and records."""

from collections.abc import Callable, Iterator

from bench.config.trial import Trial
from bench.events import (
    Event,
)
from bench.execution.interface import Message, Task
from bench.store.journal import Store

FAKE = "fake_training:train"
"""The trainer, which the fixture `trial` puts on the search path."""

MakeTrial = Callable[..., Trial]
"""`trial(method, seed)`: the method's name says what the fake trainer does."""


def of(events: list[Event], kind: type[Event]) -> list[Event]:
    return [event for event in events if isinstance(event, kind)]


def deterministic(store: Store) -> dict[tuple[str, int], object]:
    return {
        (record.trial_id, record.attempt): (record.status, record.metrics, record.history, record.stability)
        for record in store.records()
    }


class Recording:
    """An executor that runs nothing and keeps what it was given."""

    workers = 1
    backlog = 0

    def __init__(self) -> None:
        self.tasks: list[Task] = []

    def submit(self, *tasks: Task) -> None:
        self.tasks.extend(tasks)

    def messages(self) -> Iterator[Message]:
        return iter(())

    def cancel(self) -> None:
        pass

    def close(self) -> None:
        pass
