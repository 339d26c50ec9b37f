"""The leaderboard's formats say the same, escape what people may have written, and give the same bytes again."""

import csv
import html.parser
import io
import json
import math
import re

import pytest
from planted_records import make_stacks, make_workload
from rich.console import Console

from bench.report import formats, methods, page_table
from bench.report.columns import rank_text
from bench.report.flat import flat_row
from bench.report.html import finding
from bench.report.leaderboard import lines, notes, parts, title
from bench.report.methods import MethodEntry
from bench.report.notes import facts
from bench.statistics.ranking import rank

COMMAND = "python -m bench leaderboard --format md"


@pytest.fixture
def boards(planted, record, workload):
    records = planted(6)[:-1]
    records += [record(workload, "odd | name", seed, distance=500.0 + seed) for seed in range(5)]
    records.append(record(workload, "odd | name", 5, distance=None, status="nonfinite"))
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
    for _, table in formats.to_tables(board, width):
        console.print(table)
    return console.export_text()


def test_csv_and_json_carry_the_same_rows(boards):
    from_csv = list(csv.DictReader(io.StringIO(formats.to_csv(boards, COMMAND))))
    from_json = json.loads(formats.to_json(boards, COMMAND))["tables"][0]["rows"]
    made_of = ("protocol_version", "scoring_version", "ranking_version", "records", "digest", "command")
    told = ("1.0", "1", "2", "30", boards[0].digest, COMMAND)
    assert {tuple(row.pop(name) for name in made_of) for row in from_csv} == {told}
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
    assert table["records"] == 30
    assert table["ranking_version"] == 2
    assert table["digest"] == boards[0].digest
    assert table["reference"] == "nsgan"
    assert table["measures"] == {"digits": "FD[digits-cnn-v1, 2,000]"}


def test_markdown_has_every_method_in_every_part_and_escapes_bars(boards):
    text = formats.to_markdown(boards, COMMAND)
    tables = re.findall(r"(?:^\|.*\n)+", text, re.M)
    assert [table.count("\n") for table in tables] == [2 + 6, 2 + 6, 2 + 2 + 6, 2 + 6]
    assert text.count("odd \\| name") == 4
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


def test_html_has_the_rows_with_headings_and_runs_nothing_but_its_own_script(hostile):
    text = formats.to_html(hostile, COMMAND)
    page = Reader(text)
    assert text.count("<script") == 1
    sorting = text.partition("<script>")[2].partition("</script>")[0]
    assert sorting in formats.to_html([], COMMAND), "nothing of a record is in it"
    assert "&lt;script&gt;" in text
    assert set(page.scopes) == {"row", "col"}
    expected = [
        row for part in parts(hostile[0]) for row in [[c.heading for c in part.columns], *lines(hostile[0], part)]
    ]
    assert [len(row) for row in page.rows] == [len(row) for row in expected]
    assert [row[0] for row in page.rows[:2]] == ["rank", expected[1][0]]
    assert "http" not in text
    assert 'lang="en"' in text


def test_markdown_keeps_angle_brackets_from_being_elements(hostile):
    assert "\\<script>" in formats.to_markdown(hostile, COMMAND)


def test_notes_are_honest(boards):
    said = " ".join(notes(boards[0]))
    assert "Provisional: fewer than 10 seeds" in said
    assert f"30 records, digest {boards[0].digest}, protocol 1.0, scoring 1, ranking 2" in said
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
    assert lines(board, parts(board)[0])[0][0] == "–"


def test_without_the_reference_the_table_says_so(record, workload):
    (board,) = rank([record(workload, "hinge", seed) for seed in range(2)], {"digits": workload}, resamples=50)
    assert "nsgan has no score here: nothing is tested against it." in parts(board)[0].notes


