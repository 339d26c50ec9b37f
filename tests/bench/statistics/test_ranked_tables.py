"""Which runs share a table, and which stand in tables of their own."""

import msgspec
import pytest
from planted_records import make_workload

from bench.config.workload import Budget
from bench.report.html import board_sections
from bench.report.notes import facts
from bench.statistics.ranking import rank


def methods_of(board):
    return [row.method for row in board.rows]


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


def test_a_run_that_was_lost_under_a_newer_version_supersedes_nothing(planted, record, workload):
    later = {"finished_at": "2099-01-01T00:00:00+00:00", "status": "error"}
    engine = record(workload, "nsgan", 0, components={"losses": "1", "engine": "99"}, **later)
    part = record(workload, "mmgan", 0, components={"losses": "1", "loss:mmgan": "2"}, **later)
    (before,) = rank(planted(3), {"digits": workload}, resamples=50)
    (board,) = rank([*planted(3), engine, part], {"digits": workload}, resamples=50)
    assert [(row.method, row.runs) for row in board.rows] == [(row.method, 3) for row in before.rows]
    assert (board.superseded, board.digest) == (2, before.digest)
    (alone,) = rank([engine], {"digits": workload}, resamples=50)
    assert [(row.method, row.runs, row.lost) for row in alone.rows] == [("nsgan", 0, 1)]


def folder_records(record, folder, images, seeds, finished_at):
    photos = make_workload(f"imagefolder:/{folder}/photos?size=32", modes=0, content_hash=images * 64)
    made = [record(photos, method, seed, finished_at=finished_at) for method in ("nsgan", "hinge") for seed in seeds]
    return made, {photos.name: photos}


@pytest.mark.parametrize(
    ("now", "columns"),
    [("1", ["imagefolder:/new/photos?size=32"]), ("2", [f"imagefolder:/{at}/photos?size=32" for at in ("new", "old")])],
)
def test_a_moved_folder_is_one_workload_and_other_images_are_another(record, now, columns):
    old, first = folder_records(record, "old", "1", range(8), "2026-01-01T00:00:00+00:00")
    new, second = folder_records(record, "new", now, range(8, 10), "2026-02-01T00:00:00+00:00")
    (board,) = rank([*new, *old], first | second, resamples=50)
    assert [column.name for column in board.workloads] == columns
    assert ({row.runs for row in board.rows}, board.superseded) == ({10}, 0)
    if len(columns) == 1:
        assert (list(board.workloads[0].seeds), {row.seeds for row in board.rows}) == ([*range(10)], {10})
        assert {row.cost_pairs for row in board.rows} == {10}, "the same seed of the reference is found in either place"
        (section,) = board_sections([*new, *old], [board], first | second)
        assert [len(section.of(row, columns[0])) for row in board.rows] == [10, 10]


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


def test_an_attempt_that_was_lost_after_a_result_takes_no_seed_from_anybody(record, workload):
    records = [record(workload, method, seed) for method in ("nsgan", "hinge") for seed in range(3)]
    (before,) = rank(records, {"digits": workload}, resamples=50)
    (after,) = rank([*records, record(workload, "hinge", 2, status="error", attempt=1)], {"digits": workload})
    assert [(row.method, row.runs, row.lost) for row in after.rows] == [("hinge", 3, 0), ("nsgan", 3, 0)]
    assert after.digest == before.digest


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


def test_two_methods_of_one_name_are_told_apart(record, workload):
    """As when a name of the catalogue has come to stand for another method."""
    spelled = ("bce_ns + r1(gamma=1.0)", "bce_ns + r1(gamma=10.0)")
    methods = [("bce_ns", "nsgan"), ("lsgan", "lsgan"), *((method, "nsgan-r1") for method in spelled)]
    records = [record(workload, method, seed, name=name) for method, name in methods for seed in range(2)]
    (board,) = rank(records, {"digits": workload}, resamples=50)
    assert sorted(methods_of(board)) == [*spelled, "lsgan", "nsgan"]
    assert any("under one name, nsgan-r1: each is spelled out" in note for note in facts(board))
    (board,) = rank(records[:-2], {"digits": workload}, resamples=50)
    assert sorted(methods_of(board)) == ["lsgan", "nsgan", "nsgan-r1"]
    assert not any("spelled out" in note for note in facts(board))


def test_the_reference_keeps_a_name_that_another_method_has_too(record, workload):
    methods = ("bce_ns", "bce_ns + r1(gamma=1.0)")
    records = [record(workload, method, seed, name="nsgan") for method in methods for seed in range(2)]
    (board,) = rank(records, {"digits": workload}, resamples=50)
    assert sorted(methods_of(board)) == ["bce_ns + r1(gamma=1.0)", "nsgan"]
    assert board.reference == "nsgan"
