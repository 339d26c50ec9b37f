"""The site builds without a warning, needs no other server, and works in a browser from a folder."""

import os
import re
import subprocess
import sys

import pytest
from doc_pages import DOCS, ROOT


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pytest.importorskip("material", reason="the site needs the extra docs: pip install 'gan-loss-bench[docs]'")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture
def page(chromium, site):
    """A page of the browser with the whole site in a folder."""
    with chromium.new_page(viewport={"width": 1280, "height": 900}) as page:
        yield page


def search(page, site, words):
    """Type words into the search of the first page, and return what is found."""
    page.goto((site / "index.html").as_uri())
    box = page.locator("input.md-search__input")
    box.press_sequentially(words)  # the theme reads what keys typed
    box.press("End")  # and waits for a key, where a browser that is driven has none for these letters
    found = page.locator(".md-search-result__item")
    found.first.wait_for()
    return found


def outside(html: str) -> list[str]:
    """Return what a page would fetch from elsewhere: scripts, styles, pictures and frames, not links."""
    fetched = re.findall(r"<(?:script|img|iframe)\b[^>]*\bsrc=[\"']?([^\"' >]+)", html)
    fetched += re.findall(r"<link\b[^>]*\brel=[\"']?(?:stylesheet|preload|icon)[^>]*\bhref=[\"']?([^\"' >]+)", html)
    return [each for each in fetched if re.match(r"(?:https?:)?//", each)]


def test_what_would_be_fetched_is_found():
    html = (
        "<script src=https://a/b.js></script><link href='x' rel='icon'><img src=\"//c/d.png\"><a href='https://e'>e</a>"
    )
    assert outside(html) == ["https://a/b.js", "//c/d.png"]


def test_the_scripts_of_the_site_name_no_other_server():
    for path in [*(DOCS / "assets").iterdir(), ROOT / "mkdocs.yml"]:
        text = path.read_text(encoding="utf-8")
        assert set(re.findall(r"https?://[^\s\"'>]+", text)) <= {"https://github.com/gan-loss-bench/gan-loss-bench"}, (
            path
        )


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_page_is_built_and_fetches_nothing(site):
    built = sorted(site.rglob("*.html"))
    assert len(built) > 100
    assert {page: found for page in built if (found := outside(page.read_text(encoding="utf-8")))} == {}
    for page in ("reference/commands/run", "reference/api/losses", "leaderboards/network", "atlas/hinge", "faq"):
        assert (site / f"{page}.html").is_file()
    assert "building" not in {path.name for path in site.iterdir()}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_search_sorting_and_filter_work_from_a_folder(page, site):
    requests: list[str] = []
    errors: list[str] = []
    page.on("request", lambda each: requests.append(each.url))
    page.on("pageerror", lambda each: errors.append(str(each)))
    assert "timeout" in search(page, site, "timeout_minutes").first.inner_text()

    page.goto((site / "leaderboards" / "index.html").as_uri())
    rows = page.locator("article table", has_text="95 %").locator("tbody tr:visible")
    whole = rows.count()
    heading = page.locator("article table", has_text="95 %").locator("th", has_text="score")
    heading.click()
    heading.click()
    scores = [float(each) for each in rows.locator("td:nth-child(2)").all_inner_texts() if each != "–"]
    assert scores == sorted(scores, reverse=True)
    page.fill(".rows-filter", "hinge digits")
    page.wait_for_timeout(100)
    kept = rows.all_inner_texts()
    assert 0 < len(kept) < whole
    assert all("hinge" in each and "digits" in each for each in kept)
    assert [each for each in requests if not each.startswith(("file:", "data:", "blob:"))] == []
    assert errors == []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_search_finds_chinese_words_and_their_pages_name_their_language(page, site):
    found: dict[str, str] = {}  # it knows characters and no words: others may find another page first
    for word in ("模式崩溃", "梯度消失", "随机种子", "判别器"):
        search(page, site, word).locator("a").first.click()
        page.wait_for_selector("html[lang=zh-CN]")
        found[word] = page.locator("article").inner_text()
    assert {word for word, text in found.items() if word not in text} == set()
