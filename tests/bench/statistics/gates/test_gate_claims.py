"""What `compare` promises, by simulation: how often equal things raise an alarm, by the rules of before and of now.

Every test prints its table (`pytest -s`); the slow ones draw more of the same. The rules of before are written out
here, those of now are the gates' own, or are checked against them where a table needs more draws than they can judge.

    false alarms of a comparison of equal things             before        now
    quality, 16 cells, ten seeds on each side                .06           .001
        and where all are worse by exactly a tenth           .24           .009, and .015 is promised
        of a baseline of ten seeds, the median, the worst    .04, .48      .000, .03
    a cell that the screen flagged by chance, confirmed      .15           .02
    failures, 16 cells that fail three times in ten          .08           .005
    throughput, 20 cells, published residuals                .07           .01
        lag .9, deviation 2 %, an offset of 3 %              .49           .00
    kernels of 40 methods, published blocks                  .65           .00
        and an offset of 3 %                                 1.0           .00
"""

import math
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from campaigns import autoregressive, by_cell, kernels, lag_1, resampled, residuals
from planted_records import make_workload, planted_record
from synthetic import World, make, method_names

from bench import data
from bench.statistics.exact import fisher, mann_whitney
from bench.statistics.gates.cells import pair
from bench.statistics.gates.comparison import compare
from bench.statistics.gates.failures import failures_of
from bench.statistics.gates.kernels import with_kernels
from bench.statistics.gates.quality import quality
from bench.statistics.gates.speed import throughputs
from bench.statistics.gates.verdicts import (
    FAILURE_SIGNIFICANCE,
    FALSE_ALARMS,
    QUALITY_SIGNIFICANCE,
    RATIO_BOUND,
    TIME_SIGNIFICANCE,
    GateSettings,
)
from bench.statistics.location_shifts import _critical

FAST = GateSettings(resamples=100)
CELLS = 16
SCATTER = 0.2
ALARMS = ("worse", "better")
BOUND = math.log(RATIO_BOUND)


def said(title, rows):
    """Print a table of rates."""
    print(f"\n{title}")  # noqa: T201 - the table is what a simulation is for
    for name, *values in rows:
        print(f"  {name:<52}" + "".join(f"{value:>10.3f}" for value in values))  # noqa: T201


def test_the_levels_of_the_gates_add_up_to_what_is_documented():
    assert math.isclose(QUALITY_SIGNIFICANCE + FAILURE_SIGNIFICANCE + TIME_SIGNIFICANCE, FALSE_ALARMS)
    assert FALSE_ALARMS == 0.05


# Quality


def logs(rng, draws, seeds, shift=0.0):
    """Draw log distances [draws, cells, seeds], half of whose variance a seed shares among cells."""
    common = rng.standard_normal((draws, 1, seeds))
    own = rng.standard_normal((draws, CELLS, seeds))
    return shift + SCATTER * (math.sqrt(0.5) * common + math.sqrt(0.5) * own)


def wins(base, new):
    """Count how often a new value lies above an old one, over the last axis."""
    return (new[..., :, None] > base[..., None, :]).sum(axis=(-1, -2))


def critical(base, new, level):
    least = _critical(base.shape[-1], new.shape[-1], level, paired=False)
    return math.inf if least is None else least


def before(base, new):
    """The rule of before: p < .05 after Holm over the cells of a direction, and means further apart than a tenth."""
    least = critical(base, new, 0.05 / base.shape[-2])
    moved = new.mean(axis=-1) - base.mean(axis=-1)
    worse = (wins(base, new) >= least) & (moved > BOUND)
    better = (wins(new, base) >= least) & (moved < -BOUND)
    return (worse | better).any(axis=-1)


def now(base, new):
    """The rule of now, up to the cells that Holm adds to a first one: beyond a tenth, over cells and directions."""
    least = critical(base, new, QUALITY_SIGNIFICANCE / (2 * base.shape[-2]))
    return ((wins(base, new - BOUND) >= least) | (wins(new, base - BOUND) >= least)).any(axis=-1)


