"""Monitors: the numbers by hand, the flush that is read late, and no host read in between."""

import math

import pytest
import torch
from slow_cases import mostly_slow
from small_trials import images, make_trial

import losses
from bench.training.build import build_step
from bench.training.monitors import MONITORS, UPDATE_RATIO_EVERY, Monitors
from bench.training.observations import DiscriminatorRow, GeneratorRow

CPU = torch.device("cpu")


def rows_of(value: float) -> tuple[DiscriminatorRow, GeneratorRow]:
    """Return a discriminator's and a generator's row of one sample that say `value` wherever they can."""
    one, sample, zero = torch.tensor(value), torch.tensor([value]), torch.tensor([0.0])
    discriminator = DiscriminatorRow(
        loss=one, gradient_norm=one, diversity=one, update_ratio=one,
        real_critic=sample, fake_critic=zero, real_slopes=sample, fake_slopes=sample,
    )  # fmt: skip
    return discriminator, GeneratorRow(loss=one, gradient_norm=one, weight=one, update_ratio=one, signals=sample)


SHARES = {
    "discriminator_accuracy": 1.0,
    "discriminator_saturation": 0.0,
    "generator_dead_fraction": 0.0,
    "discriminator_gradient_spike": 0.0,
    "generator_gradient_spike": 0.0,
}
"""What those rows say where it is no value."""


def test_blocks_come_one_flush_late_with_their_means() -> None:
    monitors = Monitors(3, CPU)
    for step, value in enumerate([1.0, 2.0, 6.0]):
        monitors.record(step, *rows_of(value))
    assert monitors.flush(3) is None
    monitors.record(3, *rows_of(10.0))
    block = monitors.flush(4)
    assert block is not None
    assert block.last_step == 3
    assert block.means() == {name: SHARES.get(name, 3.0) for name in MONITORS}
    last = monitors.drain()
    assert last is not None
    assert (last.last_step, last.means()["generator_loss"]) == (4, 10.0)
    assert monitors.drain() is None


def test_of_several_updates_of_the_discriminator_the_last_one_is_watched() -> None:
    monitors = Monitors(2, CPU)
    for step in range(2):
        monitors.begin(step)
        for value in (1.0, 2.0, 5.0 + step):
            monitors.watch_discriminator(rows_of(value)[0])
        monitors.watch_generator(rows_of(4.0)[1])
    monitors.flush(2)
    block = monitors.drain()
    assert block is not None
    assert block.values[:, MONITORS.index("discriminator_loss")].tolist() == [5.0, 6.0]
    assert block.values[:, MONITORS.index("generator_loss")].tolist() == [4.0, 4.0]


def test_rows_of_several_samples_keep_their_fields_apart() -> None:
    monitors = Monitors(4, CPU)
    critics = torch.tensor([[3.0, 1.0, 2.0], [6.0, 4.0, 5.0]])
    for step, critic in enumerate(critics):
        nothing = torch.zeros(3)
        row = rows_of(1.0)[0]._replace(real_critic=critic, fake_critic=critic - 2, real_slopes=nothing + 1,
                                       fake_slopes=nothing)  # fmt: skip
        monitors.record(step, row, rows_of(1.0)[1]._replace(signals=torch.tensor([2.0, 4.0, 9.0])))
    monitors.flush(2)
    block = monitors.drain()
    assert block is not None
    means = block.means()
    assert means["logit_gap"] == 2.0
    assert means["generator_signal"] == 3 * 4.0
    assert means["discriminator_saturation"] == 0.5
    assert means["discriminator_accuracy"] == pytest.approx(8 / 9)


def test_the_first_nonfinite_step_is_kept_and_its_mean_is_none() -> None:
    monitors = Monitors(4, CPU)
    for step, value in enumerate([1.0, math.nan, math.inf, 1.0], start=7):
        monitors.record(step, *rows_of(value))
    monitors.flush(11)
    block = monitors.drain()
    assert block is not None
    assert block.first_nonfinite_step == 8
    assert block.means()["discriminator_loss"] is None


def test_every_field_of_a_row_reaches_its_monitor() -> None:
    monitors = Monitors(1, CPU)
    number = torch.tensor
    discriminator = DiscriminatorRow(
        loss=number(1.0), gradient_norm=number(3.0), diversity=number(9.0), update_ratio=number(12.0),
        real_critic=number([5.0]), fake_critic=number([0.0]), real_slopes=number([1.0]), fake_slopes=number([0.0]),
    )  # fmt: skip
    generator = GeneratorRow(
        loss=number(2.0), gradient_norm=number(4.0), weight=number(8.0), update_ratio=number(13.0),
        signals=number([7.0]),
    )  # fmt: skip
    monitors.record(0, discriminator, generator)
    monitors.flush(1)
    block = monitors.drain()
    assert block is not None
    assert list(block.means().values()) == [1, 2, 3, 4, 5, 1, 7, 8, 9, 0.5, 0, 12, 13, 0, 0]


def test_a_sparse_monitor_is_averaged_over_the_steps_that_measured_it() -> None:
    monitors = Monitors(3, CPU)
    for step, ratio in enumerate([math.nan, 2.0, 4.0]):
        discriminator, generator = rows_of(1.0)
        discriminator = discriminator._replace(update_ratio=torch.tensor(ratio))
        generator = generator._replace(update_ratio=torch.tensor(math.nan))
        monitors.record(step, discriminator, generator)
    monitors.flush(3)
    block = monitors.drain()
    assert block is not None
    assert block.first_nonfinite_step is None
    assert block.means()["discriminator_update_ratio"] == 3.0
    assert block.means()["generator_update_ratio"] is None


SOME = ("nsgan-r1", "wgan-gp", "pacgan2", "topk-gan")
"""The contract's check "no host read" holds every part to it at every change."""
HOST_READS = ("item", "tolist", "numpy", "cpu", "__bool__", "__float__", "__int__", "__index__")


@pytest.mark.parametrize("method", mostly_slow(losses.names("method"), fast=SOME))
def test_no_step_reads_a_device_value_from_the_host(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[str] = []

    def watch(name: str) -> None:
        original = getattr(torch.Tensor, name)

        def counted(tensor: torch.Tensor, *arguments: object, **options: object) -> object:
            reads.append(name)
            return original(tensor, *arguments, **options)

        monkeypatch.setattr(torch.Tensor, name, counted)

    step = build_step(make_trial(method, width=4, batch_size=8), images(), CPU)
    monitors = Monitors(12, CPU)
    monitors.record(0, *step.run(0))
    for name in HOST_READS:
        watch(name)
    # One of them measures the update ratios, another has the lazy parts.
    for index in range(UPDATE_RATIO_EVERY - 3, UPDATE_RATIO_EVERY + 8):
        monitors.record(index, *step.run(index))
    during = list(reads)
    monitors.flush(12)
    block = monitors.drain()
    assert during == []
    assert reads != []  # the watch works: reading the flushed block is a host read
    assert block is not None
