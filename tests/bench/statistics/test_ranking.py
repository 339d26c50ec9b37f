"""The leaderboard: the planted order, ties, and everything that must not be averaged over silently."""

import msgspec
import pytest
from planted_records import make_stacks, make_workload

from bench.config.workload import Budget
from bench.report.notes import facts
from bench.statistics.ranking import rank


def methods_of(board):
    return [row.method for row in board.rows]


def test_the_planted_order_is_found(planted, workload, planted_order):
    (board,) = rank(planted(10), {"digits": workload}, resamples=2000)
    assert methods_of(board) == list(planted_order)
    assert [row.rank for row in board.rows] == [1, 2, 3, 4]
    assert [(row.rank_low, row.rank_high) for row in board.rows] == [(1, 1), (2, 2), (3, 3), (4, 4)]
    assert [row.among_best for row in board.rows] == [True, False, False, False]
    assert all(row.score_low <= row.score <= row.score_high for row in board.rows)


def test_the_same_records_give_the_same_table_in_any_order(planted, workload):
    records = planted(3)
    forth, back = (rank(each, {"digits": workload}, resamples=300) for each in (records, records[::-1]))
    assert forth == back
    assert forth[0].digest == back[0].digest


def test_the_digest_names_the_content_and_not_the_ids_alone(planted, workload):
    records = planted(2)
    changed = [msgspec.structs.replace(records[0], stability={"late_regression": 0.5}), *records[1:]]
    (one,), (other,) = (rank(each, {"digits": workload}, resamples=50) for each in (records, changed))
    assert one.record_ids == other.record_ids
    assert one.digest != other.digest


def test_everybody_is_tested_against_the_reference(planted, workload, planted_order):
    (board,) = rank(planted(10), {"digits": workload}, resamples=500)
    rows = {row.method: row for row in board.rows}
    assert board.reference == "nsgan"
    assert (rows["nsgan"].p_adjusted, rows["nsgan"].better_than_reference) == (None, None)
    assert [rows[name].better_than_reference for name in planted_order if name != "nsgan"] == [1.0, 1.0, 0.0]
    # Ten pairs of one sign: p = 2 / 2^10, and Holm multiplies the smallest of three by three.
    assert [rows[name].p_value for name in planted_order if name != "nsgan"] == [2 / 2**10] * 3
    assert [rows[name].p_adjusted for name in planted_order if name != "nsgan"] == [6 / 2**10] * 3
    assert [rows[name].verdict for name in planted_order if name != "nsgan"] == ["better", "better", "worse"]
    assert [rows[name].estimates["digits"].wins for name in planted_order if name != "nsgan"] == [10, 10, 0]
    assert (board.reach.least, board.workloads[0].reach.least) == (6 / 2**10, 6 / 2**10)


def test_a_reference_that_is_incomplete_tests_nobody_and_still_is_the_measure_of_cost(planted, workload):
    records = [each for each in planted(3) if not (each.spec.method == "nsgan" and each.spec.seed == 1)]
    (board,) = rank(records, {"digits": workload}, resamples=50)
    assert board.reference is None
    assert all(row.p_value is None for row in board.rows)
    assert {row.method: (row.relative_throughput, row.cost_pairs) for row in board.rows}["mmgan"] == (1.0, 2)


def test_modes_are_a_median_over_failed_runs_too(record, toy):
    records = [record(toy, "nsgan", seed) for seed in range(2)]
    failed = record(toy, "nsgan", 2, distance=None, status="nonfinite")
    for metrics, expected in (({}, 8.0), ({**failed.metrics, "modes": 3.0}, 8.0)):
        made = [*records, msgspec.structs.replace(failed, metrics=metrics)]
        assert rank(made, {"ring8": toy}, resamples=50)[0].rows[0].modes["ring8"] == expected
    lost = [
        records[0],
        *(msgspec.structs.replace(record(toy, "nsgan", s, status="nonfinite"), metrics={}) for s in (1, 2)),
    ]
    (board,) = rank(lost, {"ring8": toy}, resamples=50)
    assert board.rows[0].modes["ring8"] == 0.0
    assert board.rows[0].done == {"ring8": 3}


def test_methods_that_cannot_be_told_apart_may_both_be_the_best(record, workload):
    records = []
    for seed, (first, second) in enumerate([(50, 60), (60, 50), (55, 52), (52, 58), (58, 55), (54, 57), (57, 53)]):
        records += [
            record(workload, "a", seed, distance=float(first)),
            record(workload, "b", seed, distance=float(second)),
        ]
        records.append(record(workload, "far", seed, distance=900.0 + seed))
    (board,) = rank(records, {"digits": workload}, resamples=2000)
    by_name = {row.method: row for row in board.rows}
    assert {name: row.among_best for name, row in by_name.items()} == {"a": True, "b": True, "far": False}
    assert (by_name["a"].rank_low, by_name["a"].rank_high) == (1, 2)
    assert (by_name["far"].rank_low, by_name["far"].rank_high) == (3, 3)


