"""The page as a reader meets it: first screen, columns, explanations, address, figures to take away, pairs, paper."""

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import msgspec
import pytest
from browser_pages import opened
from PIL import Image

from bench.cli.report import write_report
from bench.report.formats import to_html
from bench.statistics.ranking import rank
from bench.store.journal import Store

pytestmark = pytest.mark.browser

BOTTOM = "(each) => each.getBoundingClientRect().bottom"
LOOK = "(each) => { const css = getComputedStyle(each); return [css.color, css.borderTopColor, css.borderTopStyle]; }"
MOVED = "(before) => document.querySelector('.scroll:has(table.sortable)').scrollLeft > before"


@pytest.fixture(scope="module")
def report(planted, record, workload, tmp_path_factory) -> Path:
    """One page for all tests here: four methods, six seeds, a run that failed, and pictures of the first seed."""
    root = tmp_path_factory.mktemp("results")
    records = planted(6)
    records[-4] = record(workload, "mmgan", 2, distance=None, status="nonfinite")
    (root / "records").mkdir()
    for each in records:
        (root / "records" / f"{each.trial_id}.{each.attempt}.json").write_bytes(msgspec.json.encode(each))
        if each.spec.seed == 0:
            (root / "artifacts" / each.trial_id).mkdir(parents=True)
            Image.new("L", (66, 66), 128).save(root / "artifacts" / each.trial_id / "samples.png")
    return write_report(root, records)


def visited(chromium, report: Path, **context):
    """Open the page otherwise; whoever uses it closes it."""
    return opened(chromium, report, [], **context)


def download(page, button) -> str:
    with page.expect_download() as waiting:
        button.click()
    return Path(waiting.value.path()).read_text()


INSIDE = """(all) => all.map((each) => {
    const frame = each.closest('.plot').getBoundingClientRect(), box = each.getBoundingClientRect();
    return [each.textContent, box.left >= frame.left - 1, box.right <= frame.right + 1];
}).filter(([_, left, right]) => !(left && right))"""


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
def test_the_first_screen_has_the_finding_and_the_whole_table(chromium, report, width, height) -> None:
    page = visited(chromium, report, viewport={"width": width, "height": height})
    assert "has the highest score" in page.locator("p.finding").inner_text()
    for part in ("p.finding", "p.finding + h3", "table.sortable tbody tr:last-child"):
        assert 0 < page.locator(part).evaluate(BOTTOM) <= height, part
    assert page.locator("table.sortable tbody tr").count() == 4
    page.context.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_columns_that_do_not_fit_are_announced_and_one_button_away(chromium, report, width) -> None:
    page = visited(chromium, report, viewport={"width": width, "height": 800})
    scroll, more = page.locator(".scroll:has(table.sortable)"), page.locator("p.more")
    headings = page.locator("table.sortable thead th")

    def cut() -> int:
        right = scroll.evaluate("(each) => each.getBoundingClientRect().right")
        ends = headings.evaluate_all("(all) => all.map((each) => each.getBoundingClientRect().right)")
        return sum(end > right + 1 for end in ends)

    assert cut() > 0
    for _ in range(headings.count()):
        if not cut():
            break
        assert re.match(rf"{cut()} more columns? to the right", more.inner_text())
        before = scroll.evaluate("(each) => each.scrollLeft")
        more.get_by_role("button").click()
        page.wait_for_function(MOVED, arg=before)
        page.wait_for_timeout(50)  # a frame, in which the words follow
        # The name stays beside what it belongs to.
        name = page.locator("td.method").first.bounding_box()
        assert name["x"] >= scroll.bounding_box()["x"] - 1
    assert cut() == 0
    assert more.inner_text().startswith("These are the last columns")
    more.get_by_role("button", name="Back to the first").click()
    page.wait_for_function("() => document.querySelector('.scroll:has(table.sortable)').scrollLeft === 0")
    page.context.close()


def test_every_term_of_a_heading_is_explained_in_a_bubble(page) -> None:
    headings = page.locator("table.sortable thead th:not(.method):not(.whisker)")
    lacking = [each.inner_text() for each in headings.all() if not each.get_attribute("data-why")]
    assert lacking == []
    why = page.get_by_role("button", name="What is p?", exact=True)
    why.focus()
    bubble = page.get_by_role("tooltip")
    assert bubble.inner_text().startswith("p: the workloads' paired tests joined")
    assert why.get_attribute("aria-describedby") == bubble.get_attribute("id")
    box = bubble.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 1280
    page.keyboard.press("Escape")
    assert not bubble.is_visible()
    page.get_by_role("button", name="What is score?", exact=True).hover()
    assert "0 is the untrained generator, 1 real data" in bubble.inner_text()


