"""The leaderboard's formats say the same, escape what people may have written, and give the same bytes again."""

import csv
import html.parser
import io
import json
import re

import pytest
from planted_records import make_workload
from rich.console import Console

from bench.report import formats, methods
from bench.report.latex import escape
from bench.report.leaderboard import facts, flat_row, lines, notes, parts, rank_text, title
from bench.report.methods import MethodEntry
from bench.statistics.ranking import rank

COMMAND = "python -m bench leaderboard --format md"


@pytest.fixture
def boards(planted, record, workload):
    records = planted(3)[:-1]
    records += [record(workload, "odd | name", seed, distance=500.0 + seed) for seed in range(2)]
    records.append(record(workload, "odd | name", 2, distance=None, status="nonfinite"))
    records.append(record(workload, "variant", 0, allow_invalid=True))
    return rank(records, {"digits": workload}, resamples=300)


@pytest.fixture
def hostile(record, workload):
    names = ("<script>alert(1)</script>", 'a & b_c % $ # {d} ~ ^ \\e | "f" [g]', "nsgan")
    records = [record(workload, name, seed, distance=50.0 + seed) for name in names for seed in range(2)]
    return rank(records, {"digits": workload}, resamples=50)


def as_text(value):
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def terminal(board, width=140):
    console = Console(width=width, record=True, file=io.StringIO())
    for _, table in formats.to_tables(board):
        console.print(table)
    return console.export_text()


def test_csv_and_json_carry_the_same_rows(boards):
    from_csv = list(csv.DictReader(io.StringIO(formats.to_csv(boards, COMMAND))))
    from_json = json.loads(formats.to_json(boards, COMMAND))["tables"][0]["rows"]
    made_of = ("protocol_version", "records", "digest", "command")
    assert {tuple(row.pop(name) for name in made_of) for row in from_csv} == {("1.0", "15", boards[0].digest, COMMAND)}
    assert from_csv == [{name: as_text(value) for name, value in row.items()} for row in from_json]
    assert len(from_csv) == 6
    assert float(from_csv[0]["score"]) == pytest.approx(boards[0].rows[0].score, rel=1e-9)


def test_csv_of_several_tables_has_the_union_of_their_columns(planted, record, workload, toy):
    records = [*planted(1), record(toy, "nsgan", 0, batch_size=32)]
    boards = rank(records, {"digits": workload, "ring8": toy})
    rows = list(csv.DictReader(io.StringIO(formats.to_csv(boards, COMMAND))))
    assert {row["table"] for row in rows} == {board.key.title for board in boards}
    assert [row["ring8_distance"] for row in rows] == ["100.0", "", "", "", ""]


def test_machine_formats_leave_out_the_last_bits(boards):
    row = flat_row(boards[0], boards[0].rows[0])
    assert row["score"] == float(f"{boards[0].rows[0].score:.10g}")
    assert len(repr(row["score"]).partition(".")[2]) <= 10


def test_json_says_what_it_is_made_of(boards):
    document = json.loads(formats.to_json(boards, COMMAND))
    table = document["tables"][0]
    assert document["command"] == COMMAND
    assert table["protocol_version"] == "1.0"
    assert table["records"] == 15
    assert table["digest"] == boards[0].digest
    assert table["reference"] == "nsgan"
    assert table["measures"] == {"digits": "FD[digits-cnn-v1, 2,000]"}


def test_markdown_has_every_method_in_every_part_and_escapes_bars(boards):
    text = formats.to_markdown(boards, COMMAND)
    tables = re.findall(r"(?:^\|.*\n)+", text, re.M)
    assert [table.count("\n") for table in tables] == [2 + 6, 2 + 2 + 6, 2 + 6]
    assert text.count("odd \\| name") == 3
    for table in tables:
        assert len({line.replace("\\|", "").count("|") for line in table.splitlines()}) == 1
    assert f"Regenerate with `{COMMAND}`." in text
    assert boards[0].digest in text


@pytest.mark.parametrize("style", formats.WRITERS)
def test_every_format_names_its_records_and_command(boards, style):
    text = formats.WRITERS[style](boards, f"{COMMAND}-{style}")
    for words in (boards[0].digest, "1.0", f"{COMMAND}-{style}", "variant"):
        assert words in text


@pytest.mark.parametrize("style", formats.WRITERS)
def test_the_same_records_give_the_same_bytes(planted, workload, style):
    records = planted(3)
    forth, back = (rank(each, {"digits": workload}, resamples=100) for each in (records, records[::-1]))
    assert formats.WRITERS[style](forth, COMMAND) == formats.WRITERS[style](back, COMMAND)