def test_what_is_left_out_is_said(planted, record, workload):
    records = planted(2)
    records += [record(workload, "mmgan", 7), record(workload, "nsgan", 5, status="error", fingerprint="other")]
    old = record(workload, "nsgan", 0, components={"losses": "0"}, finished_at="2020-01-01T00:00:00+00:00")
    (board,) = rank([*records, old], {"digits": workload}, resamples=50)
    said = " ".join(notes(board))
    for words in (
        "1 further result with",
        "1 record of older",
        "from 2 kinds of machine",
        "1 run that ended in a timeout",
    ):
        assert words in said


def test_an_incomplete_cell_shows_how_many_runs_its_median_is_of(planted, workload):
    records = [each for each in planted(3) if not (each.spec.method == "wgan-gp" and each.spec.seed == 1)]
    (board,) = rank(records, {"digits": workload}, resamples=50)
    part = parts(board)[1]
    place = [column.heading for column in part.columns].index("FD")
    by_name = {line[0]: line[place] for line in lines(board, part)}
    assert by_name["wgan-gp"].endswith(" (2/3)")
    assert "(" not in by_name["nsgan"]
    assert by_name["real data"] == "2.00"


def test_modes_stand_beside_the_distance_where_they_score_with_how_far_to_believe_them(record, workload, toy):
    stacks = make_stacks()
    places = {each.name: each for each in (workload, toy, stacks)}
    records = [record(place, "nsgan", seed) for place in places.values() for seed in range(2)]
    (board,) = [each for each in rank(records, places, resamples=50) if len(each.workloads) == 3]
    digits, points, images = parts(board)[1:4]
    headings = [[column.heading for column in part.columns] for part in (digits, points, images)]
    assert headings == [
        ["method", "score", "95 %", "> nsgan", "FD", "late"],
        ["method", "score", "95 %", "> nsgan", "modes", "KL", "high quality", "sliced W2", "late"],
        ["method", "score", "95 %", "> nsgan", "modes", "KL", "readable", "coverage", "FD", "late"],
    ]
    assert [line[4:7] for line in lines(board, points)] == [["8", "0.00", "99 %"], ["–"] * 3, ["8", "0.05", "80 %"]]
    assert [line[4:8] for line in lines(board, images)] == [
        ["1,000", "0.00", "98 %", "90 %"],
        ["–"] * 4,
        ["1,000", "0.05", "88 %", "60 %"],
    ]
    for part in (points, images):
        assert sum("Modes say nothing without it" in note for note in part.notes) == 1
        assert sum("the distance is no part of the score" in note for note in part.notes) == 1


def test_no_table_shows_modes_without_how_far_to_believe_them(record, workload, toy):
    stacks = make_stacks()
    places = {each.name: each for each in (workload, toy, stacks)}
    boards = rank([record(place, "nsgan", seed) for place in places.values() for seed in range(2)], places)
    shares = {"ring8": "high_quality", "digits": "readable", "stacked-digits": "readable"}
    for board in boards:
        on_page = [*map(page_table.heading, page_table.columns(board))]
        for column in board.workloads:
            (part,) = [each for each in parts(board) if each.title == column.name]
            in_part = [each.heading for each in part.columns]
            flat = flat_row(board, board.rows[0])
            assert flat[f"{column.name}_{shares[column.name]}"] is not None
            words = shares[column.name].replace("_", " ")
            shown = "modes" in in_part
            assert shown is (f"{column.name} modes" in on_page) is (column.scored_by == "modes")
            assert (words in in_part) is (f"{column.name} {words}" in on_page) is shown
            assert ("KL" in in_part) is (f"{column.name} KL" in on_page) is shown


def test_failed_runs_have_no_quality(record, toy):
    records = [record(toy, "nsgan", seed, metrics={"high_quality": 0.9}) for seed in range(2)]
    lost = {"high_quality": None, "modes": None, "kl_uniform": None}
    records += [record(toy, "nsgan", seed, distance=None, status="nonfinite", metrics=lost) for seed in (2, 3, 4)]
    (board,) = rank(records, {"ring8": toy}, resamples=50)
    assert (board.rows[0].modes["ring8"], board.rows[0].qualities["ring8"]) == (0.0, 0.0)