def test_an_easy_workload_and_a_hard_one_weigh_alike(record, workload, toy):
    """Nothing is pooled: the interquartile mean of before threw away whichever workload lay outside."""
    workloads = {"digits": workload, "ring8": toy}
    records = [
        record(place, method, seed, distance=distance, metrics=metrics)
        for place, method, distance, metrics in (
            (workload, "nsgan", 100.0, {}),
            (workload, "a", 50.0, {}),
            (toy, "nsgan", 100.0, {"modes": 8.0, "kl_uniform": 0.0}),
            (toy, "a", 100.0, {"modes": 2.0, "kl_uniform": 0.0}),
        )
        for seed in range(10)
    ]
    (board,) = rank(records, workloads, resamples=100)
    rows = {row.method: row for row in board.rows}
    on = rows["a"].estimates
    assert on["ring8"].score == pytest.approx(0.25)
    assert rows["a"].score == pytest.approx((on["digits"].score + on["ring8"].score) / 2)
    assert [on[name].test.verdict for name in ("digits", "ring8")] == ["better", "worse"]
    assert rows["a"].verdict == "mixed"
    assert set(rows["a"].late_regressions) == {"digits", "ring8"}


def test_late_regressions_are_not_pooled(record, workload, toy):
    def late(place, value):
        return msgspec.structs.replace(record(place, "nsgan", 0), stability={"late_regression": value})

    (board,) = rank([late(workload, 0.0), late(toy, 2.0)], {"digits": workload, "ring8": toy})
    assert board.rows[0].late_regressions == {"digits": 0.0, "ring8": 2.0}


def test_what_a_score_of_modes_is_made_of_is_there(record, toy):
    records = [record(toy, "nsgan", seed, metrics={"kl_uniform": 0.1 * seed}) for seed in range(3)]
    records += [record(toy, "nsgan", 3, distance=None, status="nonfinite", metrics={"kl_uniform": None})]
    (board,) = rank(records, {"ring8": toy})
    assert board.rows[0].divergences["ring8"] == pytest.approx(0.15)  # the run without a histogram is infinitely far
    assert board.rows[0].coverages == {}
    stacks = make_stacks()
    (board,) = rank([record(stacks, "nsgan", seed) for seed in range(2)], {stacks.name: stacks})
    assert (board.rows[0].coverages[stacks.name], board.workloads[0].coverage_ceiling) == (0.6, 0.9)


def test_where_everything_failed_nobody_leads(record, workload):
    records = [
        record(workload, name, seed, distance=None, status="nonfinite") for name in ("nsgan", "a") for seed in range(10)
    ]
    (board,) = rank(records, {"digits": workload})
    assert [(row.score, row.rank, row.among_best, row.verdict) for row in board.rows] == [(0.0, None, None, None)] * 2


@pytest.mark.parametrize("seeds", [2, 4])
def test_few_seeds_have_scores_and_intervals_alone(planted, workload, seeds):
    (board,) = rank(planted(seeds), {"digits": workload})
    assert all(row.score_low <= row.score <= row.score_high for row in board.rows)
    for row in board.rows:
        assert (row.rank, row.rank_low, row.among_best, row.p_adjusted, row.better_than_reference) == (None,) * 5
    assert board.ranked == ()
    assert len(board.scored) == 4


def test_failures_count_zero_and_are_shown_with_their_interval(record, workload):
    records = [record(workload, "steady", seed, distance=100.0) for seed in range(3)]
    records += [record(workload, "shaky", seed, distance=100.0) for seed in range(2)]
    records.append(record(workload, "shaky", 2, distance=None, status="nonfinite"))
    (board,) = rank(records, {"digits": workload}, resamples=200)
    steady, shaky = board.rows
    assert shaky.score == pytest.approx(2 / 3 * steady.score, rel=1e-12)
    assert (shaky.failures, shaky.runs) == (1, 3)
    assert (shaky.failure_low, shaky.failure_high) == pytest.approx((0.0084, 0.9057), abs=1e-4)
    assert shaky.distances["digits"] == 100.0  # the median run
    assert steady.failure_low == 0.0


