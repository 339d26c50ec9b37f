"""What the page of the four topics says was found is what the published records say."""

import json
import re
import statistics

import pytest
from site_answers import MEASURES, PICTURES, answer, figure, is_published, spellings
from site_links import PUBLISHED, ROOT
from site_marks import END, inside
from site_topics import FOUND, MARK, PAGES, SUITES

from bench.report.formatting import distance, p_value
from bench.store.journal import Store

TEXTS = {language: page.read_text(encoding="utf-8") for language, page in PAGES.items()}
HERE = [name for name in SUITES if is_published(name)]


def section(name, language):
    """Return what the page says of a topic after its tables, up to how to see it in a run."""
    after = TEXTS[language].partition(MARK.format(FOUND.format(name)))[2].partition(END)[2]
    prose = re.split(r"^- \*\*|^## ", after, maxsplit=1, flags=re.MULTILINE)[0]
    return " ".join(prose.split())  # a number may stand on the next line


def results(name):
    """Return the published results of a topic, by expression."""
    found = {}
    for record in Store(ROOT / PUBLISHED / name).latest().values():
        if record.status not in {"error", "timeout"}:
            found.setdefault(record.spec.method, []).append(record)
    return found


def test_every_topic_has_a_place_for_its_answer():
    assert set(MEASURES) == set(SUITES)
    for text in TEXTS.values():
        assert [name for name in SUITES if MARK.format(FOUND.format(name)) in text] == list(SUITES)


@pytest.mark.parametrize("language", PAGES)
@pytest.mark.parametrize("name", SUITES)
def test_a_topic_has_findings_and_a_figure_where_it_is_published_and_says_so_where_it_is_not(name, language):
    table = inside(TEXTS[language], MARK.format(FOUND.format(name)))
    assert (table == answer("no-such-suite", language)) == (name not in HERE)
    assert (f"pictures/{name}.svg" in section(name, language)) == (name in HERE)
    assert (PICTURES / f"{name}.svg").is_file() == (name in HERE)
    assert bool(re.search(r"\d\.\d{3} \(", section(name, language))) == (name in HERE), "findings quote scores"


@pytest.mark.parametrize("name", HERE)
def test_the_medians_are_those_of_the_records(name):
    _, measures = answer(name, "en").split("\n\n")
    heads, _, *rows = [line.strip("| ").split(" | ") for line in measures.splitlines()]
    board = json.loads((ROOT / PUBLISHED / name / "leaderboard.json").read_text(encoding="utf-8"))["tables"][0]
    expressions = {spellings(name)[row["expression"]]: row["expression"] for row in board["rows"]}
    assert heads[1:] == [f"`{measure.partition('.')[2]}`" for measure in MEASURES[name]]
    assert len(rows) == len(expressions)
    for method, *texts in rows:
        own = results(name)[expressions[method.strip("`")]]
        for measure, text in zip(MEASURES[name], texts, strict=True):
            part, _, key = measure.partition(".")
            values = [getattr(record, part).get(key) for record in own]
            values = [value for value in values if value is not None]
            assert text == (distance(statistics.median(values)) if values else "–"), (method, measure)


@pytest.mark.parametrize("language", PAGES)
@pytest.mark.parametrize("name", HERE)
def test_every_score_that_a_finding_quotes_is_the_methods(name, language):
    board = json.loads((ROOT / PUBLISHED / name / "leaderboard.json").read_text(encoding="utf-8"))["tables"][0]
    expected = {
        spellings(name)[row["expression"]]: (
            f"{row['score']:.3f}",
            f"{row['score_low']:.2f}",
            f"{row['score_high']:.2f}",
        )
        for row in board["rows"]
        if row["score"] is not None and row["score_low"] is not None
    }
    quoted = re.findall(r"`([^`]+)`[^`\d]*(\d\.\d{3})\s\((\d\.\d\d)\s(?:to|至)\s(\d\.\d\d)\)", section(name, language))
    assert len(quoted) == len(re.findall(r"\d\.\d{3}\s\(", section(name, language)))
    assert {method: tuple(numbers) for method, *numbers in quoted}.items() <= expected.items()


@pytest.mark.parametrize("language", PAGES)
@pytest.mark.parametrize("name", HERE)
def test_every_number_with_a_decimal_that_a_finding_quotes_stands_in_the_table(name, language):
    table = set(re.findall(r"\d[\d,.e−-]*\d|\d", answer(name, language)))
    board = json.loads((ROOT / PUBLISHED / name / "leaderboard.json").read_text(encoding="utf-8"))["tables"][0]
    table.add(p_value(board["tests"]["overall"]["least_p_adjusted"]))
    text = re.sub(r"`[^`]*`|\]\([^)]*\)|(?:protocol|协议) \d\.\d", " ", section(name, language))
    assert set(re.findall(r"\d+\.\d+", text)) - table == set()


@pytest.mark.parametrize("name", HERE)
def test_the_figure_is_of_these_records(name):
    """The words and the number of dots are compared, not the bytes: another matplotlib may place them otherwise."""
    stored, drawn = (PICTURES / f"{name}.svg").read_text(encoding="utf-8"), figure(name)
    words = [re.findall(r">([^<>\n]+)</text>", text) for text in (stored, drawn)]
    assert words[0] == words[1], "draw it again: make docs"
    assert stored.count("<use ") == drawn.count("<use ")
    assert len(words[0]) > len(results(name))
