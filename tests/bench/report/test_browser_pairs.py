"""Pairs and addresses of the page in a real browser, where they are odd: lost runs, near ties, broken links."""

import re
from pathlib import Path

import pytest
from browser_pages import opened

from bench.cli.report import write_report

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def report(record, workload, tmp_path_factory) -> Path:
    """Two tables: nsgan and lsgan at batch 16, and mmgan ahead of nsgan at batch 64."""
    small = {"batch_size": 16}
    records = [
        *(record(workload, "nsgan", seed, distance=50.0, **small) for seed in (0, 1)),
        record(workload, "lsgan", 0, distance=50.004, **small),
        record(workload, "lsgan", 1, distance=None, status="timeout", **small),
        record(workload, "nsgan", 2, distance=12345.0, status="diverged", **small),
        record(workload, "lsgan", 2, distance=12345.0, status="diverged", **small),
        record(workload, "mmgan", 0, distance=20.0),
        record(workload, "nsgan", 0, distance=60.0),
    ]
    return write_report(tmp_path_factory.mktemp("results"), records, static=True)


@pytest.fixture
def at(chromium, report):
    """Open the page at an address; no script may fail."""
    tabs, problems = [], []

    def visit(address: str):
        tabs.append(opened(chromium, report, problems, address))
        return tabs[-1]

    yield visit
    for tab in tabs:
        tab.context.close()
    assert problems == []


def cells(page) -> list[list[str]]:
    rows = page.locator("#compare tbody tr").all()
    return [[row.locator("th").inner_text(), *row.locator("td").all_inner_texts()] for row in rows]


def test_a_pair_says_which_run_was_lost_and_what_the_table_says(at) -> None:
    page = at("?in=table0&one=method-nsgan&other=method-lsgan")
    assert cells(page) == [
        ["0", "50.0", "50.0", "0.612", "0.612", "+0.000"],
        ["1", "50.0", "– (timeout)", "0.612", "–", "–"],
        ["2", "12,345 (diverged)", "12,345 (diverged)", "0.000", "0.000", "+0.000"],
    ]
    said = page.locator("#compare .pairs p").inner_text()
    assert said == "nsgan has the higher score at 1 of 2 seeds, and the same at 1; the mean difference is +0.000."
    page.locator("#compare select[name=one]").select_option(label="lsgan")
    page.locator("#compare select[name=other]").select_option(label="nsgan")
    assert page.locator("#compare .pairs p").inner_text().endswith("the mean difference is +0.000.")
    assert cells(page)[0][-1] == "+0.000", "it rounds to no difference, from whichever side"


@pytest.mark.parametrize(
    "address", ["?in=table1&one=method-nsgan", "?in=table1&one=method-nsgan&other=method-gone", "?in=table1&one=gone"]
)
def test_no_address_compares_a_method_with_itself(at, address) -> None:
    page = at(address)
    chosen = [page.locator(f"#compare select[name={name}]").input_value() for name in ("one", "other")]
    assert sorted(chosen) == ["method-mmgan", "method-nsgan"]
    assert (chosen[0] == "method-nsgan") == ("nsgan" in address)


def test_another_table_leaves_two_different_methods(at) -> None:
    page = at("?in=table0&one=method-nsgan&other=method-lsgan")
    page.locator("#compare select[name=in]").select_option("table1")
    assert "nsgan and mmgan, seed by seed" in page.locator("#compare .pairs h3").inner_text()


def test_a_broken_fragment_leaves_the_page_whole(at) -> None:
    page = at("#50%")
    assert page.locator("#compare tbody tr").count() == 3
    assert page.get_by_role("button", name=re.compile("as CSV$")).count() > 0


def test_a_fragment_of_something_hidden_leaves_the_filters_alone(at) -> None:
    page = at("#tip")
    page.get_by_label("Search").fill("mmgan")
    page.wait_for_timeout(150)
    assert page.get_by_label("Search").input_value() == "mmgan"
    page.evaluate("location.hash = '#method-nsgan'")
    page.wait_for_function("() => document.activeElement.id === 'method-nsgan'")
    assert page.get_by_label("Search").input_value() == ""


def test_a_choice_that_the_page_does_not_have_is_all(at) -> None:
    page = at("?table=table9&search=%3Cnsgan%20%26")
    assert page.get_by_label("Search").input_value() == "<nsgan &"
    assert page.locator(".filters select[name=table] option:checked").all_inner_texts() == ["all"]
    page.reload()
    assert page.get_by_label("Search").input_value() == "<nsgan &"
    assert page.evaluate("location.search") == "?search=%3Cnsgan+%26"