def test_the_dots_stand_on_a_scale_no_wider_than_their_intervals(page) -> None:
    low, high = (float(text) for text in page.locator("th.whisker .ends span").all_inner_texts())
    rows = page.locator("table.sortable tbody tr")
    ends = []
    for row in rows.all():
        values = row.locator("td.number").all_inner_texts()
        interval = next(text for text in values if " to " in text)
        ends += [float(text) for text in interval.split(" to ")]
    assert low <= min(ends) < low + 0.05
    assert high - 0.05 < max(ends) <= high
    track = page.locator(".range").first.bounding_box()
    dot = page.locator(".range b").first.bounding_box()
    score = float(rows.first.locator("td[data-value]").nth(2).get_attribute("data-value"))
    middle = dot["x"] + dot["width"] / 2
    assert abs((middle - track["x"]) / track["width"] - (score - low) / (high - low)) < 0.01


def test_titles_of_figures_say_what_they_show(page) -> None:
    titles = page.locator("section h3").all_inner_texts()
    assert "Ranks: 1 of 4 methods may be the best" in titles
    assert any(title.startswith("Distance to the data: digits, at the end from ") for title in titles)


def test_every_table_names_its_budget(page) -> None:
    for heading in ("#leaderboard h3", "#runs h3"):
        assert page.locator(heading).first.inner_text() == "digits: 600 steps, batch 64, seeds 0–5"


def test_the_bar_of_sections_and_filters_stays_in_sight(page) -> None:
    page.locator("#environment").scroll_into_view_if_needed()
    assert page.evaluate("scrollY") > 500
    assert page.locator(".bar nav").bounding_box()["y"] >= 0
    page.locator("nav a", has_text="Every run").click()
    page.wait_for_function("() => Math.abs(document.querySelector('#runs').getBoundingClientRect().top) < 300")
    bar, target = page.locator(".bar").bounding_box(), page.locator("#runs h2").bounding_box()
    assert target["y"] >= bar["y"] + bar["height"] - 1, "the bar hides the heading"


def test_the_filters_live_in_the_address(chromium, report, page) -> None:
    page.get_by_label("Search").fill("mmgan")
    address = page.evaluate("location.search + location.hash")
    assert address == "?search=mmgan"
    other = opened(chromium, report, [], address)
    assert other.get_by_label("Search").input_value() == "mmgan"
    visible = "all => all.filter(each => each.offsetParent).map(each => each.dataset.method)"
    assert other.locator("table.sortable tbody tr").evaluate_all(visible) == ["method-mmgan"]
    other.get_by_role("button", name="Show all").click()
    other.wait_for_function("() => location.search === ''")
    assert len(other.locator("table.sortable tbody tr").evaluate_all(visible)) == 4
    other.context.close()


def test_atlas_pages_are_links(page) -> None:
    links = page.locator("article .source a").evaluate_all("all => all.map(each => [each.textContent, each.href])")
    assert links
    for family, target in links:
        assert target == f"https://github.com/gan-loss-bench/gan-loss-bench/blob/main/docs/atlas/{family}.md"
        assert (Path(__file__).parents[3] / "docs" / "atlas" / f"{family}.md").is_file()


def test_every_figure_can_be_saved_as_svg_and_csv(page) -> None:
    for details in page.locator("#curves details").all():
        details.evaluate("(each) => { each.open = true; }")
    figures = page.locator("figure.chart, figure.one")
    assert figures.count() == 6 + 4 * 4
    for figure in figures.all():
        assert figure.get_by_role("button", name=re.compile("as SVG$")).count() == 1
        assert figure.get_by_role("button", name=re.compile("as CSV$")).count() == 1
    for selector in ("#table0-ranks", "#table0-cost", "#table0-curves0", "figure.one"):
        figure = page.locator(selector).first
        svg = download(page, figure.get_by_role("button", name=re.compile("as SVG$")))
        assert ET.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"
        assert "var(" not in svg
        rows = list(csv.reader(io.StringIO(download(page, figure.get_by_role("button", name=re.compile("as CSV$"))))))
        assert len(rows) > 4
        assert len({len(row) for row in rows}) == 1