@pytest.mark.slow
def test_the_rule_that_is_simulated_is_the_gates():
    """Of drawn worlds with a true difference in some cells, both find an alarm in the same ones."""
    rng = np.random.default_rng(1)
    workload = make_workload()
    names = [f"method{place:02}" for place in range(CELLS)]
    found = []
    for _ in range(8):
        base, new = logs(rng, 1, 10)[0], logs(rng, 1, 10)[0]
        new[0] += 0.55

        def records(values, losses):
            return [
                planted_record(workload, name, seed, distance=float(np.exp(4 + value)), components={"losses": losses})
                for name, runs in zip(names, values, strict=True)
                for seed, value in enumerate(runs)
            ]

        judged = quality(pair(records(base, "1"), records(new, "2")), {"digits": workload}, FAST)
        found.append(bool(now(base, new)))
        assert found[-1] == any(finding.verdict in ALARMS for finding in judged)
    assert 0 < sum(found) < len(found)


@pytest.mark.parametrize("draws", [200, pytest.param(4000, marks=pytest.mark.slow)])
def test_the_level_of_quality_is_what_is_documented(draws):
    rng = np.random.default_rng(2)
    rows = []
    for name, shift in (("nothing differs", 0.0), ("all cells worse by exactly a tenth", BOUND)):
        base, new = logs(rng, draws, 10), logs(rng, draws, 10, shift)
        rows.append((name, before(base, new).mean(), now(base, new).mean()))
    said(f"quality: alarms of {draws} comparisons of {CELLS} cells, ten seeds each (before, now)", rows)
    level = QUALITY_SIGNIFICANCE / 2  # of the one direction in which there is anything
    assert rows[0][2] <= level / 2
    assert rows[1][2] <= level + 3 * math.sqrt(level / draws)
    assert draws < 1000 or rows[1][2] > level / 4  # a level that is kept by looking away is none
    assert rows[0][1] > 0.03
    assert rows[1][1] > 0.15


@pytest.mark.parametrize("baselines", [20, pytest.param(300, marks=pytest.mark.slow)])
def test_the_luck_of_a_baseline(baselines):
    """A baseline is drawn once and compared with for months: its luck is in every comparison."""
    rng = np.random.default_rng(3)
    rows = []
    for seeds in (10, 20):
        rates = []
        for _ in range(baselines):
            base = logs(rng, 1, seeds)
            new = logs(rng, 300, 5 if seeds == 20 else 10)
            rates.append((before(np.broadcast_to(base, (300, *base.shape[1:])), new).mean(), now(base, new).mean()))
        was, has = np.array(rates).T
        rows.append((f"{seeds} seeds in BASE: median, worst", np.median(was), was.max(), np.median(has), has.max()))
    said(f"quality: false alarms a baseline, over {baselines} baselines (before: 2 columns, now: 2)", rows)
    for _, _, worst_before, median_now, worst_now in rows:
        assert median_now <= 0.01
        assert worst_now <= 0.08
        assert worst_before > worst_now


@pytest.mark.parametrize("draws", [4000, pytest.param(60_000, marks=pytest.mark.slow)])
def test_what_the_screen_flags_by_chance_is_seldom_confirmed(draws):
    rng = np.random.default_rng(4)
    rows = []
    for seeds in (10, 20):
        base, seen, fresh = (SCATTER * rng.standard_normal((draws, 1, count)) for count in (seeds, 5, 5))
        flagged = (wins(base, seen) >= critical(base, seen, 0.05)) & (
            np.median((seen[..., :, None] - base[..., None, :]).reshape(draws, 1, -1), axis=-1) > BOUND
        )
        moved = fresh.mean(axis=-1) - base.mean(axis=-1)
        was = (wins(base, fresh) >= critical(base, fresh, 0.05)) & (moved > BOUND)
        has = wins(base, fresh - BOUND) >= critical(base, fresh, QUALITY_SIGNIFICANCE)
        rows.append((f"{seeds} seeds in BASE", flagged.mean(), was[flagged].mean(), has[flagged].mean()))
    said("stage 2: flagged by chance; of these confirmed (before, now)", rows)
    for _, share, was, has in rows:
        assert 0.01 < share < 0.06
        assert was > 0.08
        assert has < 0.07


@pytest.mark.slow
@pytest.mark.parametrize(("draws", "least", "most"), [(15, 8, 15), pytest.param(150, 98, 140, marks=pytest.mark.slow)])
def test_what_is_called_detectable_is_found_four_times_in_five(draws, least, most):
    """In whole comparisons of four cells: each is made worse by what a first comparison called detectable."""
    world = World(methods=method_names(4), workloads=("digits",), scatter=SCATTER, pairing=0.0)
    workloads = {"digits": data.workload("digits")}
    detectable = [
        finding.detectable
        for draw in range(10)
        for finding in quality(pair(make(world, 10, 2 * draw), make(world, 10, 2 * draw + 1)), workloads, FAST)
    ]
    typical = float(np.median(detectable))
    worse = replace(world, effects={world.methods[1]: math.log(typical)})
    found = []
    for draw in range(100, 100 + draws):
        pairs = pair(make(world, 10, 2 * draw), make(worse, 10, 2 * draw + 1))
        judged = dict(zip([each.method for each in pairs], quality(pairs, workloads, FAST), strict=True))
        found.append(judged[world.methods[1]].verdict == "worse")
    said(f"quality: a cell worse by what is detectable (ratio {typical:.2f})", [("found", float(np.mean(found)))])
    assert least <= sum(found) <= most