def test_a_median_over_mostly_failed_runs_does_not_exist(record, workload):
    records = [record(workload, "broken", seed, distance=None, status="nonfinite") for seed in range(2)]
    records.append(record(workload, "broken", 2, distance=100.0))
    (board,) = rank(records, {"digits": workload}, resamples=200)
    assert board.rows[0].distances["digits"] is None


def test_a_missing_seed_leaves_the_method_unranked(planted, workload):
    records = [each for each in planted(5) if not (each.spec.method == "wgan-gp" and each.spec.seed == 1)]
    (board,) = rank(records, {"digits": workload}, resamples=200)
    row = board.rows[-1]
    assert row.method == "wgan-gp"
    assert (row.cells_done, row.cells_counting) == (4, 5)
    assert (row.score, row.rank, row.rank_low, row.among_best) == (None, None, None, None)
    assert [each.rank for each in board.rows[:-1]] == [1, 2, 3]


@pytest.mark.parametrize("status", ["error", "timeout"])
def test_a_lost_run_is_missing_and_no_failure(planted, record, workload, status):
    records = planted(3)
    records[0] = record(workload, records[0].spec.method, 0, status=status)
    (board,) = rank(records, {"digits": workload}, resamples=200)
    row = board.rows[-1]
    assert (row.cells_done, row.failures, row.runs, row.lost) == (2, 0, 2, 1)
    assert row.score is None


def test_seeds_that_few_methods_have_do_not_count(planted, record, workload):
    records = planted(3)
    alone = rank(records, {"digits": workload}, resamples=200)[0]
    records += [record(workload, "mmgan", seed, distance=3.0) for seed in range(3, 10)]
    (board,) = rank(records, {"digits": workload}, resamples=200)
    assert [row.score for row in board.rows] == [row.score for row in alone.rows]
    assert board.workloads[0].seeds == (0, 1, 2)
    assert board.uncounted == 7


def test_an_unfinished_round_does_not_unrank_what_is_complete(planted, workload):
    records = [each for each in planted(2) if each.spec.seed == 0 or each.spec.method == "nsgan"]
    (board,) = rank(records, {"digits": workload}, resamples=200)
    assert all(row.score for row in board.rows)
    assert all((row.cells_done, row.cells_counting) == (1, 1) for row in board.rows)


def test_a_single_seed_has_an_order_but_no_interval(planted, workload):
    (board,) = rank(planted(1), {"digits": workload})
    assert [row.score for row in board.rows] == sorted((row.score for row in board.rows), reverse=True)
    assert all(row.score_low is None and row.rank is None and row.among_best is None for row in board.rows)


def test_fewer_than_ten_seeds_are_provisional(planted, workload):
    assert all(row.provisional for row in rank(planted(9), {"digits": workload}, resamples=50)[0].rows)
    assert not any(row.provisional for row in rank(planted(10), {"digits": workload}, resamples=50)[0].rows)


def test_variants_are_listed_and_never_ranked(planted, record, workload):
    records = planted(3)
    records += [record(workload, "nsgan", seed, distance=2.5, allow_invalid=True) for seed in range(3)]
    (board,) = rank(records, {"digits": workload}, resamples=200)
    variant = board.rows[-1]
    assert variant.variant
    assert (variant.score, variant.rank) == (None, None)
    assert variant.distances["digits"] == 2.5
    assert len(board.scored) == 4


@pytest.mark.parametrize(
    "changes", [{"precision": "bf16"}, {"track": "paper"}, {"batch_size": 32}, {"steps": 300}, {"samples": 500}]
)
def test_what_is_not_comparable_stands_in_tables_of_its_own(planted, record, workload, changes):
    records = [*planted(2), *(record(workload, "nsgan", seed, distance=1.0, **changes) for seed in range(2))]
    boards = rank(records, {"digits": workload}, resamples=50)
    assert sorted(len(board.rows) for board in boards) == [1, 4]
    assert len({board.key.title for board in boards}) == 2


def test_norms_and_protocol_versions_are_not_mixed(planted, record, workload):
    base = record(workload, "nsgan", 0)
    network = msgspec.structs.replace(base.spec.network, d_norm="bn")
    records = [*planted(2), record(workload, "nsgan", 0, network=network)]
    records.append(record(workload, "nsgan", 0, protocol_version="2.0"))
    boards = rank(records, {"digits": workload}, resamples=50)
    assert [(board.key.protocol_version, board.key.d_norm) for board in boards] == [
        ("1.0", "bn"), ("1.0", "ln"), ("2.0", "ln"),
    ]  # fmt: skip


