"""The table of what is published has every folder, its size, what it took, and the page that says what it found."""

import json
import re
from datetime import datetime

import pytest
import site_published
from doc_pages import ROOT
from site_marks import inside

TABLE = inside(site_published.PAGE.read_text(encoding="utf-8"), site_published.MARK)
ROWS = {
    cells[0]: cells[1:]
    for cells in re.findall(r"^\| \[([\w-]+)\]\(\S+\) \| (.+) \| (.+) \| (.+) \| (.+) \|$", TABLE, re.M)
}


def test_the_table_is_written_again_as_it_is():
    assert site_published.table() == TABLE, "write it again: make docs"


def test_every_folder_has_a_row():
    assert [*ROWS] == sorted(path.name for path in (ROOT / "results" / "published").iterdir() if path.is_dir())


@pytest.mark.parametrize("name", ROWS)
def test_trials_and_hours_are_those_of_the_files(name):
    files = [*(ROOT / "results" / "published" / name / "records").glob("*.json")]
    records = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    spans = [
        datetime.fromisoformat(record["finished_at"]) - datetime.fromisoformat(record["started_at"])
        for record in records
    ]
    _, trials, hours, _ = ROWS[name]
    if not records:
        assert (trials, hours) == ("kernel timings", "–")
        return
    assert trials == str(len({record["trial_id"] for record in records}))
    assert float(hours) == pytest.approx(sum(span.total_seconds() for span in spans) / 3600, abs=0.051)
    assert {record["environment"]["threads"] for record in records if record["environment"]} == {1}


def test_the_pages_are_those_that_have_the_campaigns_answer():
    pages = {name: re.findall(r"\]\(\.\./(\S+)\)", cells[-1]) for name, cells in ROWS.items()}
    assert pages["topic-balance"] == ["docs/explanation/four-topics.md"]
    assert pages["norms"] == ["docs/explanation/loss-or-penalty.md"]
    assert pages["classics"] == pages["kernels"] == []


def test_the_steps_for_results_name_all_that_the_tests_ask_of_a_new_folder():
    steps = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## Results\n")[2].partition("\n## ")[0]
    asked = ("a `README.md` in it", "`pyproject.toml`", "in `README.md` and `README.zh-CN.md`", "`results/README.md`")
    assert [each for each in (*asked, "`make index`", "`make docs`") if each not in steps] == []
    folders = [path for path in (ROOT / "results" / "published").iterdir() if path.is_dir()]
    for folder in folders:
        assert (folder / "README.md").read_text(encoding="utf-8").startswith("# "), "its title, in results/README.md"
