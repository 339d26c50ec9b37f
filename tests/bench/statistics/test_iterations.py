"""What methods cost, by the kernel records of the same folder: all of them, or the times of trials as before."""

import msgspec
import pytest
from planted_kernels import MACHINE, SETTING, planted_kernels
from synthetic import World, make

from bench import data
from bench.statistics.iterations import iterations, not_timed
from bench.statistics.ranking import rank

METHODS = {"nsgan": "bce_ns", "hinge": "hinge", "mmgan": "bce_mm"}
WORKLOADS = {name: data.workload(name) for name in ("digits", "ring8", "celeba64")}
RECORDS = make(World(methods=tuple(METHODS), workloads=("digits", "ring8")), 5)
FITTING = msgspec.structs.replace(SETTING, d_norm=RECORDS[0].spec.network.d_norm, batch_size=RECORDS[0].spec.batch_size)


def timed(name, d_ratio=1.0, *, label="", setting=FITTING, **changes):
    made = planted_kernels(METHODS[name], d_ratio, setting=setting, **changes)
    return msgspec.structs.replace(made, label=label or name)


def board(kernels, records=RECORDS):
    (found,) = rank(records, WORKLOADS, resamples=1, kernels=kernels)
    return found


def test_costs_are_those_of_the_kernel_records_and_no_time_of_a_trial_is_left():
    found = board([timed("nsgan"), timed("hinge", 1.5), timed("mmgan", 0.8, critic_steps=5)])
    rows = {row.method: row for row in found.rows}
    # The planted reference takes 100 ms for its D step and 80 ms for its G step.
    expected = {"nsgan": 1.0, "hinge": (1.5 * 100 + 80) / 180, "mmgan": (5 * 0.8 * 100 + 80) / 180}
    assert {name: row.iteration.cost for name, row in rows.items()} == pytest.approx(expected, abs=6e-4)
    assert rows["hinge"].iteration.discriminator_step == pytest.approx(1.5)
    assert rows["mmgan"].iteration.generator_step == pytest.approx(1.0)
    for row in rows.values():
        assert (row.images_per_second, row.relative_throughput, row.relative_discriminator_update) == (None,) * 3
        assert row.cost_pairs == 0
    assert found.iterations.setting == FITTING.description


def test_without_the_records_of_one_method_the_times_of_trials_stay():
    kernels = [timed("nsgan"), timed("hinge")]
    found = board(kernels)
    assert found.iterations is None
    assert all(row.iteration is None and row.relative_throughput for row in found.rows)
    assert not_timed(found.key, METHODS.values(), [WORKLOADS["digits"]], kernels) == ["bce_mm"]


def test_a_method_whose_generator_step_was_not_timed_is_not_timed():
    one = timed("mmgan")
    half = msgspec.structs.replace(one, timings=[each for each in one.timings if each.path != "g_step"])
    assert board([timed("nsgan"), timed("hinge"), half]).iterations is None


def test_without_the_reference_there_is_nothing_to_be_a_ratio_to():
    kernels = [timed("nsgan", label="another"), timed("hinge"), timed("mmgan")]
    found = board(kernels)
    assert found.iterations is None
    assert not_timed(found.key, METHODS.values(), [WORKLOADS["digits"]], kernels) == sorted(METHODS.values())


@pytest.mark.parametrize(
    "change", [{"d_norm": "sn"}, {"precision": "bf16"}, {"batch_size": 63}, {"image_size": 64}, {"mode": "compiled"}]
)
def test_records_of_another_setting_say_nothing_about_this_table(change):
    setting = msgspec.structs.replace(FITTING, **change)
    kernels = [timed(name, setting=setting) for name in METHODS]
    found = board(kernels)
    assert found.iterations is None
    assert not_timed(found.key, METHODS.values(), [WORKLOADS["digits"]], kernels) == []


def test_the_steps_of_toys_have_no_kernel_records():
    toys = [record for record in RECORDS if record.spec.workload == "ring8"]
    assert board([timed(name) for name in METHODS], toys).iterations is None


def test_of_two_machines_the_one_that_was_measured_last_counts():
    other = msgspec.structs.replace(MACHINE, fingerprint="e" * 12)
    early = [timed(name, 2.0, machine=other, measured_at="2026-01-01T00:00:00+00:00") for name in METHODS]
    late = [timed(name, 3.0, measured_at="2026-06-01T00:00:00+00:00") for name in METHODS]
    for kernels in (early + late, late + early):
        found = board(kernels).iterations
        assert [cost.discriminator_step for cost in found.costs.values()] == pytest.approx([3.0] * 3)


def test_a_table_without_kernel_records_is_as_before():
    assert board([]) == board([timed("nsgan", setting=SETTING)]) == board([])
    key = board([]).key
    assert iterations(key, METHODS.values(), [WORKLOADS["digits"]], []) is None
    assert not_timed(key, METHODS.values(), [WORKLOADS["digits"]], []) == []
