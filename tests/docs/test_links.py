"""Every link leads somewhere: between the files of the repository, on the site, and from the package's page on PyPI."""

import functools
import posixpath

import pytest
import site_pages
import yaml
from doc_pages import DOCS, ROOT, name, pages
from site_links import RAW, REPOSITORY, anchors, for_site, is_external, links, target


@functools.cache
def site() -> dict[str, str | bytes]:
    """Return all pages of the site, written and made, by their paths there."""
    written = {path.relative_to(DOCS).as_posix(): path for path in DOCS.rglob("*.md")}
    moved = {page: for_site(path.read_text(encoding="utf-8"), name(path), page) for page, path in written.items()}
    return {**moved, **site_pages.generated()}


def broken(text: str, source: str) -> list[str]:
    """Return the relative links of a file of the repository that lead nowhere."""
    lost = []
    for link in links(text):
        if is_external(link):
            continue
        path, anchor = target(link, source)
        file = ROOT / path
        whole = (
            text
            if path == source
            else file.read_text(encoding="utf-8")
            if path.endswith(".md") and file.is_file()
            else ""
        )
        if not file.exists() or (anchor and anchor not in anchors(whole)):
            lost.append(link)
    return lost


@pytest.mark.parametrize("page", pages(), ids=name)
def test_every_relative_link_leads_to_a_file_and_a_heading(page):
    assert broken(page.read_text(encoding="utf-8"), name(page)) == []


@pytest.mark.parametrize(
    "link", ["none.md", "../README.md#nothing-of-the-kind", "#no-such-heading", "protocol.md#Evaluation", "../../x"]
)
def test_a_link_that_leads_nowhere_is_found(link):
    assert broken(f"# A page\n\nSee [there]({link}).\n", "docs/a-page.md") == [link]


def test_what_is_quoted_as_code_is_no_link_and_no_heading():
    text = "# A\n\n`[x](none.md)`\n\n```\n# b\n[y](none.md)\n```\n"
    assert (broken(text, "docs/a.md"), anchors(text)) == ([], {"a"})


@pytest.mark.parametrize(
    ("heading", "found"),
    [("What `compare` does", {"what-compare-does"}), ("A & B", set()), ("3. The [p](x.md) of *it*", {"3-the-p-of-it"})],
)
def test_an_anchor_counts_where_github_and_the_site_agree(heading, found):
    assert anchors(f"## {heading}\n") == found


def test_every_link_of_the_site_leads_to_a_page_or_a_file_of_it():
    lost = []
    for page, text in site().items():
        for link in links(text) if isinstance(text, str) else ():
            if is_external(link):
                continue
            path, anchor = target(link, page)
            there = text if path == page else site().get(path)
            known = there is not None or (DOCS / path).is_file()
            if not known or (anchor and anchor not in anchors(str(there))):
                lost.append(f"{page}: {link}")
    assert lost == []


def test_a_page_that_links_to_a_missing_file_stops_the_site():
    with pytest.raises(ValueError, match=r"docs/a\.md links to b\.md, and there is no docs/b\.md"):
        for_site("[b](b.md)", "docs/a.md", "a.md")


@pytest.mark.parametrize(
    ("link", "there"),
    [
        ("../../results/published/network/README.md", "../leaderboards/network.md"),
        ("../../CONTRIBUTING.md#results", "../contributing.md#results"),
        ("../../examples/dcgan.py", f"{REPOSITORY}/blob/main/examples/dcgan.py"),
        ("../../examples", f"{REPOSITORY}/tree/main/examples"),
        ("../protocol.md", "../protocol.md"),
        ("../tutorials/design-a-loss.ipynb", "../tutorials/design-a-loss.md"),
        ("#here", "#here"),
    ],
)
def test_a_link_out_of_docs_leads_to_its_page_or_to_github(link, there):
    assert for_site(f"[x]({link})", "docs/how-to/a.md", "how-to/a.md") == f"[x]({there})"


def test_the_chinese_front_page_of_the_site_leads_to_pages_of_the_site():
    found = set(links(str(site()["zh/index.md"])))
    assert found >= {"explanation/four-topics.md", "../pictures/report.png", "../leaderboards/network.md"}
    assert found >= {"../how-to/your-own-loop.md", "../examples.md", "../contributing.md"}
    assert [link for link in found if link.startswith(f"{REPOSITORY}/blob/main/docs/")] == []


def test_the_readme_has_only_links_that_resolve_on_pypi():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = list(links(text))
    assert len(found) > 30
    assert [link for link in found if not link.startswith("https://")] == []
    own = [link for link in found if link.startswith((f"{REPOSITORY}/", f"{RAW}/"))]
    inner = [link.removeprefix(RAW).removeprefix(REPOSITORY) for link in own]
    kinds = ("/blob/main/", "/tree/main/", "/main/")
    assert [link for link in inner if not link.startswith(kinds)] == []
    relative = " ".join(f"[x]({functools.reduce(str.removeprefix, kinds, link)})" for link in inner)
    assert broken(relative, "README.md") == []


def nav_entries(entry) -> list[str]:
    if isinstance(entry, str):
        return [entry]
    return [each for inner in (entry.values() if isinstance(entry, dict) else entry) for each in nav_entries(inner)]


def test_the_navigation_names_every_page_once():
    entries = nav_entries(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"])
    all_pages = {page for page in site() if page.endswith(".md")}
    folders = [entry for entry in entries if entry.endswith("/")]
    within = {page for page in all_pages if f"{posixpath.dirname(page)}/" in folders}
    single = [entry for entry in entries if not entry.endswith("/")]
    assert sorted([*single, *within]) == sorted(all_pages)