# Failures


@pytest.mark.parametrize("draws", [40, pytest.param(1500, marks=pytest.mark.slow)])
def test_the_level_of_failures_is_that_of_all_cells(draws):
    rng = np.random.default_rng(5)
    workload = make_workload()
    runs = {
        (name, seed, losses, failed): planted_record(
            workload, name, seed, status="nonfinite" if failed else "ok", distance=None if failed else 100.0,
            components={"losses": losses},
        )
        for name in [f"method{place:02}" for place in range(CELLS)]
        for seed in range(10)
        for losses in ("1", "2")
        for failed in (False, True)
    }  # fmt: skip
    names = sorted({name for name, *_ in runs})
    alarms = []
    for _ in range(draws):
        failed = rng.uniform(size=(2, CELLS, 10)) < 0.3
        sets = [
            [
                runs[name, seed, losses, bool(failed[side, cell, seed])]
                for cell, name in enumerate(names)
                for seed in range(10)
            ]
            for side, losses in enumerate("12")
        ]
        found = failures_of(pair(*sets))
        counts = failed.sum(axis=2)
        old = [
            min(fisher(one, 10, other, 10), fisher(other, 10, one, 10)) < 0.01
            for one, other in zip(*counts.tolist(), strict=True)
        ]
        alarms.append((any(old), any(finding.verdict in ALARMS for finding in found)))
    was, has = np.mean(alarms, axis=0)
    said(f"failures: alarms of {draws} comparisons of {CELLS} cells that fail at .3 (before, now)", [("", was, has)])
    assert has <= FAILURE_SIGNIFICANCE + 2 * math.sqrt(FAILURE_SIGNIFICANCE / draws)
    assert was > has


# Time


def campaign(times):
    """Return a record for every run, as fast as these log seconds say."""
    workload = {name: make_workload(name) for name, _ in times}
    return [
        msgspec.structs.replace(
            planted_record(workload[name], method, seed, components={"losses": "1"}),
            cost={"images_per_second": 2000.0 * math.exp(-value)},
        )
        for (name, method), values in times.items()
        for seed, value in enumerate(values)
    ]


def slower_before(one, other):
    """The rule of before: the medians of seconds differ by a twentieth, and p < .002."""
    moved = np.median(other) - np.median(one)
    p = min(mann_whitney(one.tolist(), other.tolist()), mann_whitney(other.tolist(), one.tolist()))
    return p < 0.002 and abs(moved) > math.log(1.05)


def offset(rng):
    """What two campaigns of one machine differ by: 3 %."""
    return 0.03 * rng.standard_normal()


WORLDS = {
    "published residuals, as they follow one another": lambda rng: resampled(residuals(), rng, 40),
    "the same, and an offset of 3 %": lambda rng: resampled(residuals(), rng, 40) + offset(rng),
    "lag .9, deviation 2 %, an offset of 3 %": lambda rng: (
        0.02 * autoregressive(200, rng) + 0.01 * rng.standard_normal(200) + offset(rng)
    ),
    "lag .9, deviation 10 %, an offset of 3 %": lambda rng: (
        0.10 * autoregressive(200, rng) + 0.01 * rng.standard_normal(200) + offset(rng)
    ),
}


def test_the_published_runs_are_not_independent():
    assert 0.85 < lag_1(residuals()) < 0.95
    rng = np.random.default_rng(6)
    assert lag_1(autoregressive(5000, rng)) == pytest.approx(0.9, abs=0.03)
    assert np.mean([lag_1(resampled(residuals(), rng, 40)) for _ in range(50)]) > 0.8


