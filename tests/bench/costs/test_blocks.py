"""Blocks alternate A B B A over rotating calls, and a wrong time would be seen."""

import gc
import time

import pytest

from bench.costs.blocks import Call, Effort, interleave

TINY = Effort(block_seconds=0.0, seconds=0.0, least=2, most=9)


def test_blocks_alternate_and_every_block_starts_afresh():
    told = []

    def call(name, interval):
        return Call(lambda index: told.append(f"{name}{index}"), interval, lambda: told.append(f"reset {name}"))

    blocks = interleave(call("B", 2), call("A", 1), TINY)
    assert (blocks.calls, blocks.reference_calls) == (2, 1)
    assert len(blocks.subject) == len(blocks.reference) == 4
    warm = ["reset A", "A0", "reset A", "A1", "reset B", "B0", "B1", "reset B", "B2", "B3"]
    assert told[: len(warm)] == warm
    order = [each.removeprefix("reset ") for each in told[len(warm) :] if each.startswith("reset")]
    assert order == list("ABBAABBA")
    indices = [int(each[1:]) for each in told if each[0] == "B"]
    assert indices == list(range(len(indices))), "every call is the next one"


def test_as_many_blocks_as_fit_between_the_least_and_the_most(clock):
    nothing = Call(lambda _: None)
    assert len(interleave(nothing, nothing, Effort(block_seconds=0.0, seconds=1.0, least=1, most=3)).subject) == 6
    slow = Call(lambda _: clock.spend(0.01))
    for seconds, blocks in [(0.0, 2), (0.05, 2), (0.09, 4), (1.0, 6)]:
        effort = Effort(block_seconds=0.0, seconds=seconds, least=1, most=3)
        assert len(interleave(slow, slow, effort).subject) == blocks


def test_short_calls_are_timed_in_long_blocks(clock):
    effort = Effort(block_seconds=0.01, seconds=0.0, least=1, most=1)
    blocks = interleave(Call(lambda _: clock.spend(1e-5), interval=3), Call(lambda _: clock.spend(0.02)), effort)
    assert blocks.reference_calls == 1
    assert blocks.calls == 1002, "a multiple of three in which ten milliseconds pass"
    assert blocks.subject == pytest.approx([1e-5] * 2)


@pytest.mark.parametrize("cuda", [False, True])
def test_known_work_is_found_as_a_ratio(cuda, fake_cuda, clock):
    long, short = (Call(lambda _, seconds=seconds: clock.spend(seconds)) for seconds in (0.04, 0.01))
    blocks = interleave(long, short, Effort(block_seconds=0.0, seconds=0.0, least=3, most=3), cuda=cuda)
    assert blocks.subject == pytest.approx([0.04] * 6)
    assert blocks.reference == pytest.approx([0.01] * 6)


def test_a_sleep_takes_at_least_as_long_by_the_true_clock():
    sleep, nothing = Call(lambda _: time.sleep(0.01)), Call(lambda _: None)
    blocks = interleave(sleep, nothing, TINY)
    assert min(blocks.subject) >= 0.01
    assert 0.0 < min(blocks.reference) < min(blocks.subject)


def test_the_garbage_collector_is_back_afterwards():
    seen = []
    interleave(Call(lambda _: seen.append(gc.isenabled())), Call(lambda _: None), TINY)
    assert not any(seen)
    assert gc.isenabled()