def test_a_folder_that_decides_on_its_samples_is_at_full_budget_and_never_mixes_sizes(record):
    folder = make_workload("imagefolder:/photos?size=32", samples=0, modes=0, extractor="random-conv-v1")
    methods = ("nsgan", "hinge")
    old = [record(folder, each, seed, samples=500) for each in methods for seed in range(3)]
    new = [
        record(folder, each, seed, samples=1020, finished_at="2026-01-03T03:05:00+00:00")
        for each in methods
        for seed in range(3)
    ]
    (board,) = rank([*new, *old], {folder.name: folder}, resamples=50)
    assert board.key.budget == "full budget"
    assert board.superseded == 6
    (column,) = board.workloads
    assert column.measure == "FD[random-conv-v1, 1,020]"
    # A workload that says its number itself still has a table of its own where a trial deviates.
    boards = rank([record(make_workload(), "nsgan", samples=each) for each in (500, 2000)], {"digits": make_workload()})
    assert [each.key.budget for each in boards] == ["500 samples", "full budget"]


def test_records_of_older_components_are_superseded(planted, record, workload):
    past = {"components": {"losses": "0"}, "finished_at": "2025-01-01T00:00:00+00:00"}
    old = [record(workload, name, seed, distance=2.1, **past) for name in ("nsgan", "only then") for seed in range(3)]
    (board,) = rank([*planted(3), *old], {"digits": workload}, resamples=200)
    assert board.superseded == 6
    assert methods_of(board)[-1] == "mmgan"  # a method that has old records only is in no row
    assert {row.method: row.runs for row in board.rows}["nsgan"] == 3


def test_a_loss_of_the_users_own_joins_the_table_and_supersedes_its_own_past_alone(planted, record, workload):
    def own(version: str, finished_at: str) -> list:
        components = {"losses": "1", "loss:mine": version}
        return [
            record(workload, "mine", seed, distance=150.0, components=components, finished_at=finished_at)
            for seed in range(3)
        ]

    records = [*planted(3), *own("old", "2025-01-01T00:00:00+00:00"), *own("new", "2026-06-01T00:00:00+00:00")]
    (board,) = rank(records, {"digits": workload}, resamples=200)
    assert board.superseded == 3
    assert {row.method: row.runs for row in board.rows} == dict.fromkeys([*methods_of(board)], 3)
    assert "mine" in methods_of(board)
    assert len(board.rows) == 5


def test_a_mended_part_leaves_everybody_else_in_the_table(record, workload, toy):
    """The second method has been mended, and has been trained again on one of two workloads only."""

    def runs(method: str, on, revision: str, finished_at: str) -> list:
        components = {"losses": "1", f"loss:{method}": revision, "loss:shared": "1"}
        return [record(on, method, seed, components=components, finished_at=finished_at) for seed in range(3)]

    old, new = "2026-01-01T00:00:00+00:00", "2026-06-01T00:00:00+00:00"
    records = [each for on in (workload, toy) for method in ("still", "mended") for each in runs(method, on, "1", old)]
    records += [each for on in (workload, toy) for each in runs("other", on, "4", old)]
    workloads = {"digits": workload, "ring8": toy}
    (board,) = rank(records, workloads, resamples=200)
    assert (len(board.scored), board.superseded) == (3, 0)
    (board,) = rank([*records, *runs("mended", workload, "2", new)], workloads, resamples=200)
    assert board.superseded == 6, "of the mended one nothing of before counts, on the other workload either"
    assert {row.method for row in board.scored} == {"still", "other"}
    assert {row.method: row.cells_done for row in board.rows} == {"still": 6, "other": 6, "mended": 3}
    records += [*runs("mended", workload, "2", new), *runs("mended", toy, "2", new)]
    (board,) = rank(records, workloads, resamples=200)
    assert {row.method for row in board.scored} == {"still", "other", "mended"}


def test_workloads_share_a_table_and_are_averaged_over(record, workload, toy):
    records = [record(workload, "nsgan", seed, distance=100.0) for seed in range(2)]
    records += [record(toy, "nsgan", seed) for seed in range(2)]
    (board,) = rank(records, {"digits": workload, "ring8": toy}, resamples=200)
    (row,) = board.rows
    single = [
        rank(part, {"digits": workload, "ring8": toy}, resamples=50)[0].rows[0].score
        for part in (records[:2], records[2:])
    ]
    assert row.score == pytest.approx(sum(single) / 2, abs=1e-12)
    assert [column.measure for column in board.workloads] == ["FD[digits-cnn-v1, 2,000]", "sliced W2"]
    assert (board.workloads[0].floor, board.workloads[0].untrained) == (2.0, 8000.0)


