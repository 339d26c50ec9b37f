"""The pace that a trial is credited with."""

import pytest
import torch

from bench.training import clock
from bench.training.clock import BlockClock


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch):
    """Return what makes a clock of blocks, each so many steps in so many seconds, with company or without."""

    def make(*blocks: tuple[int, float, bool]) -> BlockClock:
        instants = iter([instant for _, seconds, _ in blocks for instant in (0.0, seconds)])
        monkeypatch.setattr(clock, "now", lambda *, cuda: next(instants))
        found = BlockClock(torch.device("cpu"))
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
