"""A range's time is its own: what lies inside it is counted there and not here."""

import time

import pytest

from bench.costs.stopwatch import Stopwatch


@pytest.mark.parametrize("cuda", [False, True])
def test_times_are_exclusive_and_add_up(cuda, fake_cuda):
    watch = Stopwatch(cuda=cuda)
    started = time.perf_counter()
    with watch("outer"):
        time.sleep(0.02)
        with watch("inner"):
            time.sleep(0.04)
        with watch("inner"):
            time.sleep(0.04)
    whole = time.perf_counter() - started
    found = watch.take()
    assert set(found) == {"outer", "inner"}
    assert 0.08 <= found["inner"] <= whole - 0.02
    assert 0.02 <= found["outer"] <= whole - 0.08
    assert sum(found.values()) <= whole
    assert watch.take() == {}


def test_a_range_that_fails_is_closed():
    watch = Stopwatch(cuda=False)
    with pytest.raises(RuntimeError, match="stopped"), watch("outer"), watch("inner"):
        raise RuntimeError("stopped")
    assert set(watch.take()) == {"outer", "inner"}
    with watch("next"):
        pass
    assert set(watch.take()) == {"next"}
