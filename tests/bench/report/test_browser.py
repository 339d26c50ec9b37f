"""The report in a real browser, opened as a file: sorting, details, no error, no sideways scrolling."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.cli.report import write_report
from bench.store.journal import Store

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def chromium() -> Iterator[object]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: make browser")
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        pytest.skip("no Chromium here: install it with apt-get install chromium")
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium, results: Path):
    report = write_report(results, Store(results).records())
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: problems.append(request.url) if request.url.startswith("http") else None)
    page.goto(report.resolve().as_uri())
    yield page
    page.close()
    assert problems == []


def scores(page) -> list[float]:
    column = page.locator("table.sortable thead th").all_inner_texts().index("score")
    cells = page.locator(f"table.sortable tbody tr td:nth-child({column + 1})")
    return [float(cell.get_attribute("data-value")) for cell in cells.all()]


def test_a_click_on_a_heading_sorts_and_a_second_one_turns_it_round(page) -> None:
    before = scores(page)
    assert len(before) > 1
    heading = page.locator("table.sortable thead button", has_text="score")
    heading.click()
    assert scores(page) == sorted(before)
    heading.click()
    assert scores(page) == sorted(before, reverse=True)


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_sticks_out_sideways(page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_links_of_the_page_lead_somewhere(page) -> None:
    targets = page.locator("nav a").evaluate_all("links => links.map(link => link.getAttribute('href'))")
    assert targets
    for target in targets:
        assert page.locator(target).count() == 1


def test_other_seeds_unfold(page) -> None:
    details = page.locator("details").first
    assert details.get_attribute("open") is None
    details.locator("summary").click()
    assert details.get_attribute("open") is not None
