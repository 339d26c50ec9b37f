"""Throughput and kernel timings: a threshold and a test, on equal machines only."""

import msgspec
import numpy as np
import pytest
from planted_records import make_workload, planted_record

from bench.statistics.gates.cells import pair
from bench.statistics.gates.comparison import compare_timings
from bench.statistics.gates.speed import Timing, throughput, timing
from bench.statistics.gates.verdicts import GateSettings

SETTINGS = GateSettings(resamples=1000)
JITTER = 1 + 0.01 * np.array([-1.2, 0.4, -0.3, 0.9, -0.6, 0.1, 1.1, -0.9, 0.7, -0.1])


def runs(speeds, losses="1", fingerprint="cafe01234567", start=0, method="hinge"):
    return [
        msgspec.structs.replace(record, cost={"images_per_second": speed})
        for record, speed in (
            (
                planted_record(
                    make_workload(), method, start + seed, components={"losses": losses}, fingerprint=fingerprint
                ),
                None if speed is None else float(speed),
            )
            for seed, speed in enumerate(speeds)
        )
    ]


def judge(base, new, settings=SETTINGS, family=1):
    """Judge them beside a reference that is equally fast, at the same seeds on the same machines."""
    reference = (
        msgspec.structs.replace(
            planted_record(
                make_workload(), seed=each.spec.seed, components=each.components,
                fingerprint=each.environment.fingerprint,
            ),
            cost={"images_per_second": 1000.0},
        )
        for each in (*base, *new)
    )  # fmt: skip
    beside = list(reference)
    (other,) = pair(beside[: len(base)], beside[len(base) :])
    (each,) = pair(base, new)
    return throughput(each, settings, other, family)


def alone(base, new, settings=SETTINGS):
    (each,) = pair(base, new)
    return throughput(each, settings)


def test_what_the_reference_shares_is_no_change():
    """The whole campaign is half as fast: nothing of the method's own has moved."""
    base, new = runs(2000 * JITTER), runs(1000 * JITTER, "2")
    (other,) = pair(runs(1000 * JITTER[::-1], method="nsgan"), runs(500 * JITTER[::-1], "2", method="nsgan"))
    (each,) = pair(base, new)
    found = throughput(each, SETTINGS, other)
    assert found.effect == pytest.approx(1.0, abs=0.01)
    assert found.verdict == "equivalent"
    assert (found.base, found.new) == (pytest.approx(2000, rel=0.01), pytest.approx(1000, rel=0.01))
    assert alone(base, new).verdict == "worse"


def test_without_a_reference_the_threshold_is_loose_and_it_is_said():
    found = alone(runs(2000 * JITTER), runs(1500 * JITTER, "2"))
    assert found.verdict == "inconclusive"
    assert found.note == "no nsgan beside it, gated at 50 %"
    own = alone(runs(2000 * JITTER, method="nsgan"), runs(1200 * JITTER, "2", method="nsgan"))
    assert (own.verdict, own.note) == ("worse", "the reference itself, gated at 50 %")
    # Whoever tolerates more with a reference tolerates as much without one.
    wide = alone(runs(2000 * JITTER), runs(1200 * JITTER, "2"), GateSettings(threshold=0.8, resamples=1000))
    assert (wide.verdict, wide.note) == ("equivalent", "no nsgan beside it, gated at 80 %")


def test_an_alarm_says_whether_it_was_the_reference_that_moved():
    base, same, slow = runs(2000 * JITTER), runs(2000 * JITTER[::-1], "2"), runs(1600 * JITTER[::-1], "2")
    for new, speed, verdict, note in ((same, 800, "better", "×1.00"), (slow, 1000, "worse", "×1.25")):
        (each,) = pair(base, new)
        (other,) = pair(runs(1000 * JITTER, method="nsgan"), runs(speed * JITTER, "2", method="nsgan"))
        found = throughput(each, SETTINGS, other)
        assert (found.verdict, found.note) == (verdict, f"its own time {note}")


