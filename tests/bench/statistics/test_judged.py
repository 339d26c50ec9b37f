"""What CLIP and VGG16 measured, beside the ranking: which of it is shown, under what name, and never mixed."""

import io

import msgspec
import pytest
from rich.console import Console

from bench.config.judges import CLIP, OFFICIAL_WEIGHTS, VGG16
from bench.report import leaderboard as formats
from bench.report import page_table
from bench.report.flat import flat_row
from bench.report.formats import to_tables
from bench.statistics.ranking import rank

OFFICIAL = {name: OFFICIAL_WEIGHTS[name][:12].ljust(12, "0") for name in (CLIP, VGG16)}
OWN = "a" * 12


@pytest.fixture
def measured(record, workload):
    """Make a record that judges have looked at: `measured("nsgan", 0, vgg16=20.0)` gives each distance."""

    def make(method, seed, weights=OFFICIAL, **distances):
        plain = record(workload, method, seed)
        names = {"clip": CLIP, "vgg16": VGG16}
        metrics, versions = dict(plain.metrics), dict(plain.environment.versions)
        for key, distance in distances.items():
            recall = None if distance is None else 1.0 / distance
            metrics |= {f"{key}_fd": distance, f"{key}_fd_floor": 3.25, f"{key}_samples": 10_000.0}
            metrics |= {f"{key}_precision": 0.5, f"{key}_precision_ceiling": 0.75}
            metrics |= {f"{key}_recall": recall, f"{key}_recall_ceiling": 0.8}
            versions[names[key]] = weights[names[key]]
        environment = msgspec.structs.replace(plain.environment, versions=versions)
        return msgspec.structs.replace(plain, metrics=metrics, environment=environment)

    return make


def table(records, workload):
    (board,) = rank(records, {workload.name: workload}, resamples=50)
    rows = {row.method: flat_row(board, row) for row in board.rows}
    return board, rows, " ".join(formats.notes(board))


def test_columns_bear_the_name_of_the_judge_and_have_each_methods_median(measured, workload):
    records = [measured("nsgan", seed, clip=each) for seed, each in enumerate((40.0, 20.0, 30.0))]
    records += [measured("hinge", seed, clip=each) for seed, each in enumerate((25.0, None, 50.0))]
    board, rows, notes = table(records, workload)
    assert (rows["nsgan"]["digits_clip_fd"], rows["hinge"]["digits_clip_fd"]) == (30.0, 50.0)
    assert rows["nsgan"]["digits_clip_recall"] == pytest.approx(1 / 30)
    assert rows["hinge"]["digits_clip_recall"] == pytest.approx(1 / 50), "a run without a number is the worst"
    assert "digits FD[clip-vit-b-32]: median FD[clip-vit-b-32, 10,000] of the last step; real test images 3.25" in notes
    assert "training images against each other 80 %; no part of the score" in notes
    (part,) = [part for part in formats.parts(board) if part.title == "digits"]
    headings = [column.heading for column in part.columns]
    judged = ["FD[clip-vit-b-32]", "precision[clip-vit-b-32]", "recall[clip-vit-b-32]"]
    assert [heading for heading in headings if "[" in heading] == judged
    assert not [heading for heading in headings if "FID" in heading]
    place = headings.index(judged[0])
    written = {line[0]: tuple(line[place : place + 3]) for line in formats.lines(board, part)}
    assert written["real data"] == ("3.25", "75 %", "80 %")
    assert written["nsgan"] == ("30.0", "50 %", "3 %")
    on_page = [column for column in page_table.columns(board) if page_table.heading(column) == f"digits {judged[0]}"]
    assert [column.text(row) for column in on_page for row in board.rows] == [
        written[row.method][0] for row in board.rows
    ]


def test_a_terminal_shows_the_names_too_and_precision_beside_recall(measured, workload):
    board, _, _ = table([measured("nsgan", 0, clip=20.0, vgg16=30.0)], workload)
    for width in (80, 200):
        to = Console(file=io.StringIO(), width=width)
        for _, each in to_tables(board, width):
            to.print(each)
        written = to.file.getvalue()
        for name in ("clip-vit-b-32", "vgg16"):
            assert f" FD[{name}]" in written
            assert f" precision[{name}]  recall[{name}]" in written


def test_judges_are_no_part_of_the_ranking_and_absent_where_none_has_looked(measured, workload):
    judged = [measured("nsgan", seed, vgg16=1.0) for seed in range(2)]
    judged += [measured("hinge", seed, vgg16=90.0) for seed in range(2)]
    plain = [measured(record.spec.method, record.spec.seed) for record in judged]
    with_judge, without = table(judged, workload), table(plain, workload)
    assert [row.score for row in with_judge[0].rows] == [row.score for row in without[0].rows]
    assert "digits_vgg16_fd" in with_judge[1]["nsgan"]
    assert not [name for name in without[1]["nsgan"] if "vgg16" in name or "clip" in name]
    assert "vgg16" not in without[2]


def test_one_judge_does_not_stand_for_another(measured, workload):
    records = [measured("nsgan", 0, clip=20.0), measured("hinge", 0, vgg16=30.0)]
    _, rows, notes = table(records, workload)
    assert (rows["nsgan"]["digits_clip_fd"], rows["hinge"]["digits_clip_fd"]) == (20.0, None)
    assert (rows["nsgan"]["digits_vgg16_fd"], rows["hinge"]["digits_vgg16_fd"]) == (None, 30.0)
    assert notes.count("1 of 2 results have it") == 6


def test_a_method_that_has_it_in_part_shows_none(measured, workload):
    records = [measured("nsgan", seed, vgg16=30.0) for seed in range(2)]
    records += [measured("hinge", 0, vgg16=20.0), measured("hinge", 1)]
    _, rows, notes = table(records, workload)
    assert (rows["nsgan"]["digits_vgg16_fd"], rows["hinge"]["digits_vgg16_fd"]) == (30.0, None)
    assert "3 of 4 results have it" in notes


def test_weights_are_never_mixed_and_own_ones_are_labeled(measured, workload):
    own = {VGG16: OWN}
    records = [measured("nsgan", seed, own, vgg16=30.0) for seed in range(2)] + [measured("hinge", 0, vgg16=20.0)]
    _, rows, notes = table(records, workload)
    assert (rows["nsgan"]["digits_vgg16_fd"], rows["hinge"]["digits_vgg16_fd"]) == (30.0, None)
    assert f"FD[vgg16:{OWN}, 10,000]" in notes
