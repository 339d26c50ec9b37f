"""What the page on choosing a loss says that `recommend` answers is what it answers, with the published scores."""

import re

import pytest
import site_choices
from site_leaderboards import tables
from site_marks import inside

TABLES = {
    language: inside(page.read_text(encoding="utf-8"), site_choices.MARK)
    for language, page in site_choices.PAGES.items()
}


@pytest.mark.parametrize("language", TABLES)
def test_the_table_is_what_recommend_says(language):
    assert site_choices.table(language) == TABLES[language], "write it again: make docs"


@pytest.mark.parametrize("question", site_choices.QUESTIONS, ids=" ".join)
def test_every_score_is_that_of_a_published_table(question):
    """And the methods are in the order of their scores: no table ranks a campaign joined with others."""
    said = site_choices.answer(question)
    published = {
        (row["expression"], f"{row['score']:.3f}")
        for campaign in said["campaigns"]
        for table in tables(campaign)
        for row in table["rows"]
        if row["score"] is not None
    }
    assert {(method["expression"], f"{method['score']:.3f}") for method in said["first"]} <= published
    scores = [method["score"] for method in said["first"]]
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)


def test_a_question_stands_above_its_three_methods():
    rows = [line.split(" | ")[0].strip("| ") for line in TABLES["en"].splitlines()[2:]]
    asked = [re.match(r"`recommend (.*)`, by \d+ methods, [\d,]+ updates, \d+ seeds:$", row) for row in rows]
    assert [place for place, found in enumerate(asked) if found] == [0, 4, 8]
    assert [found[1] for found in asked if found] == [" ".join(question) for question in site_choices.QUESTIONS]


def test_a_question_that_fails_is_told():
    with pytest.raises(RuntimeError, match=r"recommend --workload rinng8: .*ring8"):
        site_choices.answer(("--workload", "rinng8"))
