"""The Chinese pages have what the English ones have: headings, commands, links, tables, numbers, in the same order."""

import re
from collections import Counter

import pytest
from doc_pages import DOCS, ROOT, name
from site_links import REPOSITORY, is_external, links, outside_code, target

CHINESE = [ROOT / "README.zh-CN.md", *sorted((DOCS / "zh").rglob("*.md"))]


def english_of(path: str) -> str:
    return path.replace("README.zh-CN.md", "README.md").replace("docs/zh/", "docs/")


def chinese_of(path: str) -> str:
    """Return the Chinese page of a file; the file itself if it has none."""
    made = {english_of(name(page)): name(page) for page in CHINESE}
    return made.get(path, path)


def outline(text: str) -> list[str]:
    """Return the blocks of a page in their order: a heading's level, code as it is, an item, the width of a row."""
    blocks, paragraph = [], False
    for found in re.finditer(r"^```.*?^```$|^[^\n]*$", text, re.DOTALL | re.MULTILINE):
        line = found[0]
        mark = re.match(r"(#{1,6}|-|\d+\.) ", line)
        if line.startswith(("```", "<!--")):
            blocks.append(line)
        elif mark:
            blocks.append(mark[1])
        elif line.startswith("|"):
            cells = re.findall(r"(?<!\\)\|", line)
            blocks.append(f"row of {len(cells) - 1}")
        elif line and not line.startswith(" ") and not paragraph:
            blocks.append("paragraph")
        # The lines that follow in a paragraph or an item belong to it.
        paragraph = bool(line) and not line.startswith(("```", "<!--", "#", "|"))
    return blocks


def spans(text: str) -> Counter[str]:
    """Return what is quoted as code within sentences."""
    found: list[str] = []
    outside_code(text, lambda part: found.extend(re.findall(r"`([^`]+)`", part)) or part)
    return Counter(" ".join(each.split()) for each in found)


def numbers(text: str) -> set[str]:
    """Return the numbers that sentences write in digits, without those of addresses, code and the generated tables."""
    prose = re.sub(r"<!--.*?End of the table\. -->|```.*?```|`[^`]*`|\]\([^)]*\)", " ", text, flags=re.DOTALL)
    return set(re.findall(r"(?<![\w.])\d+(?:[.,]\d+)*", prose))


def targets(text: str, source: str) -> Counter[str]:
    """Return where the links of a file lead, from the root of the repository, if it is there."""
    found: Counter[str] = Counter()
    for link in links(text):
        path, anchor = target(link, source) if not is_external(link) else (link, "")
        found[path.removeprefix(f"{REPOSITORY}/blob/main/") + (f"#{anchor}" if anchor else "")] += 1
    return found


def expected(text: str, source: str) -> Counter[str]:
    """Return where the links of the Chinese page of an English one must lead."""
    own = chinese_of(source)
    found: Counter[str] = Counter()
    for path, count in targets(text, source).items():
        found[source if path == own else chinese_of(path)] += count
    return found


def test_the_pages_that_a_newcomer_reads_are_there():
    made = {english_of(name(page)) for page in CHINESE}
    assert made >= {
        "README.md",
        "docs/tutorials/first-run.md",
        "docs/how-to/choose-a-loss.md",
        "docs/explanation/four-topics.md",
    }
    assert {each for each in made if not (ROOT / each).is_file()} == set()


@pytest.mark.parametrize("page", CHINESE, ids=name)
def test_a_chinese_page_has_what_the_english_one_has(page):
    source = english_of(name(page))
    chinese, english = page.read_text(encoding="utf-8"), (ROOT / source).read_text(encoding="utf-8")
    assert outline(chinese) == outline(english), f"what is new in {source} is to be said in {name(page)}, too"
    assert spans(chinese) == spans(english)
    assert numbers(english) - numbers(chinese) == set()
    assert targets(chinese, name(page)) == expected(english, source)


@pytest.mark.parametrize("page", CHINESE, ids=name)
def test_each_of_the_two_leads_to_the_other_in_its_first_line(page):
    source = english_of(name(page))
    for here, there in ((name(page), source), (source, name(page))):
        text = (ROOT / here).read_text(encoding="utf-8").split("\n\n")[1]
        assert list(targets(text, here)) == [there]


@pytest.mark.parametrize("page", CHINESE, ids=name)
def test_a_chinese_paragraph_is_one_line(page):
    """A browser shows the end of a line as a space, which Chinese does not have."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    assert re.findall(r"[^\n]*[\u4e00-\u9fff。，：；）][^\n]*\n(?![-|#]|\d+\. )[^\n]*[\u4e00-\u9fff]", text) == []


ENGLISH = """# A

One `code` and [a link](b.md), 1,000 of them.

```
python -m bench run
```

- item
  that goes on

| a | b |
|---|---|
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# A", "# A\n\n## B"),
        ("# A", "## A"),
        ("bench run", "bench run --seeds 3"),
        ("```\npython", "```\npython -m bench doctor\npython"),
        ("- item", "- item\n- item"),
        ("| a | b |", "| a | b | c |"),
        ("|---|---|", "|---|---|\n| 1 | 2 |"),
        ("One `code`", "Another paragraph.\n\nOne `code`"),
    ],
)
def test_what_an_outline_tells_apart(old, new):
    assert old in ENGLISH
    assert outline(ENGLISH.replace(old, new, 1)) != outline(ENGLISH)


def test_an_outline_does_not_depend_on_where_lines_end():
    assert outline(ENGLISH.replace("item\n  that", "item that").replace(" and ", "\nand ")) == outline(ENGLISH)


def test_what_sentences_hold():
    assert spans(ENGLISH) == {"code": 1}
    assert numbers(ENGLISH + "\n`2` [4](5.md) v6 0.95, 7.") == {"1,000", "4", "0.95", "7"}
    assert targets(f"{ENGLISH}[x]({REPOSITORY}/blob/main/README.md#c)", "docs/a.md") == {
        "docs/b.md": 1,
        "README.md#c": 1,
    }
