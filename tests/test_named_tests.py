"""The tests that the documents name as proof exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests"
NAMED = re.compile(r"`([\w/.-]+\.py)::(\w+)`")


def named(document: str) -> list[tuple[str, str]]:
    return NAMED.findall((ROOT / "docs" / document).read_text())


@pytest.mark.parametrize(("document", "at_least"), [("security.md", 15), ("reliability.md", 40)])
def test_every_test_that_a_document_names_exists(document: str, at_least: int) -> None:
    found = named(document)
    assert len(found) >= at_least
    missing = [
        f"{path}::{name}"
        for path, name in found
        if not (TESTS / path).is_file() or f"def {name}(" not in (TESTS / path).read_text()
    ]
    assert missing == []


def test_every_promise_and_fault_names_a_test() -> None:
    for document, heading in (("security.md", "| promise |"), ("reliability.md", "| fault |")):
        lines = (ROOT / "docs" / document).read_text().splitlines()
        begin = next(number for number, line in enumerate(lines) if line.startswith(heading))
        rows = []
        for line in lines[begin + 2 :]:
            if not line.startswith("|"):
                break
            rows.append(line)
        assert len(rows) >= 10
        assert [row for row in rows if not NAMED.search(row.split("|")[-2])] == []


def test_the_page_of_promises_is_linked() -> None:
    assert "docs/security.md" in (ROOT / "SECURITY.md").read_text()
