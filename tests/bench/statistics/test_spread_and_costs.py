"""How results depend on the seed, and what they cost beside the reference."""

import msgspec
import numpy as np
import pytest

from bench.statistics.costs import relative_cost
from bench.statistics.spread import distance_with_failures, spread


def test_spread_by_hand():
    found = spread([8.0, 1.0, 2.0, 3.0, 4.0])
    assert (found.cvar25, found.best_seed_gain, found.relative) == (6.0, 2.0, pytest.approx(2 / 3))
    assert spread([5.0]).cvar25 == 5.0
    assert spread([]) is None
    assert spread([0.0, 0.0]).relative is None


@pytest.mark.parametrize("count", [1, 4, 5, 8, 10, 11])
def test_the_tail_is_the_worst_quarter_rounded_up(count):
    values = np.random.default_rng(count).random(count)
    assert spread(list(values)).cvar25 == pytest.approx(np.mean(sorted(values)[-int(np.ceil(count / 4)) :]))


def test_a_failed_run_is_as_bad_as_untrained(record, workload):
    assert distance_with_failures(record(workload, distance=50.0)) == 50.0
    assert distance_with_failures(record(workload, distance=50.0, status="diverged")) == 8000.0
    assert distance_with_failures(record(workload, distance=None, status="nonfinite")) == 8000.0


def timed(made, pace, update=None):
    return msgspec.structs.replace(made, cost={"images_per_second": pace, "discriminator_update_seconds": update})


def test_costs_are_paired_by_workload_and_seed(record, workload, toy):
    reference = [
        timed(record(place, "nsgan", seed), 100.0 * (seed + 1)) for place in (workload, toy) for seed in (0, 1)
    ]
    own = [timed(record(workload, "mine", seed), 50.0 * (seed + 1)) for seed in (0, 1)]
    own += [timed(record(toy, "mine", 1), 190.0), timed(record(toy, "mine", 7), 1.0)]
    found = relative_cost(own, reference)
    assert (found.throughput, found.discriminator_update, found.pairs) == (0.5, None, 3)


def test_time_never_crosses_machines(record, workload):
    reference = [timed(record(workload, "nsgan", seed, fingerprint="one"), 100.0, 2.0) for seed in range(3)]
    own = [timed(record(workload, "mine", 0, fingerprint="one"), 25.0, 3.0)]
    own += [timed(record(workload, "mine", seed, fingerprint="two"), 900.0, 1.0) for seed in (1, 2)]
    found = relative_cost(own, reference)
    assert (found.throughput, found.discriminator_update, found.pairs) == (0.25, 1.5, 1)


def test_an_unknown_machine_is_no_machine_in_common(record, workload):
    bare = [msgspec.structs.replace(timed(record(workload, name, 0), 1.0), environment=None) for name in ("a", "b")]
    assert relative_cost(bare[:1], bare[1:]).pairs == 0


def test_replayed_steps_are_not_compared_with_steps_that_python_made(record, workload):
    def made(name, seed, pace, replayed):
        cost = {"images_per_second": pace, "replayed_steps": replayed}
        return msgspec.structs.replace(record(workload, name, seed), cost=cost)

    reference = [made("nsgan", seed, 400.0, 590.0) for seed in (0, 1)]
    own = [made("mine", 0, 200.0, 590.0), made("mine", 1, 100.0, 0.0)]
    found = relative_cost(own, reference)
    assert (found.throughput, found.pairs) == (0.5, 1)
