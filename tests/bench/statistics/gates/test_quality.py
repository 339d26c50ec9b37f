"""The quality gate on made-up distances and scores."""

import math

import numpy as np
import pytest
from planted_records import UNTRAINED, make_toy, make_workload, planted_record

from bench.statistics.gates.cells import pair
from bench.statistics.gates.quality import fresh_seeds_needed, quality
from bench.statistics.gates.verdicts import Flag, GateSettings

DIGITS, TOY = make_workload(), make_toy()
WORKLOADS = {"digits": DIGITS, "ring8": TOY}
SPREAD = np.exp(0.05 * np.array([-1.5, -1.0, -0.6, -0.3, -0.1, 0.1, 0.3, 0.6, 1.0, 1.5]))


def runs(distances, method="nsgan", start=0, **changes):
    return [
        planted_record(
            DIGITS,
            method,
            start + place,
            distance=None if value is None else float(value),
            status="ok" if value is not None else "nonfinite",
            components={"losses": changes.get("losses", "1")},
        )
        for place, value in enumerate(distances)
    ]


def judge(base, new, stage="once", flags=None):
    pairs = pair(base, new)
    return pairs, quality(pairs, WORKLOADS, GateSettings(stage=stage, resamples=2000), flags)


def one(base, new, stage="once", flags=None):
    return judge(base, new, stage, flags)[1][0]


def test_twice_the_distance_is_worse_and_half_of_it_is_better():
    worse = one(runs(100 * SPREAD), runs(200 * SPREAD[::-1], losses="2"))
    assert (worse.verdict, worse.base_count, worse.new_count) == ("worse", 10, 10)
    assert worse.effect == pytest.approx(2.0, rel=1e-9)
    assert 1.8 < worse.low < 2.0 < worse.high < 2.2
    assert worse.base == pytest.approx(100.0)
    better = one(runs(200 * SPREAD), runs(100 * SPREAD[::-1], losses="2"))
    assert better.verdict == "better"
    assert better.effect == pytest.approx(0.5, rel=1e-9)


@pytest.mark.parametrize(
    ("base", "new"),
    [
        (np.linspace(110, 90, 80), np.linspace(45, 55, 80)),
        (np.random.default_rng(6).uniform(90, 110, 20), np.random.default_rng(106).uniform(45, 55, 75)),
    ],
)
def test_many_seeds_are_judged_as_few_are(base, new):
    # The p against what is certain is 1, and no rounding more, which Holm would refuse.
    found = one(runs(base), runs(new, losses="2"))
    assert (found.verdict, found.base_count, found.new_count) == ("better", len(base), len(new))


def test_a_sure_difference_below_the_bound_is_equivalent():
    found = one(runs(100 * SPREAD), runs(102 * SPREAD, losses="2"))
    assert found.low > 1.0
    assert found.p > 0.9
    assert found.verdict == "equivalent"
    assert found.effect == pytest.approx(1.02)


def test_worse_is_beyond_the_tolerance_for_sure_and_not_only_in_the_estimate():
    """Beyond 1 for sure, and its estimate beyond 1.10: that it is beyond 1.10 is not shown."""
    found = one(runs(100 * SPREAD), runs(113 * SPREAD[::-1], losses="2"))
    assert found.effect == pytest.approx(1.13, rel=0.01)
    assert found.low > 1.03
    assert found.verdict == "inconclusive"
    assert one(runs(100 * SPREAD), runs(125 * SPREAD[::-1], losses="2")).verdict == "worse"
    assert one(runs(100 * SPREAD), runs(100 / 1.25 * SPREAD[::-1], losses="2")).verdict == "better"


@pytest.mark.parametrize("start", [0, 10])  # paired by seed, and not
def test_one_wild_distance_moves_neither_the_effect_nor_what_could_be_seen(start):
    """A geometric mean of ten would fall to a ninth, and ten runs would seem to scatter by thousands."""
    base = runs(100 * SPREAD)
    wild = one(base, runs([*(100 * SPREAD[1:]), 1e-8], losses="2", start=start))
    plain = one(base, runs([*(100 * SPREAD[1:]), 100], losses="2", start=start))
    assert wild.effect == pytest.approx(plain.effect, abs=0.03)
    assert wild.detectable == pytest.approx(plain.detectable, abs=0.15)
    assert wild.verdict in ("equivalent", "inconclusive")
    assert plain.verdict == "equivalent"


