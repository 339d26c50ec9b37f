"""FID beside the ranking: which of it is shown, under what name, and what is said where there is none."""

import msgspec
import pytest

from bench.config.protocol import INCEPTION, INCEPTION_SHA256
from bench.report import leaderboard as formats
from bench.report import page_table
from bench.report.flat import flat_row
from bench.statistics.ranking import rank

OFFICIAL, OWN = f"{INCEPTION_SHA256}abcd", "a" * 12


@pytest.fixture
def color(workload):
    return msgspec.structs.replace(workload, name="cifar10", channels=3, extractor="random-conv-v1")


@pytest.fixture
def measured(record, color):
    """Make a record with FID, or without where `weights` is None."""

    def make(method, seed, fid, weights=OFFICIAL, workload=color, **changes):
        plain = record(workload, method, seed, **changes)
        if weights is None:
            return plain
        beside = {"fid": fid, "fid_floor": 3.25, "fid_samples": 50_000.0}
        versions = {**plain.environment.versions, INCEPTION: weights}
        return msgspec.structs.replace(
            plain,
            metrics=plain.metrics | beside,
            environment=msgspec.structs.replace(plain.environment, versions=versions),
        )

    return make


def table(records, workload):
    (board,) = rank(records, {workload.name: workload}, resamples=50)
    rows = {row.method: flat_row(board, row) for row in board.rows}
    return board, rows, " ".join(formats.notes(board))


def test_a_column_has_each_methods_median(measured, color):
    records = [measured("nsgan", seed, fid) for seed, fid in enumerate((40.0, 20.0, 30.0))]
    records += [measured("hinge", seed, fid) for seed, fid in enumerate((25.0, None, 26.0))]
    board, rows, notes = table(records, color)
    assert (rows["nsgan"]["cifar10_fid"], rows["hinge"]["cifar10_fid"]) == (30.0, 26.0)
    assert "cifar10 FID: median FID[inception-v3-compat, 50,000] of the last step; real test images 3.25" in notes
    (part,) = [part for part in formats.parts(board) if part.title == "cifar10"]
    assert [column.heading for column in part.columns] == ["method", "score", "95 %", "> nsgan", "FD", "FID", "late"]
    written = {line[0]: line[5] for line in formats.lines(board, part)}
    assert written == {"real data": "3.25", "untrained generator": "–", "nsgan": "30.0", "hinge": "26.0"}
    on_page = [column for column in page_table.columns(board) if page_table.heading(column) == "cifar10 FID"]
    assert [column.text(row) for column in on_page for row in board.rows] == [written[row.method] for row in board.rows]


def test_fid_is_no_part_of_the_ranking(measured, color):
    with_fid = [measured("nsgan", seed, 1.0 + seed) for seed in range(3)]
    with_fid += [measured("hinge", seed, 100.0, distance=50.0) for seed in range(3)]
    without = [msgspec.structs.replace(each, environment=None) for each in with_fid]
    first, second = (table(records, color)[0] for records in (with_fid, without))
    assert [row.score for row in first.rows] == [row.score for row in second.rows]
    assert [row.method for row in first.rows] == ["hinge", "nsgan"]


def test_a_method_that_has_it_in_part_shows_none(measured, color):
    records = [measured("nsgan", seed, 30.0) for seed in range(2)]
    records += [measured("hinge", 0, 20.0), measured("hinge", 1, None, weights=None)]
    _, rows, notes = table(records, color)
    assert (rows["nsgan"]["cifar10_fid"], rows["hinge"]["cifar10_fid"]) == (30.0, None)
    assert "3 of 4 results have it" in notes


def test_weights_are_never_mixed_and_own_ones_are_labeled(measured, color):
    records = [measured("nsgan", seed, 30.0, OWN) for seed in range(2)] + [measured("hinge", 0, 20.0)]
    _, rows, notes = table(records, color)
    assert (rows["nsgan"]["cifar10_fid"], rows["hinge"]["cifar10_fid"]) == (30.0, None)
    assert f"FID[inception-v3-compat:{OWN}, 50,000]" in notes


def test_why_there_is_no_fid_is_said_of_color_images_alone(measured, color, workload, toy):
    _, rows, notes = table([measured("nsgan", 0, None, weights=None)], color)
    assert "cifar10_fid" not in rows["nsgan"]
    assert "cifar10: no FID, as these runs were made without Inception" in notes
    assert "--inception require measures it, in new attempts" in notes
    for other in (workload, toy):
        _, _, notes = table([measured("nsgan", 0, None, weights=None, workload=other)], other)
        assert "FID" not in notes


def test_gray_images_have_the_column_where_it_was_required(measured, workload):
    _, rows, _ = table([measured("nsgan", 0, 12.0, workload=workload)], workload)
    assert rows["nsgan"]["digits_fid"] == 12.0