class Reader(html.parser.HTMLParser):
    """Collects the cells of each row, and the tags that are open."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.tags, self.scopes = [], set(), []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag == "th":
            self.scopes.append(dict(attributes).get("scope"))

    def handle_data(self, data):
        if self.rows and self.rows[-1] and self.get_starttag_text() and data.strip():
            self.rows[-1][-1] += data


def test_html_has_the_rows_with_headings_and_runs_nothing(hostile):
    text = formats.to_html(hostile, COMMAND)
    page = Reader(text)
    assert "script" not in page.tags
    assert "&lt;script&gt;" in text
    assert set(page.scopes) == {"row", "col"}
    expected = [
        row for part in parts(hostile[0]) for row in [[c.heading for c in part.columns], *lines(hostile[0], part)]
    ]
    assert [len(row) for row in page.rows] == [len(row) for row in expected]
    assert [row[1] for row in page.rows[:2]] == ["rank", expected[1][1]]
    assert "http" not in text
    assert 'lang="en"' in text


def test_latex_is_escaped_and_balanced(hostile):
    text = formats.to_latex(hostile, COMMAND)
    assert r"a \& b\_c \% \$ \# \{d\} \textasciitilde{} \textasciicircum{} \textbackslash{}e \textbar{}" in text
    body = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    bare = re.sub(r"\\.", "", body)
    assert bare.count("{") == bare.count("}")
    for environment in re.findall(r"\\begin\{tabular\}\{([lr]+)\}(.*?)\\end\{tabular\}", body, re.S):
        rows = [line for line in environment[1].splitlines() if line.rstrip().endswith(r"\\")]
        assert {len(re.split(r"(?<!\\)&", row)) for row in rows} == {len(environment[0])}
        assert len(rows) >= 4
    for rule in ("toprule", "midrule", "bottomrule"):
        assert rf"\{rule}" in text
    assert body.isascii()


def test_latex_escapes_each_character_once():
    assert escape(r"\{") == r"\textbackslash{}\{"
    assert escape("two\n  lines") == "two lines"


def test_markdown_keeps_angle_brackets_from_being_elements(hostile):
    assert "\\<script>" in formats.to_markdown(hostile, COMMAND)


def test_notes_are_honest(boards):
    said = " ".join(notes(boards[0]))
    assert "Provisional: with fewer than 10 seeds" in said
    assert f"15 records, digest {boards[0].digest}, protocol 1.0" in said
    assert "FD[digits-cnn-v1, 2,000]" in said
    assert "real data 2.00, untrained 8,000" in said
    assert "listed without score and rank" in said
    assert "never ranked" in said


def test_parts_and_facts_say_all_that_notes_say(boards):
    said = {*facts(boards[0]), *(note for part in parts(boards[0]) for note in part.notes)}
    assert set(notes(boards[0])) <= said
    assert any("after Holm over 3 methods" in note for note in said)


def test_ten_seeds_are_not_called_provisional(planted, workload):
    (board,) = rank(planted(10), {"digits": workload}, resamples=50)
    assert "Provisional" not in " ".join(notes(board))
    assert not title(board).endswith("provisional")
    (board,) = rank(planted(9), {"digits": workload}, resamples=50)
    assert title(board).endswith("provisional")


def test_a_single_seed_is_called_no_ranking(planted, workload):
    (board,) = rank(planted(1), {"digits": workload})
    assert "no ranking yet" in " ".join(notes(board))
    assert rank_text(board.rows[0]) == "–"
    assert lines(board, parts(board)[0])[0][:2] == ["–", "–"]


def test_without_the_reference_the_table_says_so(record, workload):
    (board,) = rank([record(workload, "hinge", seed) for seed in range(2)], {"digits": workload}, resamples=50)
    assert "nsgan has no rank here: nothing is tested against it." in parts(board)[0].notes


def test_what_is_left_out_is_said(planted, record, workload):
    records = planted(2)
    records += [record(workload, "mmgan", 7), record(workload, "nsgan", 5, status="error", fingerprint="other")]
    old = record(workload, "nsgan", 0, components={"losses": "0"}, finished_at="2020-01-01T00:00:00+00:00")
    (board,) = rank([*records, old], {"digits": workload}, resamples=50)
    said = " ".join(notes(board))
    for words in ("1 further result with", "1 record of older", "from 2 machines", "1 run that ended in a timeout"):
        assert words in said


def test_an_incomplete_cell_shows_how_many_runs_its_median_is_of(planted, workload):
    records = [each for each in planted(3) if not (each.spec.method == "wgan-gp" and each.spec.seed == 1)]
    (board,) = rank(records, {"digits": workload}, resamples=50)
    workloads = parts(board)[1]
    by_name = {line[0]: line[1] for line in lines(board, workloads)}
    assert by_name["wgan-gp"].endswith(" (2/3)")
    assert "(" not in by_name["nsgan"]
    assert by_name["real data"] == "2.00"


def test_modes_stand_beside_the_distance_where_they_score(record, workload, toy):
    records = [record(place, "nsgan", seed) for place in (workload, toy) for seed in range(2)]
    (board,) = rank(records, {"digits": workload, "ring8": toy}, resamples=50)
    names = [column.heading for column in parts(board)[1].columns]
    assert names == ["method", "digits FD", "ring8 sliced W2", "ring8 modes"]
    assert [line[3] for line in lines(board, parts(board)[1])] == ["8", "–", "8"]


def test_an_alias_has_no_row_and_is_named(record, workload, monkeypatch):
    index = (*methods.index(), MethodEntry(name="same-gan", kind="method", summary="", alias_of="nsgan"))
    monkeypatch.setattr(methods, "index", lambda: index)
    (board,) = rank([record(workload, "nsgan", seed) for seed in range(2)], {"digits": workload}, resamples=50)
    assert "same-gan" in flat_row(board, board.rows[0])["aliases"].split()
    assert [fact for fact in facts(board) if "another name" in fact and "same-gan" in fact]


def test_the_terminal_table_marks_ties_failures_and_variants(boards):
    text = terminal(boards[0])
    assert "≈ 1" in text
    assert "1/3" in text
    assert "variant †" in text
    assert "[bold]" not in text


def test_the_terminal_tables_fit(record, toy):
    names = [f"a-method-with-a-long-name-{number}" for number in range(3)]
    places = [make_workload(f"set-{number}") for number in range(9)]
    records = [record(place, name, seed) for place in [*places, toy] for name in names for seed in range(2)]
    (board,) = rank(records, {place.name: place for place in [*places, toy]}, resamples=50)
    text = terminal(board, width=120)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 120
    assert all(f"set-{n} FD" in text for n in range(9))
    assert "…" not in text


def test_markup_in_a_method_name_is_not_interpreted(record, workload):
    boards = rank([record(workload, "[red]x[/red]", 0)], {"digits": workload})
    assert "[red]x[/red]" in terminal(boards[0])
