"""The leaderboards of the site and of the README are those of the records."""

import json
import re

import pytest
import site_leaderboards
import site_readme
from click.testing import CliRunner
from doc_pages import ROOT
from site_leaderboards import cells, tables
from site_marks import inside

from bench.cli.main import cli

FOLDERS = sorted(path.parent.name for path in ROOT.glob("results/published/*/leaderboard.json"))


def ranked(folder: str) -> list[dict]:
    """Rank the records of a published folder again."""
    result = CliRunner().invoke(cli, ["leaderboard", "--format", "json", "--results", f"results/published/{folder}"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)["tables"]


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("folder", sorted(path.parent.name for path in ROOT.glob("results/published/*/README.md")))
@pytest.mark.parametrize("language", site_readme.PAGES)
def test_the_readme_leads_to_every_published_folder(language, folder):
    assert f"results/published/{folder}/README.md)" in site_readme.PAGES[language].read_text(encoding="utf-8")


@pytest.mark.parametrize("language", site_readme.PAGES)
def test_the_table_of_the_readme_is_what_the_records_say(language):
    folder, chosen = site_readme.chosen()
    (again,) = [table for table in ranked(folder) if table["title"] == chosen["title"]]
    shown = inside(site_readme.PAGES[language].read_text(encoding="utf-8"), site_readme.BEGIN)
    assert shown == site_readme.text(language), "write it again: make docs"
    rows = re.findall(r"^\| `(.+)` \| (.+) \| (.+) \| (.+) \| (.+) \|$", shown, re.MULTILINE)
    assert len(rows) == 5
    for (method, score, interval, rank, failed), row in zip(rows, again["rows"], strict=False):
        assert method == row["method"]
        assert [rank, score, interval.replace(" 至 ", " to "), failed] == cells(row)
    whole = {(1, len(again["rows"]))}
    unsettled = {(row["rank_low"], row["rank_high"]) for row in again["rows"]} == whole
    assert ("do not choose a loss" in shown or "不要根据这张表选择损失函数" in shown) == (
        min(row["seeds"] for row in again["rows"]) < 5 or unsettled
    )


def test_a_newer_protocol_comes_before_more_seeds_and_more_seeds_before_more_records():
    _, table = site_readme.chosen()
    others = [other for folder in FOLDERS for other in tables(folder)]
    newest = max(other["protocol_version"] for other in others)
    assert table["protocol_version"] == newest
    seeds = max(min(row["seeds"] for row in other["rows"]) for other in others if other["protocol_version"] == newest)
    assert min(row["seeds"] for row in table["rows"]) == seeds


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({}, ["1–3", "0.500", "0.40 to 0.60", "1/10"]),
        ({"among_best": True}, ["≈ 1–3", "0.500", "0.40 to 0.60", "1/10"]),
        ({"rank_low": None, "rank_high": None}, ["–", "0.500", "0.40 to 0.60", "1/10"]),
        ({"score": None, "score_low": None, "score_high": None}, ["1–3", "–", "–", "1/10"]),
    ],
)
def test_what_a_row_shows(change, shown):
    row = {"rank_low": 1, "rank_high": 3, "among_best": None, "score": 0.5, "score_low": 0.4, "score_high": 0.6}
    assert cells({**row, "failures": 1, "runs": 10, **change}) == shown


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_page_of_a_published_folder_has_its_tables_row_by_row(folder):
    page = site_leaderboards.pages()[f"leaderboards/{folder}.md"]
    written = (ROOT / "results" / "published" / folder / "leaderboard.md").read_text(encoding="utf-8")
    assert [line for line in written.splitlines() if line.startswith("|")] == [
        line for line in page.splitlines() if line.startswith("|")
    ]


def test_the_page_of_all_has_every_row_of_every_table():
    page = site_leaderboards.pages()["leaderboards/index.md"]
    rows = re.findall(r"^\| `([^`]+)` \| (\S+) .*\[([\w-]+)\]", page, re.MULTILINE)
    records = [
        (row["method"], cells(row)[1], folder)
        for folder in FOLDERS
        for table in ranked(folder)
        for row in table["rows"]
    ]
    assert sorted(rows) == sorted(records)


def test_tables_of_an_earlier_protocol_and_of_fewer_seeds_come_later():
    page = site_leaderboards.pages()["leaderboards/index.md"]
    order = [*dict.fromkeys(re.findall(r"^\| `.* \[([\w-]+)\]", page, re.MULTILINE))]
    assert order[0] == site_readme.chosen()[0]
    assert order[-1] == "classics", "it is of protocol 1.0"
    assert order.index("topic-correlation") < order.index("topic-diversity") < order.index("network")


def test_a_folder_of_kernel_timings_has_a_page_too():
    made = site_leaderboards.pages()
    assert "| wgan-gp |" in made["leaderboards/kernels.md"]
    assert "[kernels](kernels.md)" in made["leaderboards/index.md"]
