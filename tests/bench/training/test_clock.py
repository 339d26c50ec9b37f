"""The pace that a trial is credited with."""

from collections.abc import Sequence

import pytest
import torch

from bench.training import clock
from bench.training.clock import BlockClock


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch):
    """Return what makes a clock of blocks, each so many steps in so many seconds, with company or without.

    It has taken up the blocks of an earlier attempt where there are any.
    """

    def make(*blocks: tuple[int, float, bool], earlier: Sequence[tuple[int, float, bool]] = ()) -> BlockClock:
        instants = iter([instant for _, seconds, _ in blocks for instant in (0.0, seconds)])
        monkeypatch.setattr(clock, "now", lambda *, cuda: next(instants))
        found = BlockClock(torch.device("cpu"))
        if earlier:
            found.restore(list(earlier))
        for steps, _, overlapped in blocks:
            found.start()
            found.stop(steps, overlapped=overlapped)
        return found

    return make


def test_the_first_block_warms_up(timed):
    assert timed((50, 10.0, False), (50, 5.0, False), (50, 2.0, False), (50, 1.0, False)).steps_per_second() == 25.0
    assert timed((50, 10.0, False)).steps_per_second() == 5.0
    assert timed().steps_per_second() is None


def test_blocks_with_company_tell_no_pace_but_took_their_time(timed):
    found = timed((50, 9.0, False), (50, 8.0, True), (50, 5.0, False), (50, 8.0, True))
    assert found.steps_per_second() == 10.0
    assert found.train_seconds() == 30.0
    assert found.mean_seconds() == 0.15


def test_where_every_block_had_company_their_pace_is_told(timed):
    assert timed((50, 9.0, False), (50, 5.0, True), (50, 10.0, True)).steps_per_second() == 7.5


@pytest.mark.parametrize(
    ("overlapped", "expected"),
    [
        ([False, False], True),
        ([], True),
        ([True, False], False),
        ([True, False, False, False], False),
        ([True, False, False, False, False], True),
        ([True, True], False),
    ],
    ids=["nothing overlapped", "no block", "one of two", "three exclusive", "four exclusive", "company throughout"],
)
def test_a_pace_is_told_by_enough_blocks_without_company(timed, overlapped, expected):
    assert timed(*((50, 1.0, each) for each in overlapped)).tells_pace(4) is expected


class Event:
    """As of CUDA: it is reached when the device has come so far."""

    device = 0.0
    waits = 0
    reads = 0

    def __init__(self, at: float) -> None:
        self.at = at

    def query(self) -> bool:
        return self.at <= Event.device

    def synchronize(self) -> None:
        Event.waits += not self.query()
        Event.device = max(Event.device, self.at)

    def elapsed_time(self, last: "Event") -> float:
        Event.reads += 1
        return 1000 * (last.at - self.at)


@pytest.fixture
def queued(monkeypatch: pytest.MonkeyPatch) -> BlockClock:
    """Blocks of 10, 5, 2 and 1 seconds that a device has yet to do."""
    instants = iter([Event(at) for at in (0.0, 10.0, 10.0, 15.0, 15.0, 17.0, 17.0, 18.0)])
    monkeypatch.setattr(clock, "now", lambda *, cuda: next(instants))
    for name in ("device", "waits", "reads"):
        monkeypatch.setattr(Event, name, 0)
    made = BlockClock(torch.device("cuda"))
    for _ in range(4):
        made.start()
        made.stop(50)
    return made


def test_who_watches_does_not_wait_for_the_device(queued: BlockClock) -> None:
    paces = []
    for device in (0.0, 10.0, 16.9, 17.0, 18.0):
        Event.device = device
        paces.append(queued.pace_so_far())
    assert paces == [None, 5.0, 10.0, 17.5, 25.0]
    assert Event.waits == 0


def test_what_is_recorded_is_of_all_blocks(queued: BlockClock) -> None:
    assert queued.steps_per_second() == 25.0
    assert Event.device == 18.0, "it was waited for"


def test_the_time_of_a_block_is_read_once(queued: BlockClock) -> None:
    for _ in range(5):
        queued.steps_per_second()
        queued.pace_so_far()
        queued.train_seconds()
    assert Event.reads == 4


def test_without_a_device_of_its_own_the_pace_so_far_is_that_of_all(timed) -> None:
    made = timed((50, 10.0, False), (50, 5.0, False), (50, 2.0, False), (50, 1.0, False))
    assert made.pace_so_far() == made.steps_per_second() == 25.0


OURS = (50, 1.0, False)


@pytest.mark.parametrize(
    ("earlier", "own", "pace"),
    [
        ([(50, 10.0, False)] * 6, [(50, 9.0, False), OURS, OURS], 50.0),
        ([(50, 10.0, True)] * 6, [(50, 9.0, False), OURS, OURS], 50.0),
        ([(50, 9.0, False), OURS], [(50, 10.0, False)], 50.0),
        ([(50, 9.0, False), OURS], [], 50.0),
        ([], [(50, 10.0, False)], 5.0),
    ],
    ids=["slower before", "with company before", "only its warm-up left", "nothing left", "nothing before"],
)
def test_the_pace_is_that_of_the_last_attempt_and_the_seconds_are_those_of_all(timed, earlier, own, pace) -> None:
    """An earlier attempt may have had another way of making steps, and shared its machine with others."""
    made = timed(*own, earlier=earlier)
    assert made.steps_per_second() == made.pace_so_far() == pace
    assert made.train_seconds() == sum(seconds for _, seconds, _ in [*earlier, *own])
    assert made.snapshot() == [*earlier, *own]
    assert made.tells_pace(4)


def test_company_in_an_earlier_attempt_leaves_the_pace_unknown_where_nothing_was_left_to_train(timed) -> None:
    assert not timed(earlier=[(50, 1.0, True)] * 6).tells_pace(4)
