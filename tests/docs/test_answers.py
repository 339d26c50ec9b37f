"""What the pages of the campaigns say was found is what the published records say."""

import json
import re
import statistics
from pathlib import Path

import pytest
import site_answers
import site_samples
from PIL import Image
from site_answers import MEASURES, PICTURES, answer, figure, is_published, published_campaigns, spellings
from site_campaigns import FOUND, MARK, PAGES, CampaignPage
from site_links import PUBLISHED, ROOT
from site_marks import END, inside

from bench.probes.reproductions import TRAINED_CLAIMS
from bench.report.formatting import distance, p_value
from bench.store.journal import Store

ANSWERS = [pytest.param(page, name, id=f"{page.name}-{name}") for page in PAGES for name in page.campaigns]
PUBLISHED_ANSWERS = [case for case in ANSWERS if is_published(case.values[1])]
HERE = published_campaigns()


def section(name: str, page: CampaignPage) -> str:
    """Return what a page says of a campaign after its tables, up to how to see it in a run."""
    after = text_of(page).partition(MARK.format(FOUND.format(name)))[2].partition(END)[2]
    prose = re.split(r"^- \*\*|^## ", after, maxsplit=1, flags=re.MULTILINE)[0]
    return " ".join(prose.split())  # a number may stand on the next line


def text_of(page: CampaignPage) -> str:
    return page.path.read_text(encoding="utf-8")


def results(name):
    """Return the published results of a topic, by expression."""
    found = {}
    for record in Store(ROOT / PUBLISHED / name).latest().values():
        if record.status not in {"error", "timeout"}:
            found.setdefault(record.spec.method, []).append(record)
    return found


def test_every_campaign_has_a_place_for_its_answer():
    assert {name for page in PAGES for name in page.campaigns} == set(MEASURES)
    for page in PAGES:
        there = [name for name in page.campaigns if MARK.format(FOUND.format(name)) in text_of(page)]
        assert there == list(page.campaigns)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_tables_are_those_of_the_suites_and_of_the_records(page):
    stored = {mark: inside(text_of(page), mark) for mark in page.tables()}
    assert stored == page.tables(), "write them again: make docs"


@pytest.mark.parametrize(("page", "name"), ANSWERS)
def test_a_campaign_has_findings_and_a_figure_where_it_is_published_and_says_so_where_it_is_not(page, name):
    table = inside(text_of(page), MARK.format(FOUND.format(name)))
    said = section(name, page)
    assert (table == answer("no-such-suite", page.language)) == (name not in HERE)
    assert (f"pictures/{name}.svg" in said) == (name in HERE)
    assert (PICTURES / f"{name}.svg").is_file() == (name in HERE)
    assert bool(re.search(r"\d\.\d{3} \(", said)) == (name in HERE), "findings quote scores"


def value_of(record, measure):
    part, _, key = measure.partition(".")
    if part != "training":
        return getattr(record, part).get(key)
    whole = record.history.training
    late = [value for step, value in zip(whole["step"], whole[key], strict=True) if step > record.spec.steps / 2]
    return statistics.median(late) if late else None


def real_value(name, measure):
    """Return what the runs say of real images; they all say the same."""
    base = measure.partition(".")[2].removeprefix("ema_")
    values = {
        record.metrics[key]
        for own in results(name).values()
        for record in own
        for key in (f"{base}_ceiling", f"{base}_floor")
        if measure.startswith("metrics.") and key in record.metrics
    }
    assert len(values) <= 1
    return next(iter(values), None)


def test_few_seeds_have_no_verdict_but_a_count_of_wins():
    row = {"verdict": None, "least_p_adjusted": None, "digits_wins": 2, "seeds": 3}
    assert site_answers._verdict(row, "digits", site_answers._WORDS["en"]) == "better at 2 of 3"
    assert site_answers._verdict(row, "digits", site_answers._WORDS["zh"]) == "3 个中有 2 个更好"
    assert site_answers._verdict(row | {"digits_wins": None}, "digits", site_answers._WORDS["en"]) == "–"
    ranked = row | {"verdict": "better", "least_p_adjusted": 0.004}
    assert site_answers._verdict(ranked, "digits", site_answers._WORDS["en"]) == "better"