@pytest.mark.parametrize(
    ("draws", "most", "least_before"), [(2, 0, 0), pytest.param(100, 2, 25, marks=pytest.mark.slow)]
)
def test_the_level_of_throughput_is_that_of_all_cells(draws, most, least_before):
    rng = np.random.default_rng(7)
    rows = []
    for name, world in WORLDS.items():
        alarms = []
        for _ in range(draws):
            one, other = by_cell(world(rng)), by_cell(world(rng))
            found = throughputs(pair(campaign(one), campaign(other)), FAST)
            assert len(found) == 20
            old = any(slower_before(one[cell], other[cell]) for cell in one)
            alarms.append((old, any(finding.verdict in ALARMS for finding in found)))
        rows.append((name, *np.mean(alarms, axis=0)))
    said(f"throughput: alarms of {draws} comparisons of equal code, 20 cells (before, now)", rows)
    assert all(has * draws <= most for *_, has in rows)
    assert rows[2][1] * draws >= least_before


@pytest.mark.slow
def test_a_method_that_is_slower_is_found_though_the_campaigns_drift():
    """By 15 %, where runs drift by 2 %; and nobody else is."""
    rng = np.random.default_rng(8)
    world, victim = WORLDS["lag .9, deviation 2 %, an offset of 3 %"], ("digits", "hinge")
    found = 0
    for _ in range(5):
        one, other = by_cell(world(rng)), by_cell(world(rng))
        pairs = pair(campaign(one), campaign(other | {victim: other[victim] + math.log(1.15)}))
        judged = zip(pairs, throughputs(pairs, FAST), strict=True)
        alarmed = {(each.key.workload, each.key.method) for each, finding in judged if finding.verdict in ALARMS}
        found += victim in alarmed
        assert alarmed <= {victim}
    assert found >= 4


def measured_again(record, rng, shift):
    """A published record measured anew: its blocks A B B A drawn again, slower by what campaigns differ by."""
    timings = []
    for timing in record.timings:
        count = len(timing.blocks)
        places = (2 * rng.integers(count // 2, size=count // 2)[:, None] + np.arange(2)).ravel()
        drift = np.exp(shift + 0.01 * autoregressive(2 * count, rng))
        blocks = np.array(timing.blocks)[places] * drift[::2]
        reference = np.array(timing.reference_blocks)[places] * drift[1::2]
        timings.append(
            msgspec.structs.replace(timing, blocks=blocks.tolist(), reference_blocks=reference.tolist(), profile=None)
        )
    return msgspec.structs.replace(record, timings=timings)


@pytest.mark.parametrize(("draws", "records"), [(1, 4), pytest.param(8, 40, marks=pytest.mark.slow)])
def test_the_level_of_kernels_is_that_of_all_lines(draws, records):
    rng = np.random.default_rng(9)
    rows = []
    for name, apart in (("no offset", 0.0), ("an offset of 3 %", 0.03)):
        alarms = []
        for _ in range(draws):
            chosen = [kernels()[place] for place in rng.choice(len(kernels()), records, replace=False)]
            base, new = ([measured_again(each, rng, shift) for each in chosen] for shift in (0.0, apart))
            made = with_kernels(compare([], [], {}, FAST), base, new, FAST)
            old = any(
                slower_before(np.log(one.blocks), np.log(other.blocks))
                for before_, after in zip(base, new, strict=True)
                for one, other in zip(before_.timings, after.timings, strict=True)
            )
            alarms.append((old, any(row.verdict in ALARMS for row in made.rows)))
        rows.append((name, *np.mean(alarms, axis=0)))
    said(f"kernels: alarms of {draws} comparisons of equal code, {records} methods (before, now)", rows)
    assert [has for *_, has in rows] == [0.0, 0.0]
    assert rows[1][1] > 0.5


@pytest.mark.parametrize("draws", [2, pytest.param(60, marks=pytest.mark.slow)])
def test_whole_comparisons_of_equal_things_keep_the_documented_level(draws):
    """All gates at once: worlds that scatter, fail and drift, with ten seeds on both sides and sixteen cells."""
    world = World(
        methods=method_names(8), workloads=("digits", "mnist"), scatter=SCATTER,
        failure_rates=dict.fromkeys(method_names(8)[1:4], 0.2),
    )  # fmt: skip
    workloads = {name: data.workload(name) for name in world.workloads}
    outcomes = [
        compare(make(world, 10, 2 * draw), make(world, 10, 2 * draw + 1), workloads, FAST).outcome(
            allow_improvement=False
        )
        for draw in range(draws)
    ]
    alarms = sum(outcome != "passed" for outcome in outcomes) / draws
    said(f"whole comparisons: alarms of {draws}", [("16 cells, ten seeds on each side", alarms)])
    assert alarms <= FALSE_ALARMS
