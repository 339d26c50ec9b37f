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


def records_in(folder):
    return [json.loads(file.read_text(encoding="utf-8")) for file in (ROOT / "results" / folder / "records").glob("*")]


def hours_of(records):
    spans = [
        datetime.fromisoformat(record["finished_at"]) - datetime.fromisoformat(record["started_at"])
        for record in records
    ]
    return sum(span.total_seconds() for span in spans) / 3600


@pytest.mark.parametrize("name", ROWS)
def test_trials_and_hours_are_those_of_the_files(name):
    records = records_in(f"published/{name}")
    _, trials, hours, _ = ROWS[name]
    if not records:
        assert (trials, hours) == ("kernel timings", "–")
        return
    assert trials == str(len({record["trial_id"] for record in records}))
    assert float(hours) == pytest.approx(hours_of(records), abs=0.051)
    assert {record["environment"]["threads"] for record in records if record["environment"]} == {1}


def hours_to_train(missing, folder):
    """What so many more trials take if they are like those of a folder."""
    records = records_in(folder)
    return missing * hours_of(records) / len(records)


def test_what_is_planned_takes_about_what_its_trials_have_taken():
    """Trials that are missing times the mean of those that are there, to within an eighth."""
    page = site_published.PAGE.read_text(encoding="utf-8")
    told = {row: int(hours) for row, hours in re.findall(r"^\| (.+?) \| .* \| (\d+) core-hours \|$", page, re.M)}
    library = 445 - 60 - len(records_in("unfinished/library"))
    diversity = 50 - len(records_in("unfinished/topic-diversity"))
    expected = {
        "`library`": hours_to_train(library, "unfinished/library"),
        "`topic-diversity` and `r3gan-ablation` with ten seeds": hours_to_train(diversity, "published/topic-diversity")
        + hours_to_train(25, "published/r3gan-ablation"),
        "`mnist` with five seeds": hours_to_train(20, "published/mnist"),
    }
    assert {row: told[row] for row in expected} == pytest.approx(expected, rel=1 / 8)


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