@pytest.mark.parametrize("name", HERE)
def test_the_medians_are_those_of_the_records(name):
    _, measures = answer(name, "en").split("\n\n")
    heads, _, *rows = [line.strip("| ").split(" | ") for line in measures.splitlines()]
    board = json.loads((ROOT / PUBLISHED / name / "leaderboard.json").read_text(encoding="utf-8"))["tables"][0]
    real = rows.pop(0) if rows[0][0] == "real images" else []
    expected = [real_value(name, measure) for measure in MEASURES[name]]
    assert real[1:] == ([distance(value) if value else "–" for value in expected] if any(expected) else [])
    expressions = {spellings(name)[row["expression"]]: row["expression"] for row in board["rows"]}
    assert heads[1:] == [f"`{measure.partition('.')[2]}`" for measure in MEASURES[name]]
    assert len(rows) == len(expressions)
    for method, *texts in rows:
        own = results(name)[expressions[method.strip("`")]]
        for measure, text in zip(MEASURES[name], texts, strict=True):
            values = [value for record in own if (value := value_of(record, measure)) is not None]
            assert text == (distance(statistics.median(values)) if values else "–"), (method, measure)


@pytest.mark.parametrize(("page", "name"), PUBLISHED_ANSWERS)
def test_every_score_that_a_finding_quotes_is_the_methods(page, name):
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
    quoted = re.findall(r"`([^`]+)`[^`\d]*(\d\.\d{3})\s\((\d\.\d\d)\s(?:to|至)\s(\d\.\d\d)\)", section(name, page))
    assert len(quoted) == len(re.findall(r"\d\.\d{3}\s\(", section(name, page)))
    assert {method: tuple(numbers) for method, *numbers in quoted}.items() <= expected.items()


@pytest.mark.parametrize(("page", "name"), PUBLISHED_ANSWERS)
def test_every_number_with_a_decimal_that_a_finding_quotes_stands_in_the_table(page, name):
    """Or in a row of the claims that this campaign tests."""
    table = set(re.findall(r"\d[\d,.e−-]*\d|\d", answer(name, page.language)))
    board = json.loads((ROOT / PUBLISHED / name / "leaderboard.json").read_text(encoding="utf-8"))["tables"][0]
    if board["tests"]:  # too few seeds have none
        table.add(p_value(board["tests"]["overall"]["least_p_adjusted"]))
    table |= {
        number for claim in TRAINED_CLAIMS if claim.campaign == name for number in re.findall(r"\d+\.\d+", claim.line())
    }
    text = re.sub(r"`[^`]*`|\]\([^)]*\)|(?:protocol|协议) \d\.\d", " ", section(name, page))
    assert set(re.findall(r"\d+\.\d+", text)) - table == set()


@pytest.mark.parametrize(("page", "name"), PUBLISHED_ANSWERS)
def test_the_samples_are_the_first_row_of_each_methods_grid_of_the_seed_that_is_named(page, name):
    rows = re.findall(r"^\| `([^`]+)` \| !\[[^]]+\]\((\S+)\) \|$", text_of(page), re.MULTILINE)
    trials = site_samples.grids(name)
    spelled = {spellings(name)[expression]: trial for expression, trial in trials.items()}
    shown = {method: target for method, target in rows if Path(target).stem in spelled.values()}
    assert {method: Path(target).stem for method, target in shown.items()} == spelled
    assert not trials or trials.keys() == results(name).keys(), "all methods or none"
    seeds = {record.trial_id: record.spec.seed for own in results(name).values() for record in own}
    assert {seeds[trial] for trial in trials.values()} == ({site_samples.seed(name)} if trials else set())
    table = inside(text_of(page), MARK.format(FOUND.format(name)))
    assert bool(re.search(rf"(samples of seed|随机种子) {site_samples.seed(name)}\b", table)) is bool(trials)
    for method, trial in spelled.items():
        file = page.path.parent / shown[method]
        with Image.open(file) as picture, Image.open(grid_of(name, trial)) as grid:
            width, height = picture.size
            assert (
                picture.resize((width * 2, height * 2), Image.Resampling.NEAREST).tobytes()
                == grid.crop((0, 0, width * 2, height * 2)).tobytes()
            )
            assert width == grid.width // 2
            assert height == pytest.approx(grid.height / 16, abs=2)


def grid_of(name: str, trial: str) -> Path:
    return ROOT / PUBLISHED / name / "artifacts" / trial / "samples.png"


@pytest.mark.parametrize("name", HERE)
def test_the_figure_is_of_these_records(name):
    """The words and the number of dots are compared, not the bytes: another matplotlib may place them otherwise."""
    stored, drawn = (PICTURES / f"{name}.svg").read_text(encoding="utf-8"), figure(name)
    words = [re.findall(r">([^<>\n]+)</text>", text) for text in (stored, drawn)]
    assert words[0] == words[1], "draw it again: make docs"
    assert stored.count("<use ") == drawn.count("<use ")
    assert len(words[0]) > len(results(name))
