"""The report in a real browser, opened as a file: sorting, filters, figures, methods, no error, no request."""

import re
from pathlib import Path

import msgspec
import pytest
from browser_pages import opened

from bench.cli.report import write_report
from bench.store.journal import Store

pytestmark = pytest.mark.browser


def shown(page, selector: str = "table.sortable tbody tr") -> list[str]:
    """Return which methods' rows are to be seen, in their order."""
    return [row.get_attribute("data-method") for row in page.locator(selector).all() if row.is_visible()]


def scores(page) -> list[float]:
    column = page.locator("table.sortable thead th").all_inner_texts().index("score")
    cells = page.locator(f"table.sortable tbody tr td:nth-child({column + 1})")
    return [float(cell.get_attribute("data-value")) for cell in cells.all()]


def test_a_click_on_a_heading_sorts_and_a_second_one_turns_it_round(page) -> None:
    before = scores(page)
    assert len(before) > 1
    heading = page.locator("table.sortable thead button", has_text=re.compile("^score$"))
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


def test_other_seeds_unfold_in_the_methods_section_beside_the_first(page) -> None:
    details = page.locator("article details").first
    assert details.locator("img").first.is_visible() is False
    details.locator("summary").click()
    details.locator("img").nth(1).wait_for(state="visible")
    assert details.locator("img").count() == 2
    assert details.locator("a.copied").count() == 0
    details.locator("img").first.click()
    assert page.locator("dialog.enlarged").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("dialog.enlarged").is_visible()


def test_the_filters_leave_what_fits(page) -> None:
    everything = shown(page)
    assert len(everything) == 4
    page.get_by_label("Search").fill("GAN mmg")
    assert shown(page) == ["method-mmgan"] == shown(page, "article[data-method]")
    assert page.locator(".filters output").inner_text() == "1 of 4 methods"
    page.get_by_label("Search").fill("nothing like it")
    assert shown(page) == []
    assert page.get_by_text("No method fits the filters.").is_visible()
    page.get_by_role("button", name="Show all").click()
    page.wait_for_function("document.querySelector('.filters output').textContent === '4 of 4 methods'")
    assert shown(page) == everything
    family = page.get_by_label("Family").locator("option").nth(1).inner_text()
    page.get_by_label("Family").select_option(family)
    kept = shown(page)
    assert 0 < len(kept) < 4
    assert {page.locator(f"article#{each}").get_attribute("data-family") for each in kept} == {family}


def test_a_row_leads_to_its_methods_section_by_keyboard_alone(page) -> None:
    page.locator("body").press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.locator("td.method a", has_text="mmgan").focus()
    page.keyboard.press("Enter")
    page.wait_for_function("document.activeElement.id === 'method-mmgan'")
    assert page.locator("#method-mmgan pre").first.is_visible() or page.locator("#method-mmgan table").is_visible()


def test_sorting_by_keyboard_says_its_direction(page) -> None:
    heading = page.locator("table.sortable thead th", has_text=re.compile("^score$"))
    heading.locator("button:not(.why)").focus()
    page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "ascending"
    page.keyboard.press("Space")
    assert heading.get_attribute("aria-sort") == "descending"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"


def test_the_figures_become_interactive_when_they_come_into_view(page) -> None:
    figures = page.locator("figure.chart")
    assert figures.count() == 6
    for figure in figures.all():
        figure.scroll_into_view_if_needed()
        figure.locator(".js-plotly-plot .main-svg").first.wait_for(state="visible")
        assert not figure.locator(".fallback").is_visible()
        assert figure.locator(".plot").get_attribute("aria-label")


def test_a_method_is_colored_in_every_figure_by_its_square(page) -> None:
    figure = page.locator("#table0-curves0")
    figure.scroll_into_view_if_needed()
    figure.locator(".js-plotly-plot").wait_for()
    square = page.get_by_role("button", name="Color mmgan in the figures")
    assert square.get_attribute("aria-pressed") == "true"
    names = "document.querySelector('#table0-curves0 .plot').layout.annotations.map((each) => each.text)"
    assert "mmgan" in page.evaluate(names)
    square.focus()
    page.keyboard.press("Enter")
    assert square.get_attribute("aria-pressed") == "false"
    assert "mmgan" not in page.evaluate(names)


def test_the_figures_follow_the_filters(page) -> None:
    figure = page.locator("#table0-ranks")
    figure.scroll_into_view_if_needed()
    figure.locator(".js-plotly-plot").wait_for()
    traces = "document.querySelector('#table0-ranks .plot').data.length"
    before = page.evaluate(traces)
    page.get_by_label("Search").fill("wgan-gp")
    assert page.evaluate(traces) == 1 < before


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_themes_can_be_read(chromium, report: Path, scheme: str) -> None:
    problems: list[str] = []
    page = opened(chromium, report, problems, color_scheme=scheme)
    lightness = """(name) => {
        const parts = getComputedStyle(document.body)[name].match(/[0-9.]+/g).slice(0, 3).map(Number);
        return (parts[0] + parts[1] + parts[2]) / 765;
    }"""
    paper, ink = (page.evaluate(lightness, name) for name in ("backgroundColor", "color"))
    assert abs(paper - ink) > 0.6
    assert (paper < ink) == (scheme == "dark")
    page.context.close()
    assert problems == []


def test_without_scripts_the_page_shows_its_figures(chromium, report: Path) -> None:
    page = opened(chromium, report, [], java_script_enabled=False)
    assert page.locator("figure.chart svg").first.is_visible()
    assert page.locator("figure.chart svg").count() == 6
    assert not page.locator("form.filters").is_visible()
    page.context.close()


def test_a_hostile_name_is_text_in_table_and_figures(chromium, ranked_results: Path, record, workload) -> None:
    hostile = "<script>document.title = 'taken'</script><img src=x onerror=\"document.title = 'taken'\">"
    for seed in range(6):
        made = record(workload, hostile, seed, distance=5.0)
        (ranked_results / "records" / f"{made.trial_id}.0.json").write_bytes(msgspec.json.encode(made))
    problems: list[str] = []
    page = opened(chromium, write_report(ranked_results, Store(ranked_results).records()), problems)
    assert page.locator("td.method a", has_text="<script>document").is_visible()
    for figure in page.locator("figure.chart").all():
        figure.scroll_into_view_if_needed()
        figure.locator(".js-plotly-plot .main-svg").first.wait_for(state="visible")
    assert "<script>document" in page.locator("#table0-ranks .plot").inner_text()
    assert "taken" not in page.title()
    page.context.close()
    assert problems == []
