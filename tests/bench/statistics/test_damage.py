"""Numbers that no run can have left behind are refused, whoever reads them."""

import math

import pytest
from planted_records import make_stacks, make_toy, make_workload, planted_record

from bench.config.protocol import AVERAGE
from bench.metrics.catalogue import CATALOGUE, about, has_average
from bench.report.baseline import replacement
from bench.statistics import damage, scores
from bench.statistics.gates.comparison import compare
from bench.statistics.gates.verdicts import GateSettings
from bench.statistics.ranking import rank
from bench.store.baseline import METRICS

DIGITS, TOY, STACKS = make_workload(), make_toy(), make_stacks()
WORKLOADS = {each.name: each for each in (DIGITS, TOY, STACKS)}

OUT_OF_BOUNDS = [
    (DIGITS, "distance", -5.0),
    (DIGITS, "distance", 0.0),
    (DIGITS, "distance", -1e308),
    (DIGITS, "distance", math.inf),
    (DIGITS, "distance_init", 0.0),
    (DIGITS, "distance_floor", -0.1),
    (DIGITS, "unreadable", 1.01),
    (DIGITS, "coverage", -0.01),
    (TOY, "distance", -5.0),
    (TOY, "modes", 8.5),
    (TOY, "modes", -1.0),
    (TOY, "kl_uniform", -0.01),
    (TOY, "kl_uniform", 2.08),  # ln 8 is 2.0794
    (TOY, "high_quality", 1.2),
    (TOY, "high_quality_ceiling", 1.2),
    (STACKS, "modes", 1001.0),
    (STACKS, "kl_uniform", 7.0),  # ln 1000 is 6.9078
    (STACKS, "unreadable", -0.1),
    (STACKS, "unreadable_floor", 1.1),
    (STACKS, "coverage", 1.5),
    (STACKS, "coverage_ceiling", 1.5),
]
WITHIN = [
    (DIGITS, {"distance": 1e-300, "distance_floor": 0.0, "distance_init": 1e308}),
    (TOY, {"modes": 0.0, "kl_uniform": None}),
    (TOY, {"modes": 8.0, "kl_uniform": math.log(8), "high_quality": 1.0}),
    (TOY, {"modes": 1.0, "kl_uniform": math.log(8) * (1 + 1e-12), "high_quality": 0.0}),
    (STACKS, {"unreadable": 0.0, "coverage": 1.0}),
    (STACKS, {"unreadable": 1.0, "coverage": 0.0}),
]


@pytest.mark.parametrize("status", ["ok", "diverged"])
@pytest.mark.parametrize(("workload", "name", "value"), OUT_OF_BOUNDS)
def test_a_number_out_of_its_bounds_is_refused_by_name(workload, name, value, status):
    made = planted_record(workload, status=status, protocol_version="1.1", metrics={name: value})
    said = damage.damage(made, workload)
    assert said.startswith(f"records/{made.trial_id}.0.json: ")
    assert name in said
    assert "restore it, or delete it" in said
    with pytest.raises(ValueError, match=f"{made.trial_id}.*{name}"):
        scores.score(made, workload)


@pytest.mark.parametrize(("workload", "metrics"), WITHIN)
def test_what_lies_on_the_bounds_is_no_damage(workload, metrics):
    assert damage.damage(planted_record(workload, protocol_version="1.1", metrics=metrics), workload) == ""


@pytest.mark.parametrize(("workload", "name", "value"), [each for each in OUT_OF_BOUNDS if each[1] in damage.MEASURED])
def test_numbers_of_the_moving_average_have_the_same_bounds(workload, name, value):
    metrics = {f"{AVERAGE}{each}": 0.5 for each in damage.MEASURED} | {f"{AVERAGE}{name}": value}
    made = planted_record(workload, protocol_version="1.1", metrics=metrics)
    assert f"{AVERAGE}{name}" in damage.damage(made, workload)


@pytest.mark.parametrize(
    ("workload", "protocol", "name", "refused"),
    [
        (DIGITS, "1.0", "distance", True),
        (DIGITS, "1.0", "distance_init", True),
        (DIGITS, "1.0", "distance_floor", False),  # costs the workload its score, see test_scales
        (DIGITS, "1.1", "coverage", False),
        (TOY, "1.0", "modes", True),
        (TOY, "1.0", "kl_uniform", True),
        (TOY, "1.0", "high_quality", False),
        (TOY, "1.1", "high_quality", True),
        (STACKS, "1.0", "unreadable", False),
        (STACKS, "1.1", "unreadable", True),
        (STACKS, "1.1", "coverage", True),
        (STACKS, "1.1", "recall", False),
    ],
)
def test_a_run_that_ended_ok_has_what_its_rule_reads(workload, protocol, name, refused):
    made = planted_record(workload, protocol_version=protocol, metrics={name: None})
    assert (name in damage.damage(made, workload)) is refused
    failed = planted_record(workload, status="nonfinite", protocol_version=protocol, metrics={name: None})
    assert damage.damage(failed, workload) == ""


def test_an_average_is_whole_or_absent():
    metrics = {"ema_distance": 50.0, "ema_modes": 8.0, "ema_kl_uniform": 0.1}
    made = planted_record(TOY, protocol_version="1.1", metrics=metrics)
    assert "'ema_high_quality'" in damage.damage(made, TOY)
    whole = planted_record(TOY, protocol_version="1.1", metrics={**metrics, "ema_high_quality": 0.5})
    assert damage.damage(whole, TOY) == ""


def every_reader(records):
    yield lambda: rank(records, WORKLOADS, resamples=50)
    yield lambda: replacement(records, records, WORKLOADS)
    yield lambda: compare(records, records, WORKLOADS, GateSettings(resamples=50))


@pytest.mark.parametrize("place", ["of an incomplete method", "of a variant", "that failed"])
def test_a_damaged_record_is_refused_also_where_no_score_reads_it(place):
    changes = {
        "of an incomplete method": {"seed": 1},
        "of a variant": {"allow_invalid": True},
        "that failed": {"status": "diverged"},
    }[place]
    damaged = planted_record(DIGITS, "hinge", metrics={"distance": -5.0}, **changes)
    sound = [planted_record(DIGITS, "nsgan", seed) for seed in range(3)]
    for read in every_reader([*sound, damaged]):
        with pytest.raises(ValueError, match=f"{damaged.trial_id}.0.json: distance is -5 and must be above 0"):
            read()
    for read in every_reader(sound):
        read()


def test_what_scores_read_is_described_and_kept_in_baselines():
    assert set(damage.READ) <= set(METRICS)
    for name in (*damage.READ, *(f"{AVERAGE}{each}" for each in damage.MEASURED)):
        assert about(name) is not None, name
    needed = {name for each in WORKLOADS.values() for name in damage.needed(each, "1.1")}
    assert needed == set(damage.MEASURED)


def test_the_description_of_an_average_is_made_from_the_raw_metrics():
    fd, average = CATALOGUE["fd"], about("ema_fd")
    assert (average.title, average.unit, average.higher_is_better, average.bounds) == (
        *("EMA FD", fd.unit, fd.higher_is_better, fd.bounds),
    )
    assert "moving average" in average.summary
    assert about("ema_distance").higher_is_better is False
    assert about("fd") is fd
    for name in ("ema_fd_floor", "ema_distance_init", "ema_fid", "ema_nothing", "nothing"):
        assert about(name) is None, name
    assert [has_average(CATALOGUE[name]) for name in ("fd", "distance", "fd_best", "fid")] == [True, True, False, False]