def normed(record, workload, d_norm, seed=0):
    network = msgspec.structs.replace(record(workload).spec.network, d_norm=d_norm)
    return record(workload, "nsgan", seed, network=network)


@pytest.mark.parametrize(
    ("image_norms", "joined"),
    [(["ln"], "ln"), (["bn"], "bn"), (["bn", "ln"], "ln"), (["bn", "sn"], "none"), ([], "none")],
)
def test_a_toy_has_no_norm_and_joins_the_images(record, workload, toy, image_norms, joined):
    records = [normed(record, workload, norm) for norm in image_norms]
    records.append(normed(record, toy, "none"))
    boards = rank(records, {"digits": workload, "ring8": toy})
    (home,) = [board for board in boards if "ring8" in [column.name for column in board.workloads]]
    assert home.key.d_norm == joined


def test_a_toy_joins_the_images_of_its_own_budget(record, workload, toy):
    lasting, brief = Budget(steps=3000, evaluate_every=500), Budget(steps=600, evaluate_every=200)
    images, points = (
        msgspec.structs.replace(each, steps=lasting.steps, evaluate_every=lasting.evaluate_every, quick=brief)
        for each in (workload, toy)
    )
    quick = [record(each, "nsgan", 0, steps=600, evaluate_every=200) for each in (images, points)]
    full = [record(each, "nsgan", 0) for each in (images, points)]
    for made in ([*quick, *full], [quick[0], *full], [*quick, full[1]]):
        expected: dict[str, list[str]] = {}
        for each in made:
            expected.setdefault("quick budget" if each.spec.steps == 600 else "full budget", []).append(
                each.spec.workload
            )
        boards = rank(made, {"digits": images, "ring8": points})
        assert {board.key.budget: [column.name for column in board.workloads] for board in boards} == expected


def test_the_paper_track_is_one_table_of_own_recipes(record, workload):
    records = [record(workload, "nsgan", 0, track="paper", batch_size=128), record(workload, "hinge", 0, track="paper")]
    (board,) = rank(records, {"digits": workload})
    assert len(board.scored) == 2
    assert "each method's own recipe" in board.key.title


def test_a_short_run_that_is_evaluated_at_its_end_alone_is_named_by_its_steps(record, workload):
    (board,) = rank([record(workload, "nsgan", 0, steps=100, evaluate_every=100)], {"digits": workload})
    assert board.key.budget == "100 steps"


def test_only_the_last_attempt_counts(record, workload):
    records = [record(workload, "nsgan", 0, status="error"), record(workload, "nsgan", 0, distance=50.0, attempt=1)]
    (board,) = rank(records, {"digits": workload})
    assert (board.rows[0].runs, board.rows[0].lost) == (1, 0)


def test_throughput_stays_on_one_machine(record, workload):
    records = [record(workload, "nsgan", seed) for seed in range(2)]
    records += [record(workload, "hinge", 0), record(workload, "hinge", 1, fingerprint="ffff01234567")]
    other = msgspec.structs.replace(records[-1].environment, device_name="another machine")
    records[-1] = msgspec.structs.replace(records[-1], environment=other)
    (board,) = rank(records, {"digits": workload}, resamples=50)
    assert {row.method: row.images_per_second for row in board.rows} == {"nsgan": 2000.5, "hinge": 2000.0}
    assert board.fingerprints == 2
    assert board.timed_hardware == records[0].environment.device_name
    told = f"2 kinds of machine; images/s is that of the most frequent one, {board.timed_hardware}."
    assert any(told in note for note in facts(board))


def test_no_records_give_no_table(workload):
    assert rank([], {"digits": workload}) == []


def test_times_are_those_of_images_where_there_are_any(record, workload, toy):
    def timed(where, method, speed):
        made = record(where, method, 0)
        cost = {"images_per_second": speed, "discriminator_update_seconds": 1.0 / speed}
        return msgspec.structs.replace(made, cost=cost)

    images = [timed(workload, "nsgan", 100.0), timed(workload, "hinge", 50.0)]
    points = [timed(toy, "nsgan", 30_000.0), timed(toy, "hinge", 30_000.0)]
    for records, on, speed, pace in ((images + points, "digits", 50.0, 0.5), (points, "ring8", 30_000.0, 1.0)):
        (board,) = rank(records, {"digits": workload, "ring8": toy})
        hinge = {row.method: row for row in board.rows}["hinge"]
        assert (board.timed_on, hinge.images_per_second, hinge.relative_throughput) == (on, speed, pace)
        assert hinge.relative_discriminator_update == 1 / pace
        assert hinge.cost_pairs == 1
