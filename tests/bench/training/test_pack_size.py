"""The size of a pack: the choice by rates, and the trial of it on the CPU."""

import itertools

import pytest
import torch
from small_trials import toy_trial

from bench.execution.pack_size import best_pack
from bench.training import pack_size
from bench.training.pack_size import Tried, choose, try_sizes


@pytest.mark.parametrize(
    ("rates", "size"),
    [
        ([100], 1),
        ([100, 109], 1),
        ([100, 111], 2),
        ([100, 190, 350, 360, 900], 4),
        ([100, 50, 900], 1),
    ],
)
def test_the_largest_size_that_was_worth_it_is_chosen(rates, size):
    assert choose(Tried(each, rate) for each, rate in zip(pack_size.SIZES, rates, strict=False)).size == size


def test_no_larger_pack_is_made_than_the_first_that_was_not_worth_it():
    tried = iter([Tried(1, 100.0), Tried(2, 101.0), Tried(4, 900.0)])
    choose(tried)
    assert next(tried).size == 4


def sizes(**changes):
    return try_sizes(toy_trial(**changes), data_dir=None, device="cpu", threads=1)


def test_each_size_counts_the_steps_of_all_its_trials(monkeypatch):
    """With a clock that moves by a second a block, a pack of two makes twice the steps a second of one."""
    clock = itertools.count()
    monkeypatch.setattr(pack_size.time, "perf_counter", lambda: float(next(clock)))
    assert list(itertools.islice(sizes(), 3)) == [Tried(1, 50.0), Tried(2, 100.0), Tried(4, 200.0)]


def test_it_ends_before_the_memory_is_full(monkeypatch):
    shares = iter([0.1, 0.3, 0.45])
    monkeypatch.setattr(pack_size, "_memory_share", lambda device: next(shares))
    assert [each.size for each in sizes()] == [1, 2, 4]


def test_it_ends_where_the_memory_has_ended(monkeypatch):
    build = pack_size.build_step
    made = itertools.count()

    def building(*given, **options):
        if next(made) == 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return build(*given, **options)

    monkeypatch.setattr(pack_size, "build_step", building)
    assert [each.size for each in sizes()] == [1, 2]


def test_one_trial_that_does_not_fit_is_an_error(monkeypatch):
    def refuse(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(pack_size, "build_step", refuse)
    with pytest.raises(torch.OutOfMemoryError):
        next(sizes())


def test_it_is_tried_in_another_process():
    size, gain = best_pack(toy_trial(), data_dir=None, device="cpu", threads=1, capture=False)
    assert size in pack_size.SIZES
    assert gain >= 1.0