def test_only_seeds_that_both_have_on_the_machine_are_beside_each_other():
    base, new = runs(2000 * JITTER), runs(1000 * JITTER, "2")
    (each,) = pair(base, new)
    (other,) = pair(runs(1000 * JITTER, method="nsgan")[:7], runs(1000 * JITTER, "2", method="nsgan"))
    assert (throughput(each, SETTINGS, other).base_count, throughput(each, SETTINGS, other).new_count) == (7, 10)
    (strange,) = pair(runs(1000 * JITTER, method="nsgan", start=20), runs(1000 * JITTER, "2", method="nsgan", start=20))
    assert throughput(each, SETTINGS, strange).note == "no nsgan beside it, gated at 50 %"


def test_of_many_cells_each_needs_more():
    base, new = runs(2000 * JITTER[:6]), runs(1000 * JITTER[:6], "2")
    assert judge(base, new).verdict == "worse"
    many = judge(base, new, family=3)
    assert (many.verdict, many.able) == ("inconclusive", False)
    assert many.adjusted_p == pytest.approx(6 / 924)


def test_the_threshold_is_tested_and_not_only_passed():
    """Slower by 5.5 % for sure, and beyond 5 % perhaps."""
    base, new = runs(2000 * JITTER), runs(2000 / 1.055 * JITTER[::-1], "2")
    found = judge(base, new)
    assert found.effect == pytest.approx(1.055, rel=1e-3)
    assert found.verdict == "inconclusive"
    faster = judge(new, runs(2000 * JITTER, "2"))
    assert faster.effect == pytest.approx(1 / 1.055, rel=1e-3)
    assert faster.verdict == "inconclusive"


@pytest.mark.parametrize(
    ("factor", "verdict"), [(0.85, "worse"), (0.97, "equivalent"), (1.0, "equivalent"), (1.15, "better")]
)
def test_a_slow_down_needs_the_threshold_and_the_test(factor, verdict):
    found = judge(runs(2000 * JITTER), runs(2000 * factor * JITTER[::-1], "2"))
    assert found.verdict == verdict
    assert found.effect == pytest.approx(1 / factor, rel=1e-3)
    assert found.low <= found.effect <= found.high
    assert (found.base, found.new) == (pytest.approx(2000, rel=0.01), pytest.approx(2000 * factor, rel=0.01))


def test_the_threshold_can_be_chosen():
    base, new = runs(2000 * JITTER), runs(1860 * JITTER, "2")
    assert judge(base, new).verdict == "worse"
    assert judge(base, new, GateSettings(threshold=0.10, resamples=1000)).verdict == "equivalent"


def test_a_large_difference_within_the_noise_is_no_verdict():
    noisy = 1 + 20 * (JITTER - 1)
    found = judge(runs(2000 * noisy), runs(1850 * noisy, "2"))
    assert found.verdict == "inconclusive"


def test_five_runs_on_each_side_are_too_few():
    found = judge(runs(2000 * JITTER[:5]), runs(1000 * JITTER[:5], "2"))
    assert (found.verdict, found.able, found.note) == ("inconclusive", False, "too few values to tell")
    assert judge(runs(2000 * JITTER[:6]), runs(1000 * JITTER[:6], "2")).verdict == "worse"


def test_times_never_cross_machines():
    found = judge(runs(2000 * JITTER), runs(1000 * JITTER, "2", "other"))
    assert found.verdict == "not comparable"
    assert "other machines" in found.note


def test_the_common_machine_is_compared_where_there_are_several():
    base = [*runs(2000 * JITTER), *runs(9000 * JITTER, fingerprint="fast", start=10)]
    new = [*runs(2000 * JITTER, "2"), *runs(4000 * JITTER, "2", fingerprint="unknown", start=10)]
    found = judge(base, new)
    assert (found.verdict, found.base_count, found.new_count) == ("equivalent", 10, 10)


def test_runs_without_a_time_are_said_to_have_none():
    for speed in (None, 0.0):
        found = judge(runs(2000 * JITTER), runs([speed] * 10, "2"))
        assert (found.verdict, found.note) == ("not comparable", "NEW has no throughput")


