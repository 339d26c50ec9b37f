"""The leaderboard's four formats say the same."""

import csv
import io
import json

import pytest
from rich.console import Console

from bench.report import leaderboard as formats
from bench.statistics.ranking import rank


@pytest.fixture
def boards(planted, record, workload):
    records = planted(3)[:-1]
    records += [record(workload, "odd | name", seed, distance=500.0 + seed) for seed in range(2)]
    records.append(record(workload, "odd | name", 2, distance=None, status="nonfinite"))
    records.append(record(workload, "variant", 0, allow_invalid=True))
    return rank(records, {"digits": workload}, resamples=300)


def as_text(value):
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def test_csv_and_json_carry_the_same_rows(boards):
    from_csv = list(csv.DictReader(io.StringIO(formats.to_csv(boards))))
    from_json = json.loads(formats.to_json(boards, "command"))["tables"][0]["rows"]
    assert from_csv == [{name: as_text(value) for name, value in row.items()} for row in from_json]
    assert len(from_csv) == 6
    assert float(from_csv[0]["score"]) == boards[0].rows[0].score


def test_csv_of_several_tables_has_the_union_of_their_columns(planted, record, workload, toy):
    records = [*planted(1), record(toy, "nsgan", 0, batch_size=32)]
    rows = list(csv.DictReader(io.StringIO(formats.to_csv(rank(records, {"digits": workload, "ring8": toy})))))
    assert {row["table"] for row in rows} == {
        board.key.title for board in rank(records, {"digits": workload, "ring8": toy})
    }
    assert [row["ring8_distance"] for row in rows] == ["100.0", "", "", "", ""]


def test_json_says_what_it_is_made_of(boards):
    table = json.loads(formats.to_json(boards, "python -m bench leaderboard"))["tables"][0]
    assert table["protocol_version"] == "1.0"
    assert table["records"] == 15
    assert table["digest"] == boards[0].digest
    assert table["measures"] == {"digits": "FD[digits-cnn-v1, 2,000]"}


def test_markdown_has_every_method_and_escapes_pipes(boards):
    text = formats.to_markdown(boards, "python -m bench leaderboard --format md")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 6
    assert "odd \\| name" in text
    assert {line.replace("\\|", "").count("|") for line in rows} == {rows[0].count("|")}
    assert "Regenerate with `python -m bench leaderboard --format md`." in text


def test_notes_are_honest(boards):
    notes = " ".join(formats.notes(boards[0]))
    assert "Provisional: with fewer than 10 seeds" in notes
    assert f"15 records, digest {boards[0].digest}, protocol 1.0" in notes
    assert "FD[digits-cnn-v1, 2,000]" in notes
    assert "real data 2.00, untrained 8,000" in notes
    assert "listed without score and rank" in notes
    assert "never ranked" in notes


def test_ten_seeds_are_not_called_provisional(planted, workload):
    (board,) = rank(planted(10), {"digits": workload}, resamples=50)
    assert "Provisional" not in " ".join(formats.notes(board))


def test_a_single_seed_is_called_no_ranking(planted, workload):
    (board,) = rank(planted(1), {"digits": workload})
    assert "no ranking yet" in " ".join(formats.notes(board))
    assert formats.cells(board, board.rows[0])[0] == "–"


def test_what_is_left_out_is_said(planted, record, workload):
    records = planted(2)
    records += [record(workload, "mmgan", 7), record(workload, "nsgan", 5, status="error", fingerprint="other")]
    old = record(workload, "nsgan", 0, components={"losses": "0"}, finished_at="2020-01-01T00:00:00+00:00")
    (board,) = rank([*records, old], {"digits": workload}, resamples=50)
    notes = " ".join(formats.notes(board))
    for words in ("1 further result with", "1 record of older", "from 2 machines", "1 run that ended in a timeout"):
        assert words in notes


def test_the_terminal_table_marks_ties_failures_and_variants(boards):
    console = Console(width=140, record=True, file=io.StringIO())
    console.print(formats.to_table(boards[0]))
    text = console.export_text()
    assert "≈ 1" in text
    assert "1/3" in text
    assert "variant †" in text
    assert "[bold]" not in text


def test_markup_in_a_method_name_is_not_interpreted(record, workload):
    boards = rank([record(workload, "[red]x[/red]", 0)], {"digits": workload})
    console = Console(width=140, record=True, file=io.StringIO())
    console.print(formats.to_table(boards[0]))
    assert "[red]x[/red]" in console.export_text()