def test_nobody_is_called_equivalent_who_fails_more_often():
    """One failure in ten moves neither the estimate nor its interval, and is still no proof that nothing changed."""
    close = SPREAD**0.3
    healthy = one(runs(100 * close), runs(100 * close[::-1], losses="2", start=10))
    found = one(runs(100 * close), runs([*(100 * close[1:]), None], losses="2", start=10))
    assert healthy.verdict == "equivalent"
    assert 1 / 1.1 < found.low < found.high < 1.1
    assert (found.verdict, found.able) == ("inconclusive", True)


def test_what_could_be_seen_grows_with_the_scatter_and_falls_with_the_seeds():
    def seen(count, power, stage="once"):
        spread = (SPREAD**power)[:count] if count <= 10 else np.concatenate([SPREAD**power] * (count // 10))
        return one(runs(100 * spread), runs(100 * spread[::-1], losses="2"), stage).detectable

    assert 1.10 < seen(10, 1) < seen(10, 4)
    assert seen(20, 4) < seen(10, 4)
    assert seen(10, 4, "1") < seen(10, 4)
    assert seen(3, 4) is None


def test_a_difference_that_may_be_chance_is_inconclusive():
    assert one(runs(100 * SPREAD**8), runs(120 * SPREAD[::-1] ** 8, losses="2")).verdict == "inconclusive"


def test_nobody_is_called_equivalent_on_fewer_than_five_seeds():
    found = one(runs([100, 100.1, 99.9]), runs([100, 100.2, 99.8], losses="2"))
    assert (found.verdict, found.able) == ("inconclusive", False)
    assert found.note == "too few seeds to tell"
    # Four against four have an interval, and it lies within the tolerance.
    four = one(runs([100, 100.1, 99.9, 100.3]), runs([100, 100.2, 99.8, 100.4], losses="2"))
    assert 0.99 < four.low < four.high < 1.01
    assert four.verdict == "inconclusive"


def test_what_is_known_to_be_equal_has_been_looked_at():
    # Of four cells no p of five seeds could get below the level, and their intervals lie within the tolerance.
    names = ("hinge", "lsgan", "nsgan", "wgan")
    base, new = (
        [record for name in names for record in runs(distances, name, losses=losses)]
        for losses, distances in (("1", [100, 100.1, 99.9, 100.3, 99.7]), ("2", [100, 100.2, 99.8, 100.4, 99.6]))
    )
    assert {(found.verdict, found.able) for found in judge(base, new)[1]} == {("equivalent", True)}
    apart = [record for name in names for record in runs([100, 130, 90, 140, 80], name, losses="2")]
    assert {(found.verdict, found.able) for found in judge(base, apart)[1]} == {("inconclusive", False)}


def test_the_very_same_results_are_called_identical():
    found = one(runs(100 * SPREAD), runs(100 * SPREAD))
    assert (found.verdict, found.effect, found.able) == ("equivalent", 1.0, True)
    assert found.note.startswith("identical")


@pytest.mark.parametrize(("seeds", "verdict"), [(5, "equivalent"), (4, "inconclusive")])
def test_five_of_the_seeds_repeated_are_enough(seeds, verdict):
    found = one(runs(100 * SPREAD), runs(100 * SPREAD[:seeds]))
    assert (found.verdict, found.able) == (verdict, verdict == "equivalent")
    assert found.note.startswith(f"repeats BASE at {seeds} of its 10 seeds")


def test_equal_seeds_are_paired_where_pairs_can_pass_the_level():
    assert "paired" in one(runs(100 * SPREAD), runs(100 * SPREAD[::-1], losses="2"), stage="1").test
    few = one(runs(100 * SPREAD[:5]), runs(110 * SPREAD[:5], losses="2"), stage="1")
    assert few.test == "Mann-Whitney"  # five pairs could not get below 1/32
    other_seeds = one(runs(100 * SPREAD), runs(100 * SPREAD, start=10, losses="2"), stage="1")
    assert other_seeds.test == "Mann-Whitney"


def test_pairing_uses_what_equal_seeds_share():
    wide = SPREAD**6  # the seeds scatter by a factor of six, and 15 % is common to all
    assert one(runs(100 * wide), runs(115 * wide, losses="2")).verdict == "worse"
    apart = one(runs(100 * wide), runs(115 * wide, start=20, losses="2"))
    assert apart.verdict == "inconclusive"


def test_failed_runs_are_worst_and_count_as_untrained():
    found = one(runs([100] * 6), runs([100, 100, 100, None, None, None], losses="2"))
    assert found.effect == pytest.approx(math.sqrt(UNTRAINED / 100))  # the median of 18 ones and 18 eighties
    assert found.verdict == "inconclusive"
    ruined = one(runs(100 * SPREAD[:6]), runs([None] * 6, losses="2"))
    assert ruined.verdict == "worse"
    assert ruined.effect == pytest.approx(UNTRAINED / 100, rel=0.05)
    assert one(runs([None] * 6), runs([None] * 6, losses="2")).verdict == "equivalent"


def test_a_pair_that_failed_on_both_sides_has_not_moved():
    found = one(runs([None] * 10 + [100, 101]), runs([None] * 10 + [101, 100], losses="2"))
    assert found.test == "signed-rank, paired by seed"
    assert (found.verdict, found.effect, found.p) == ("equivalent", 1.0, 1.0)


def test_scores_of_mode_workloads_are_compared_by_their_difference():
    def modes(found, losses):
        records = []
        for seed, count in enumerate(found):
            record = planted_record(TOY, seed=seed, components={"losses": losses})
            record.metrics.update(modes=float(count), kl_uniform=0.0)
            records.append(record)
        return records

    worse = one(modes([8] * 10, "1"), modes([6, 6, 6, 6, 6, 6, 6, 6, 7, 6], "2"))
    assert (worse.verdict, worse.scale) == ("worse", "difference")
    assert worse.effect == pytest.approx(1 - 6 / 8)
    assert (worse.base, worse.new) == (pytest.approx(1.0), pytest.approx(6 / 8))
    assert one(modes([8] * 10, "1"), modes([8] * 10, "2")).verdict == "equivalent"
    assert one(modes([6] * 10, "1"), modes([8] * 10, "2")).verdict == "better"


@pytest.mark.parametrize(("share", "said"), [(0.04, True), (0.06, False)])
def test_a_base_that_has_learned_nothing_is_said_to_leave_nothing_to_lose(share, said):
    def runs_of(losses):
        records = []
        for seed in range(10):
            record = planted_record(TOY, seed=seed, components={"losses": losses})
            record.metrics.update(modes=8.0 * share, kl_uniform=0.0)
            records.append(record)
        return records

    found = one(runs_of("1"), runs_of("2"))
    assert found.base == pytest.approx(share)
    assert found.verdict == "equivalent", "a remark decides nothing"
    assert (f"BASE scores {share:.2f}: nothing can be shown to be worse" in found.note) == said


def test_holm_asks_for_more_where_more_cells_are_compared():
    base, new = runs(100 * SPREAD[:5]), runs(125 * SPREAD[:5], losses="2")
    assert one(base, new).verdict == "worse"  # p = 1/252 in one direction
    names = [f"method{place:02}" for place in range(20)]
    many = [record for name in names for record in runs(100 * SPREAD[:5], name)]
    same = [record for name in names for record in runs(100 * SPREAD[4::-1], name, losses="2")]
    _, findings = judge([*base, *many], [*new, *same])
    suspect = next(finding for finding in findings if finding.effect > 1.2)
    assert (suspect.verdict, suspect.able) == ("inconclusive", False)
    assert suspect.adjusted_p == pytest.approx(2 * 21 / 252)


def test_cells_that_repeat_base_cost_the_others_no_power():
    # Of five seeds on both sides the least p is 1/252: enough for one cell, and too much for four.
    same = [record for name in ("hinge", "lsgan", "wgan") for record in runs(100 * SPREAD[:5], name)]
    pairs, found = judge([*same, *runs(100 * SPREAD[:5])], [*same, *runs(200 * SPREAD[:5], losses="2")])
    verdicts = {cell.method: finding.verdict for cell, finding in zip(pairs, found, strict=True)}
    assert verdicts == dict.fromkeys(("hinge", "lsgan", "wgan"), "equivalent") | {"nsgan": "worse"}
    assert all(finding.able for finding in found)


def test_a_damaged_record_is_named():
    records = runs(100 * SPREAD)
    records[3].metrics["distance"] = None
    with pytest.raises(ValueError, match=records[3].trial_id):
        one(records, runs(100 * SPREAD, losses="2"))


# Two stages


def test_the_screen_flags_and_decides_nothing():
    found = one(runs(100 * SPREAD), runs(130 * SPREAD[::-1], losses="2"), stage="1")
    assert (found.verdict, found.flagged) == ("inconclusive", "worse")
    assert one(runs(100 * SPREAD), runs(70 * SPREAD[::-1], losses="2"), stage="1").flagged == "better"
    assert one(runs(100 * SPREAD), runs(104 * SPREAD, losses="2"), stage="1").flagged is None  # below the bound


def flags_of(base, new):
    pairs, findings = judge(base, new, stage="1")
    return {
        each.key: Flag(finding.flagged, tuple(each.new.runs))
        for each, finding in zip(pairs, findings, strict=True)
        if finding.flagged
    }


@pytest.mark.parametrize(("seeds", "able"), [(3, False), (4, True)])
def test_a_screen_that_can_reach_its_level_and_not_go_below_can_tell_nothing(seeds, able):
    # Of three seeds on both sides the least p is 1/20, the very level.
    found = one(runs(100 * SPREAD[:seeds]), runs(300 * SPREAD[:seeds], losses="2"), stage="1")
    assert (found.able, found.flagged) == (able, "worse" if able else None)


def test_stage_2_looks_at_fresh_seeds_alone():
    base, seen = runs(100 * SPREAD), runs(130 * SPREAD[:5], losses="2")
    flags = flags_of(base, seen)
    assert [flag.seeds for flag in flags.values()] == [(0, 1, 2, 3, 4)]
    innocent = one(base, [*seen, *runs(100 * SPREAD[:5], start=10, losses="2")], "2", flags)
    assert (innocent.verdict, innocent.flagged, innocent.new_count) == ("equivalent", None, 5)
    guilty = one(base, [*seen, *runs(130 * SPREAD[:5], start=10, losses="2")], "2", flags)
    assert (guilty.verdict, guilty.flagged) == ("worse", None)
    assert guilty.effect == pytest.approx(1.3, rel=0.05)


def test_stage_2_confirms_the_suspected_direction_only():
    base, seen = runs(100 * SPREAD), runs(130 * SPREAD[:5], losses="2")
    found = one(base, [*seen, *runs(50 * SPREAD[:5], start=10, losses="2")], "2", flags_of(base, seen))
    assert (found.verdict, found.flagged) == ("inconclusive", None)


def test_a_suspect_without_enough_fresh_seeds_is_not_cleared():
    base, seen = runs(100 * SPREAD), runs(130 * SPREAD[:5], losses="2")
    flags = flags_of(base, seen)
    for more in ([], runs(100 * SPREAD[:1], start=10, losses="2")):
        found = one(base, [*seen, *more], "2", flags)
        assert (found.verdict, found.flagged) == ("inconclusive", "worse")
        assert "fresh seed" in found.note
    gone = one(base, [], "2", flags)
    assert (gone.verdict, gone.flagged) == ("not comparable", "worse")


@pytest.mark.parametrize(
    ("seeds", "verdict", "note"),
    [
        (5, "not comparable", "stage 1 has not judged it: run --stage 1 again"),
        (3, "inconclusive", "too few seeds to tell"),
    ],
)
def test_what_stage_1_has_not_judged_is_no_pass(seeds, verdict, note):
    pairs = pair(runs(100 * SPREAD[:seeds]), runs(100 * SPREAD[::-1][:seeds], losses="2"))
    (found,) = quality(pairs, WORKLOADS, GateSettings(stage="2"), {}, frozenset())
    assert (found.verdict, found.note) == (verdict, note)
    assert not found.able


def test_a_file_of_other_cells_is_refused():
    base, seen = runs(100 * SPREAD), runs(130 * SPREAD[:5], losses="2")
    with pytest.raises(ValueError, match="belongs to other results"):
        one(runs(SPREAD, "hinge"), runs(SPREAD, "hinge"), "2", flags_of(base, seen))


@pytest.mark.parametrize(("base", "flagged", "needed"), [(10, 1, 5), (10, 20, 5), (5, 20, 7), (3, 1, 5), (1, 1, 33)])
def test_as_many_fresh_seeds_are_asked_for_as_can_decide(base, flagged, needed):
    assert fresh_seeds_needed(base, flagged) == needed
    assert math.comb(base + needed, needed) > flagged / 0.03


def test_equal_seeds_give_equal_bits():
    base, new = runs(100 * SPREAD), runs(110 * SPREAD[::-1], losses="2")
    assert one(base, new) == one(base, new)