def test_a_folder_that_has_grown_is_judged_by_what_it_measured_itself():
    """NEW holds the runs of BASE, times and all, beside five that are half as fast."""
    base = runs(2000 * np.resize(JITTER, 20))
    slow = judge(base, [*base, *runs(1000 * JITTER[:5], start=20)])
    assert (slow.verdict, slow.base_count, slow.new_count) == ("worse", 20, 5)
    assert slow.effect == pytest.approx(2.0, rel=0.02)
    elsewhere = judge(base, [*base, *runs(1000 * JITTER[:5], fingerprint="other", start=20)])
    assert (elsewhere.verdict, elsewhere.able) == ("not comparable", False)
    again = judge(base, runs(1000 * np.resize(JITTER, 20)))
    assert (again.verdict, again.new_count) == ("worse", 20), "the same trials, timed anew"
    assert judge(base, base).note == "identical: the same trials with the same results"
    assert judge(base, base[:10]).verdict == "equivalent"


def test_a_reference_from_base_was_not_timed_beside_what_was_trained_again():
    """In one folder hinge was trained again, when the machine was a fifth slower, and nsgan was not."""
    reference = runs(1000 * JITTER[::-1], method="nsgan")
    (other,) = pair(reference, reference)
    (each,) = pair(runs(2000 * JITTER), runs(1600 * JITTER, "2"))
    found = throughput(each, SETTINGS, other)
    assert (found.verdict, found.note) == ("inconclusive", "no nsgan beside it, gated at 50 %")
    (other,) = pair(reference, [*reference, *runs(800 * JITTER, method="nsgan", start=10)])
    (each,) = pair(runs(2000 * JITTER), [*runs(1600 * JITTER, "2"), *runs(1600 * JITTER[::-1], "2", start=10)])
    found = throughput(each, SETTINGS, other)
    assert (found.verdict, found.new_count) == ("equivalent", 10)


def test_a_part_of_base_is_as_fast_as_base():
    """Seven of its ten seeds, with their times and those of the reference beside them."""
    reference, base = runs(1000 * JITTER[::-1], method="nsgan"), runs(2000 * JITTER)
    (other,) = pair(reference, reference[:7])
    (each,) = pair(base, base[:7])
    found = throughput(each, SETTINGS, other)
    assert (found.verdict, found.note, found.new_count) == ("equivalent", "", 7)


def rounds(name, seconds, fingerprint="a"):
    return Timing(name, fingerprint, f"machine {fingerprint}", tuple(map(float, seconds)))


def test_kernels_are_compared_by_the_medians_of_their_rounds():
    base = rounds("test_r1", 1e-3 * JITTER)
    assert timing(base, rounds("test_r1", 1.2e-3 * JITTER), SETTINGS).verdict == "worse"
    assert timing(base, rounds("test_r1", 0.8e-3 * JITTER), SETTINGS).verdict == "better"
    assert timing(base, rounds("test_r1", 1.01e-3 * JITTER), SETTINGS).verdict == "equivalent"
    assert timing(base, rounds("test_r1", 2e-3 * JITTER, "b"), SETTINGS).verdict == "not comparable"


def test_very_many_rounds_are_compared_in_a_moment():
    rng = np.random.default_rng(0)
    base, new = (rounds("x", rng.normal(mean, 0.1, 100_000)) for mean in (1.0, 1.2))
    found = timing(base, new, GateSettings())
    assert found.verdict == "worse"
    assert found.effect == pytest.approx(1.2, rel=0.01)


def test_benchmarks_are_paired_by_name():
    made = compare_timings(
        [rounds("a", JITTER), rounds("b", JITTER)], [rounds("b", 2 * JITTER), rounds("c", JITTER)], SETTINGS
    )
    assert {row.name: row.verdict for row in made.rows} == {"a": "not comparable", "b": "worse", "c": "not comparable"}
    assert made.outcome(allow_improvement=False) == "regression"
    assert compare_timings([], [rounds("a", JITTER)], SETTINGS).outcome(allow_improvement=False) == "nothing"


def test_the_interval_of_a_ratio_of_medians_is_the_bootstraps():
    rng = np.random.default_rng(4)
    before, after = rng.normal(1.0, 0.1, 15), rng.normal(1.3, 0.1, 21)
    found = timing(rounds("x", before), rounds("x", after), GateSettings(resamples=20_000))
    drawn = [
        np.median(values[rng.integers(len(values), size=(20_000, len(values)))], axis=1) for values in (before, after)
    ]
    low, high = np.percentile(drawn[1] / drawn[0], [2.5, 97.5])
    assert (found.low, found.high) == (pytest.approx(low, abs=0.01), pytest.approx(high, abs=0.01))
