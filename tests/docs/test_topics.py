"""The page of the four topics says what the suites, the formulas and the monitors are."""

import json
import math
import re
import tomllib

import pytest
from doc_pages import ROOT, blocks, commands
from site_campaigns import CONFIDENCE, MARK, PAGES, SLOPES, TOPICS, signal
from site_marks import END, inside, write

import losses
from bench.config.suite import shipped_suites
from bench.metrics.registry import index_path
from bench.report.formatting import STABILITY_WORDS
from bench.training.monitors import MONITORS
from losses import registry

FOUR_TOPICS = {page.language: page for page in PAGES if page.suites == TOPICS}
TEXTS = {language: page.path.read_text(encoding="utf-8") for language, page in FOUR_TOPICS.items()}


@pytest.mark.parametrize("language", FOUR_TOPICS)
@pytest.mark.parametrize("name", TOPICS)
def test_a_table_has_what_the_file_of_its_suite_has(language, name):
    suite = tomllib.loads((ROOT / "bench" / "config" / "suites" / f"{name}.toml").read_text(encoding="utf-8"))
    head, _, *body = inside(TEXTS[language], MARK.format(name)).splitlines()
    rows = [line.strip("| ").split(" | ")[1] for line in (head, *body)]
    assert re.findall(r"`([^`]+)`", rows[0]) == [name]
    assert re.findall(r"`([^`]+)`", rows[1]) == suite["methods"]
    assert re.findall(r"`([^`]+)`", rows[2]) == suite["workloads"]
    assert re.findall(r"\d+", rows[3].replace(",", "")) == [str(suite["steps"]), str(suite["evaluate_every"])]
    assert rows[4:] == [str(suite["seeds"]), str(len(suite["methods"]) * suite["seeds"])]


def test_every_suite_with_a_question_is_a_topic_and_has_its_command():
    assert set(TOPICS) == {suite.name for suite in shipped_suites() if suite.name.startswith("topic-")}
    run = [words[words.index("--suite") + 1] for words in commands(FOUR_TOPICS["en"].path) if "--suite" in words]
    assert set(run) == set(TOPICS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_formulas_are_those_of_the_parts(page):
    lines = [line.split(None, 1) for block in blocks(page.path, "text") for line in block.splitlines()]
    assert lines
    assert {name: formula for name, formula in lines if formula not in formula_of(name)} == {}


def formula_of(name: str) -> str:
    assert registry.part(name)
    return " ".join(losses.describe(name, registry.part(name).kind).formula.split())


def test_every_name_on_the_page_is_one_that_a_record_or_the_library_has():
    text = re.sub(r"```.*?```", "", TEXTS["en"], flags=re.DOTALL)
    names = set(re.findall(r"`([a-z]\w*_\w+)`", text))
    metrics = {each["name"] for each in json.loads(index_path().read_text(encoding="utf-8"))}
    measures = {name for group in STABILITY_WORDS.values() for name in group}
    assert names & measures
    assert names & set(MONITORS)
    assert names - metrics - measures - set(MONITORS) - set(registry.parts()) == set()


@pytest.mark.parametrize("at", CONFIDENCE)
def test_the_signal_of_the_original_game_is_d_and_that_of_the_other_one_less_d(at):
    fooled = 1 / (1 + math.exp(at))
    assert signal(registry.part("bce_mm")(), at) == pytest.approx(fooled, rel=1e-5)
    assert signal(registry.part("bce_ns")(), at) == pytest.approx(1 - fooled, rel=1e-5)


def test_the_table_of_slopes_shows_which_objectives_keep_their_signal():
    rows = re.findall(r"^\| `(\w+)` \|.* (\S+) \|$", inside(TEXTS["en"], MARK.format(SLOPES)), re.MULTILINE)
    kept = {name for name, last in rows if float(last) >= 0.5}
    assert kept == {"bce_ns", "lsgan", "hinge", "rp_bce", "wasserstein"}
    assert {name for name, _ in rows} - kept == {"bce_mm", "bce_ns_eps", "fgan_tv", "hinge_mm"}


def test_a_table_is_written_between_its_marks_and_nowhere_else(tmp_path):
    page = tmp_path / "a.md"
    page.write_text(f"a\n\n<!-- x -->\nold\n{END}\n\nb\n\n<!-- y -->\nkept\n{END}\n", encoding="utf-8")
    write(page, "<!-- x -->", "new")
    text = page.read_text(encoding="utf-8")
    assert (inside(text, "<!-- x -->"), inside(text, "<!-- y -->")) == ("new", "kept")
    assert text.startswith("a\n\n<!-- x -->")
    with pytest.raises(ValueError, match="no table between <!-- z -->"):
        write(page, "<!-- z -->", "new")
    assert page.read_text(encoding="utf-8") == text
