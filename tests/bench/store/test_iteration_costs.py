"""The cost of a training iteration: from kernel records, and what the package has of the published ones."""

import importlib.resources
from pathlib import Path

import msgspec
import pytest

from bench.store.iteration_costs import encode, iteration_costs, published_costs
from bench.store.kernels import KernelStore

PUBLISHED = Path(__file__).parents[3] / "results" / "published" / "kernels"


@pytest.fixture(scope="module")
def records():
    if not PUBLISHED.is_dir():
        pytest.skip("results/published/kernels is not there: the tests run outside the repository")
    return KernelStore(PUBLISHED).records()


def test_the_package_has_what_the_published_records_give(records):
    shipped = importlib.resources.files("bench.config").joinpath("costs.json").read_bytes()
    assert encode(iteration_costs(records)) == shipped, "run: make index"


def test_the_reference_costs_one_and_more_steps_cost_more():
    costs = published_costs().costs
    assert costs["bce_ns"] == 1.0
    assert 3.0 < costs["bce_ns + critic_steps(count=5)"] < 4.0
    assert costs["bce_ns + r1(gamma=10, every=1)"] > 1.1


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