def test_the_csv_of_a_figure_has_its_numbers(page, planted) -> None:
    figure = page.locator("#table0-curves0")
    rows = csv.DictReader(io.StringIO(download(page, figure.get_by_role("button", name=re.compile("as CSV$")))))
    found = {(row["method"], int(row["step"])): float(row["middle"]) for row in rows}
    ends = sorted(each.metrics["distance"] for each in planted(6) if each.spec.method == "wgan-gp")
    assert found["wgan-gp", 600] == pytest.approx((ends[2] + ends[3]) / 2, rel=1e-3)
    panel = page.locator("figure.one[data-method=method-wgan-gp]").first
    page.locator("#curves details").first.evaluate("(each) => { each.open = true; }")
    rows = csv.DictReader(io.StringIO(download(page, panel.get_by_role("button", name=re.compile("as CSV$")))))
    last = sorted(float(row["value"]) for row in rows if int(row["step"]) == 600)
    assert last == pytest.approx(ends, rel=1e-3)


def test_two_methods_are_compared_seed_by_seed(page, planted) -> None:
    section = page.locator("#compare")
    section.locator("select[name=one]").select_option(label="wgan-gp")
    section.locator("select[name=other]").select_option(label="mmgan")
    rows = section.locator("tbody tr")
    assert [row.locator("th").inner_text() for row in rows.all()] == list("012345")
    distances = {(each.spec.method, each.spec.seed): each.metrics["distance"] for each in planted(6)}
    for seed, row in enumerate(rows.all()):
        mine, theirs, one, other, difference = row.locator("td").all_inner_texts()
        assert float(mine) == pytest.approx(distances["wgan-gp", seed], rel=5e-3)
        if seed == 2:
            assert theirs == "– (nonfinite)"
            assert float(other) == 0.0
        else:
            assert float(theirs.replace(",", "")) == pytest.approx(distances["mmgan", seed], rel=5e-3)
        assert float(difference) == pytest.approx(float(one) - float(other), abs=2e-3)
        assert float(difference) > 0
        assert row.locator("td.won").all_inner_texts() == [one]
    assert "wgan-gp has the higher score at 6 of 6 seeds" in section.locator(".pairs p").inner_text()
    assert "one=method-wgan-gp" in page.evaluate("location.search")
    section.locator("select[name=one]").select_option(label="mmgan")
    assert "mmgan has the higher score at 0 of 6 seeds, and the same at 6" in section.locator(".pairs p").inner_text()


def test_on_paper_every_column_is_there_within_the_page_and_no_run_looks_like_none(chromium, report) -> None:
    page = visited(chromium, report, viewport={"width": 718, "height": 1000}, color_scheme="dark")
    wide = page.locator("table.sortable thead th:not(.whisker)").count()
    page.emulate_media(media="print", color_scheme="dark")
    assert not page.locator("table.sortable").is_visible()
    printed = page.locator(".print-only table")
    headings = printed.locator("th:not(.method)").all_inner_texts()
    assert len(headings) == wide - 1
    for table in printed.all():
        box = table.bounding_box()
        assert box["x"] + box["width"] <= 719
    assert page.evaluate("document.documentElement.scrollWidth") <= 718
    ok, missing = (page.locator(f".legend .cell.{kind}").evaluate(LOOK) for kind in ("ok", "missing"))
    assert ok[0] == ok[1] == "rgb(47, 127, 191)"
    assert ok[1:] != missing[1:]
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.querySelector('.cell')).printColorAdjust") == "exact"
    page.context.close()


def test_at_390_every_figure_is_whole_or_can_be_moved(chromium, report) -> None:
    page = visited(chromium, report, viewport={"width": 390, "height": 844})
    for figure in page.locator("figure.chart").all():
        figure.scroll_into_view_if_needed()
        figure.locator(".js-plotly-plot .main-svg").first.wait_for(state="visible")
    assert page.locator(".plot text").evaluate_all(INSIDE) == []
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.context.close()


