"""The cost of a training iteration: from kernel records, and what the package has of the published ones."""

import importlib.resources
from pathlib import Path

import msgspec
import pytest

from bench.store.iteration_costs import costs_by_norm, encode, iteration_costs, published_costs, published_kernels
from bench.store.kernels import KernelStore

PUBLISHED = Path(__file__).parents[3] / "results" / "published" / "kernels"


@pytest.fixture(scope="module")
def records():
    if not PUBLISHED.is_dir():
        pytest.skip("results/published/kernels is not there: the tests run outside the repository")
    return KernelStore(PUBLISHED).records()


@pytest.mark.usefixtures("records")
def test_the_package_has_what_the_published_records_give():
    shipped = importlib.resources.files("bench.config").joinpath("costs.json").read_bytes()
    assert encode(costs_by_norm(published_kernels(PUBLISHED.parent))) == shipped, "run: make index"


def test_the_reference_costs_one_and_more_steps_cost_more():
    assert published_costs().keys() == {"none", "ln", "sn"}
    for known in published_costs().values():
        assert known.costs["bce_ns"] == pytest.approx(1.0, abs=0.02)  # timed against itself
        assert known.costs["bce_ns + r1(gamma=10, every=1)"] > 1.1
    for norm in ("none", "ln"):
        assert 3.0 < published_costs()[norm].costs["bce_ns + critic_steps(count=5)"] < 4.0


def test_every_method_of_a_published_kernel_record_has_its_cost_under_its_norm(records):
    folder = KernelStore(PUBLISHED.parent / "norms").records()
    for record in (*folder, *records):
        assert record.method in published_costs()[record.setting.d_norm].costs


def test_two_machines_of_one_norm_are_refused(records):
    base = next(record for record in records if record.label == "nsgan")
    none = msgspec.structs.replace(base, setting=msgspec.structs.replace(base.setting, d_norm="none"))
    assert [costs.d_norm for costs in costs_by_norm([none, base])] == ["ln", "none"]
    half = msgspec.structs.replace(base, setting=msgspec.structs.replace(base.setting, precision="bf16"))
    assert costs_by_norm([none, half, base]) == costs_by_norm([none, base]), "bfloat16 has costs of its own"
    wider = msgspec.structs.replace(base, setting=msgspec.structs.replace(base.setting, width=128))
    with pytest.raises(ValueError, match="two machines or settings with d_norm ln"):
        costs_by_norm([base, wider])


def scaled(timing, factor):
    """A timing whose own blocks are a multiple of the reference's."""
    return msgspec.structs.replace(timing, blocks=[factor * block for block in timing.reference_blocks])


def test_the_cost_is_that_of_k_steps_of_d_and_one_of_g(records):
    base = next(record for record in records if record.label == "nsgan")
    d_seconds, g_seconds = (base.timing(path).seconds.median for path in ("d_step", "g_step"))
    timings = [scaled(base.timing("d_step"), 1.5), scaled(base.timing("g_step"), 2.0)]
    other = msgspec.structs.replace(base, method="made up", label="made up", critic_steps=3, timings=timings)
    expected = (3 * 1.5 * d_seconds + 2.0 * g_seconds) / (d_seconds + g_seconds)
    assert iteration_costs([base, other]).costs["made up"] == pytest.approx(expected, abs=6e-4)


def test_a_method_that_lacks_a_step_has_no_cost(records):
    base = next(record for record in records if record.label == "nsgan")
    other = msgspec.structs.replace(base, method="made up", label="made up", timings=[base.timing("d_step")])
    assert "made up" not in iteration_costs([base, other]).costs


def test_several_settings_or_no_reference_are_refused(records):
    base = next(record for record in records if record.label == "nsgan")
    wider = msgspec.structs.replace(base, setting=msgspec.structs.replace(base.setting, width=128))
    with pytest.raises(ValueError, match="these records are of 2"):
        iteration_costs([base, wider])
    with pytest.raises(ValueError, match="no D step and G step of nsgan"):
        iteration_costs([record for record in records if record.label != "nsgan"])