@pytest.mark.parametrize(("protocol", "scoring"), [("1.0", "1"), ("1.1", "2")])
def test_every_format_names_the_scoring_version(record, workload, toy, protocol, scoring):
    places = {"digits": workload, "ring8": toy}
    made = [record(place, "nsgan", seed, protocol_version=protocol) for place in places.values() for seed in range(2)]
    boards = rank(made, places, resamples=50)
    for style, write in formats.WRITERS.items():
        assert f"protocol {protocol} · scoring {scoring}" in unescaped(write(boards, COMMAND)), style
    assert f"scoring {scoring}" in title(boards[0])
    assert json.loads(formats.to_json(boards, COMMAND))["tables"][0]["scoring_version"] == scoring
    assert next(csv.DictReader(io.StringIO(formats.to_csv(boards, COMMAND))))["scoring_version"] == scoring
    said = " ".join(facts(boards[0]))
    assert ("times the share of samples of high quality" in said) is (scoring == "2")


def unescaped(text):
    return text.replace(r"\textperiodcentered{}", "·")


def averaged(record, workload, method, averages):
    return [
        record(
            workload, method, seed, distance=100.0, protocol_version="1.1",
            metrics={} if average is None else {"ema_distance": average},
        )
        for seed, average in enumerate(averages)
    ]  # fmt: skip


def test_the_score_of_the_averages_is_a_column_of_its_own_and_ranks_nobody(record, workload):
    records = [
        *averaged(record, workload, "nsgan", [50.0, 50.0, 50.0]),
        *averaged(record, workload, "hinge", [4.0, 4.0, 4.0]),
        *averaged(record, workload, "lsgan", [50.0, None, 50.0]),
    ]
    (board,) = rank(records, {"digits": workload}, resamples=50)
    rows = {row.method: row for row in board.rows}
    expected = {"nsgan": math.log(8000 / 50) / math.log(4000), "hinge": math.log(2000) / math.log(4000)}
    assert {name: rows[name].average_score for name in expected} == pytest.approx(expected)
    assert rows["lsgan"].average_score is None
    assert len({row.score for row in board.rows}) == 1
    assert (rows["hinge"].average_distances["digits"], rows["lsgan"].average_distances["digits"]) == (4.0, None)
    part = parts(board)[0]
    place = [column.heading for column in part.columns].index("EMA score")
    written = {line[1]: line[place] for line in lines(board, part)}
    assert written == {"nsgan": "0.612", "hinge": "0.916", "lsgan": "–"}
    assert any("rank and p are the raw generator's" in note for note in part.notes)
    assert "EMA score" in [*map(page_table.heading, page_table.columns(board))]
    flat = {row.method: flat_row(board, row) for row in board.rows}
    assert flat["hinge"]["ema_score"] == pytest.approx(expected["hinge"], rel=1e-9)
    assert (flat["hinge"]["digits_ema_distance"], flat["lsgan"]["ema_score"]) == (4.0, None)


def test_without_averages_there_is_no_such_column(boards):
    headings = [column.heading for column in page_table.columns(boards[0])]
    assert "EMA score" not in headings
    assert not [note for note in notes(boards[0]) if "EMA" in note]


def test_a_workload_without_a_scale_is_named_in_every_format(record, workload):
    other = make_workload("mnist")
    records = [record(workload, "nsgan", seed) for seed in range(2)]
    records += [record(other, "nsgan", seed, metrics={"distance_floor": 0.0}) for seed in range(2)]
    boards = rank(records, {"digits": workload, "mnist": other}, resamples=50)
    (note,) = [each for each in facts(boards[0]) if each.startswith("mnist is in no score")]
    first = min(each.trial_id for each in records[2:] if each.spec.seed == 0)
    for words in ("real data to real data is 0", "2 of 2 results", f"records/{first}.0.json", "To have one: hold out"):
        assert words in note
    for style in ("md", "json", "latex", "html"):
        assert "mnist is in no score" in formats.WRITERS[style](boards, COMMAND), style
    flat = flat_row(boards[0], boards[0].rows[0])
    assert flat["digits_unscored"] is None
    assert flat["score"] == pytest.approx(math.log(80) / math.log(4000), rel=1e-9)
    assert "is 0" in flat["mnist_unscored"]
    assert "Score: mean over digits seeds 0–1;" in " ".join(facts(boards[0]))


