"""Monitors: the numbers by hand, the flush that is read late, and no host read in between."""

import math

import pytest
import torch
from small_trials import images, make_trial

import losses
from bench.training.monitors import MONITORS, UPDATE_RATIO_EVERY, Monitors
from bench.training.trainer import build_step

CPU = torch.device("cpu")


def rows_of(value: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a discriminator's and a generator's row of one sample that say `value` wherever they can."""
    critics, slopes = [value, 0.0], [value, value]
    discriminator = [value, value, value, *critics, *slopes, value]
    generator = [value, value, value, value, value]
    return torch.tensor(discriminator), torch.tensor(generator)


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


def test_the_first_nonfinite_step_is_kept_and_its_mean_is_none() -> None:
    monitors = Monitors(4, CPU)
    for step, value in enumerate([1.0, math.nan, math.inf, 1.0], start=7):
        monitors.record(step, *rows_of(value))
    monitors.flush(11)
    block = monitors.drain()
    assert block is not None
    assert block.first_nonfinite_step == 8
    assert block.means()["discriminator_loss"] is None


def test_order_of_the_columns() -> None:
    monitors = Monitors(1, CPU)
    discriminator = [1.0, 3.0, 9.0, 5.0, 0.0, 1.0, 0.0, 12.0]
    generator = [2.0, 4.0, 8.0, 7.0, 13.0]
    monitors.record(0, torch.tensor(discriminator), torch.tensor(generator))
    monitors.flush(1)
    block = monitors.drain()
    assert block is not None
    assert list(block.means().values()) == [1, 2, 3, 4, 5, 1, 7, 8, 9, 0.5, 0, 12, 13, 0, 0]


def test_a_sparse_monitor_is_averaged_over_the_steps_that_measured_it() -> None:
    monitors = Monitors(3, CPU)
    for step, ratio in enumerate([math.nan, 2.0, 4.0]):
        discriminator, generator = rows_of(1.0)
        discriminator[-1], generator[-1] = ratio, math.nan
        monitors.record(step, discriminator, generator)
    monitors.flush(3)
    block = monitors.drain()
    assert block is not None
    assert block.first_nonfinite_step is None
    assert block.means()["discriminator_update_ratio"] == 3.0
    assert block.means()["generator_update_ratio"] is None


HOST_READS = ("item", "tolist", "numpy", "cpu", "__bool__", "__float__", "__int__", "__index__")


@pytest.mark.parametrize("method", losses.names("method"))
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
