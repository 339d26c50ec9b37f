"""The leaderboard's formats say the same, escape what people may have written, and give the same bytes again."""

import csv
import html.parser
import io
import json
import math
import re

import pytest
from planted_records import make_workload

from bench.report import formats
from bench.report.column import Column
from bench.report.flat import flat_row
from bench.report.leaderboard import lines, parts, title
from bench.report.notes import facts
from bench.statistics.ranking import rank

COMMAND = "python -m bench leaderboard --format md"


@pytest.fixture
def hostile(record, workload):
    names = ("<script>alert(1)</script>", 'a & b_c % $ # {d} ~ ^ \\e | "f" [g]', "nsgan")
    records = [record(workload, name, seed, distance=50.0 + seed) for name in names for seed in range(2)]
    return rank(records, {"digits": workload}, resamples=50)


def as_text(value):
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


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


def test_each_cell_of_the_page_has_what_it_is_sorted_by(boards):
    """The number behind "< 0.001" is below 0.001, and that of a verdict is its place among the verdicts."""
    page = formats.to_html(boards, COMMAND)
    found = [re.findall(r'data-value="([^"]*)"', row) for row in re.findall(r"<tr(?! class).*?</tr>", page)]
    expected = [
        [column.sort_key(row) for column in part.columns]
        for board in boards
        for part in parts(board)
        for row in board.rows
    ]
    assert [[html.unescape(key) for key in keys] for keys in found if keys] == expected
    numbers = {key for keys in expected for key in keys if re.fullmatch(r"[-+.e\d]+", key)}
    assert len(numbers) > 20
    assert all(float(f"{float(number):.10g}") == float(number) for number in numbers), "the same on all machines"


def test_a_column_is_sorted_by_its_number_and_a_column_of_words_by_them(boards):
    (row, *_) = boards[0].rows

    def key(value, **attributes):
        return Column(heading="x", fields={"x": lambda _: value}, text=lambda _: "words", **attributes).sort_key(row)

    assert (key(0.00012345678912345), key(7), key(None), key("worse")) == ("0.0001234567891", "7", "", "3.0")
    assert (key(0.5, kind="words"), key("anything", kind="method")) == ("words", "words")