def test_long_names_are_inside_the_interactive_figures_too(chromium, record, workload, tmp_path) -> None:
    long = "rp_bce + r1(weight=0.05) + r2(weight=0.05) + lecam + diffaug(policy=color)"
    records = []
    for method, speed in (("nsgan", 1000.0), (long, 3000.0)):
        for seed in range(5):
            made = record(workload, method, seed, distance=20.0 + len(method) + seed)
            records.append(msgspec.structs.replace(made, cost=made.cost | {"images_per_second": speed}))
    page = visited(chromium, write_report(tmp_path, records))
    figures = page.locator("figure.chart")
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 844})
        page.reload()
        for figure in figures.all()[:3]:
            figure.scroll_into_view_if_needed()
            figure.locator(".js-plotly-plot .main-svg").first.wait_for(state="visible")
        assert page.locator(".plot text").evaluate_all(INSIDE) == []
        shown = page.locator("#table0-ranks .plot text").all_text_contents()
        assert (long in shown) == (width == 1280)
        assert any(text.startswith("rp_bce") and text.endswith("color)") for text in shown)
    page.context.close()


def test_real_images_stand_beside_the_samples(page) -> None:
    real = page.locator("#samples .grids figure").first
    assert "real images" in real.inner_text()
    real.scroll_into_view_if_needed()
    page.wait_for_function("() => document.querySelector('#samples .real img').naturalWidth > 0")
    assert real.locator("img").get_attribute("alt") == "Real images of digits"


def test_a_published_leaderboard_sorts(chromium, planted, record, workload, tmp_path) -> None:
    broken = [record(workload, "broken", seed, distance=None, status="error") for seed in range(5)]
    boards = rank([*planted(5), record(workload, "alone", 0), *broken], {"digits": workload}, resamples=50)
    (tmp_path / "leaderboard.html").write_text(to_html(boards, "c"))
    problems: list[str] = []
    page = opened(chromium, tmp_path / "leaderboard.html", problems)
    table = page.locator("table").first

    def column(name: str) -> list[str]:
        place = table.locator("thead th").all_inner_texts().index(name)
        return table.locator("tbody tr").evaluate_all(f"all => all.map((row) => row.cells[{place}].textContent.trim())")

    before = column("score")
    assert before[-2:] == ["–", "–"]
    table.locator("th", has_text=re.compile("^score$")).get_by_role("button").click()
    assert column("score") == [*sorted(before[:-2], key=float), "–", "–"]
    assert table.locator("th", has_text=re.compile("^score$")).get_attribute("aria-sort") == "ascending"
    table.locator("th", has_text=re.compile("^score$")).get_by_role("button").press("Enter")
    assert column("score") == before
    table.get_by_role("button", name="method").click()
    assert column("method") == sorted(column("method"), key=str.lower)
    page.locator("table").nth(2).get_by_role("button", name="FD").click()
    names = page.locator("table").nth(2).locator("tbody tr th").all_inner_texts()
    assert names[:2] == ["real data", "untrained generator"]
    assert names[-1] == "broken", "it has no distance at any seed, – (0/5), and that is not the least of them"
    page.context.close()
    assert problems == []


def test_a_page_of_two_tables_compares_within_the_chosen_one(chromium, ranked_results, record, workload) -> None:
    for method in ("nsgan", "lsgan"):
        for seed in range(2):
            made = record(workload, method, seed, distance=50.0, batch_size=16)
            (ranked_results / "records" / f"{made.trial_id}.0.json").write_bytes(msgspec.json.encode(made))
    page = visited(chromium, write_report(ranked_results, Store(ranked_results).records()))
    section = page.locator("#compare")
    options = "all => all.map((each) => each.textContent)"
    assert len(section.locator("select[name=in]").locator("option").evaluate_all(options)) == 2
    section.locator("select[name=in]").select_option(index=0)
    assert section.locator("select[name=one]").locator("option").evaluate_all(options) == ["lsgan", "nsgan"]
    assert section.locator("tbody tr").count() == 2
    page.context.close()


def test_without_scripts_the_notes_and_all_columns_can_be_reached(chromium, report) -> None:
    page = visited(chromium, report, java_script_enabled=False)
    assert page.locator("details.noted").count() == 1
    assert page.locator("p.more").is_visible() is False
    assert page.locator("#compare").is_visible() is False
    data = json.loads(page.locator("script#data").text_content())
    assert set(data["table0"]["runs"]) == {"digits"}
    page.context.close()
