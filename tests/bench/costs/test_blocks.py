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


def test_as_many_blocks_as_fit_between_the_least_and_the_most():
    nothing = Call(lambda _: None)
    assert len(interleave(nothing, nothing, Effort(block_seconds=0.0, seconds=1.0, least=1, most=3)).subject) == 6
    slow = Call(lambda _: time.sleep(0.01))
    assert len(interleave(slow, slow, Effort(block_seconds=0.0, seconds=0.0, least=1, most=3)).subject) == 2


def test_short_calls_are_timed_in_long_blocks():
    effort = Effort(block_seconds=0.01, seconds=0.0, least=1, most=1)
    blocks = interleave(Call(lambda _: sum(range(500)), interval=3), Call(lambda _: time.sleep(0.02)), effort)
    assert blocks.reference_calls == 1
    assert blocks.calls % 3 == 0
    assert blocks.calls > 30
    assert min(blocks.subject) < 0.001


@pytest.mark.parametrize("cuda", [False, True])
def test_a_known_sleep_is_found(cuda, fake_cuda):
    effort = Effort(block_seconds=0.0, seconds=0.0, least=3, most=3)
    long, short = (Call(lambda _, nap=nap: time.sleep(nap)) for nap in (0.04, 0.01))
    blocks = interleave(long, short, effort, cuda=cuda)
    assert 0.04 <= min(blocks.subject) < 0.06
    assert 0.01 <= min(blocks.reference) < 0.02


def test_known_work_is_found_as_a_ratio():
    def work(rounds):
        return Call(lambda _: [sum(range(2000)) for _ in range(rounds)])

    effort = Effort(block_seconds=0.002, seconds=0.0, least=40, most=40)  # of so many, one of each is not disturbed
    blocks = interleave(work(40), work(10), effort)
    assert min(blocks.subject) / min(blocks.reference) == pytest.approx(4.0, rel=0.3)


def test_the_garbage_collector_is_back_afterwards():
    seen = []
    interleave(Call(lambda _: seen.append(gc.isenabled())), Call(lambda _: None), TINY)
    assert not any(seen)
    assert gc.isenabled()
