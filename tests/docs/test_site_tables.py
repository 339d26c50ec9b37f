"""The sorting of the site's tables, on a table made by hand: the whole site takes minutes to build."""

from pathlib import Path

import pytest
from browser_pages import opened
from site_links import ROOT

pytestmark = pytest.mark.browser

ASCENDING = {
    "negative": ["−20.1", "**−0.0474**", "-0.01", "0", "1.39"],
    "p": ["< 0.001", "0.001", "0.025", "1.000", "–"],
    "distance": ["2.51", "40 (3/5)", "1,268", "– (0/5)", "–"],
    "rank": ["≈ 1–4", "2", "10–12", "–", ""],
}


@pytest.mark.parametrize("order", [(3, 0, 4, 2, 1), (1, 4, 3, 2, 0)])
def test_signs_bounds_and_dashes_sort_as_they_are_meant(chromium, tmp_path: Path, order) -> None:
    rows = "".join(
        f"<tr>{''.join(f'<td>{column[place].strip(chr(42))}</td>' for column in ASCENDING.values())}<td>kept</td></tr>"
        for place in order
    )
    heads = "".join(f"<th>{name}</th>" for name in [*ASCENDING, "words"])
    script = (ROOT / "docs" / "assets" / "tables.js").read_text(encoding="utf-8")
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    page_file = tmp_path / "page.html"
    page_file.write_text(
        f"<!DOCTYPE html><meta charset=utf-8><article>{table}</article><script>{script}</script>", encoding="utf-8"
    )
    problems: list[str] = []
    page = opened(chromium, page_file, problems)
    for place, (name, expected) in enumerate(ASCENDING.items(), start=1):
        known = [text.strip("*") for text in expected if text[:1] not in ("", "–")]
        for direction in (known, known[::-1]):
            page.locator("th", has_text=name).click()
            found = [text.strip() for text in page.locator(f"td:nth-child({place})").all_inner_texts()]
            assert found[: len(known)] == direction
            assert all(text[:1] in ("", "–") for text in found[len(known) :])
    page.context.close()
    assert problems == []