def test_with_no_workload_left_the_table_says_so(record, workload):
    made = [record(workload, "nsgan", seed, metrics={"distance_floor": None}) for seed in range(2)]
    (board,) = rank(made, {"digits": workload}, resamples=50)
    assert "No workload is left to score on: nothing is ranked." in facts(board)
    assert finding(board).startswith("No workload has a scale to score on")
    assert "digits" not in " ".join(note for note in facts(board) if note.startswith("Score:"))


def test_an_alias_has_no_row_and_is_named(record, workload, monkeypatch):
    index = (*methods.index(), MethodEntry(name="same-gan", kind="method", summary="", alias_of="nsgan"))
    monkeypatch.setattr(methods, "index", lambda: index)
    (board,) = rank([record(workload, "nsgan", seed) for seed in range(2)], {"digits": workload}, resamples=50)
    assert "same-gan" in flat_row(board, board.rows[0])["aliases"].split()
    assert [fact for fact in facts(board) if "another name" in fact and "same-gan" in fact]


def test_the_terminal_table_marks_ties_failures_and_variants(boards):
    text = terminal(boards[0])
    assert "≈ 1" in text
    assert text.count("≈") == sum(row.among_best for row in boards[0].ranked)
    assert "1/6 (0–64 %)" in text
    assert "variant †" in text
    assert "[bold]" not in text


@pytest.mark.parametrize("width", [80, 100, 140])
def test_the_terminal_tables_fit_and_every_piece_has_the_names(record, toy, width):
    names = ["nsgan", *(f"a-method-with-a-rather-long-name-{number}(gamma=10)" for number in range(3))]
    places = {place.name: place for place in [*(make_workload(f"set-{number}") for number in range(9)), toy]}
    records = [record(place, name, seed) for place in places.values() for name in names for seed in range(6)]
    (board,) = rank(records, places, resamples=50)
    drawn = formats.to_tables(board, width)
    for piece, _ in drawn:
        assert "method" in [column.heading for column in piece.columns]
    text = terminal(board, width=width)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    assert text.count(" nsgan ") >= len(drawn)
    assert "…" not in text
    # Nothing is lost on the way: every column of every part stands in exactly one of its pieces.
    for part in parts(board):
        shown = [each.heading for piece, _ in drawn if piece.title == part.title for each in piece.columns]
        whole = [each.heading for each in part.columns]
        assert [each for each in shown if each != "method"] == [each for each in whole if each != "method"]
        assert [piece.notes for piece, _ in drawn if piece.title == part.title][-1] == part.notes


@pytest.mark.parametrize("width", range(24, 100, 4))
def test_no_width_tears_modes_from_how_far_to_believe_them(record, toy, width):
    stacks = make_stacks()
    places = {each.name: each for each in (toy, stacks)}
    boards = rank([record(place, "nsgan", 0) for place in places.values()], places)
    for board in boards:
        for piece, _ in formats.to_tables(board, width):
            headings = [column.heading for column in piece.columns]
            assert ("modes" in headings) is ("KL" in headings) is ("high quality" in headings or "readable" in headings)
            assert ("coverage" in headings) is ("readable" in headings)


def test_markup_in_a_method_name_is_not_interpreted(record, workload):
    boards = rank([record(workload, "[red]x[/red]", 0)], {"digits": workload})
    assert "[red]x[/red]" in terminal(boards[0])
