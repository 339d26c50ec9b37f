"""A range's time is its own: what lies inside it is counted there and not here."""

import pytest

from bench.costs.stopwatch import Stopwatch


@pytest.mark.parametrize("cuda", [False, True])
def test_times_are_exclusive_and_add_up(cuda, fake_cuda, clock):
    watch = Stopwatch(cuda=cuda)
    with watch("outer"):
        clock.spend(2.0)
        with watch("inner"):
            clock.spend(4.0)
        with watch("inner"):
            clock.spend(5.0)
        clock.spend(1.0)
    assert watch.take() == {"inner": 9.0, "outer": 3.0}
    assert watch.take() == {}


def test_a_range_that_fails_is_closed():
    watch = Stopwatch(cuda=False)
    with pytest.raises(RuntimeError, match="stopped"), watch("outer"), watch("inner"):
        raise RuntimeError("stopped")
    assert set(watch.take()) == {"outer", "inner"}
    with watch("next"):
        pass
    assert set(watch.take()) == {"next"}
