"""What the tables of docs/explanation/measuring.md share: the page, and how they name a published campaign."""

from collections.abc import Callable, Iterable
from typing import Final

from site_answers import published_campaigns
from site_links import PUBLISHED, ROOT

PAGE: Final = ROOT / "docs" / "explanation" / "measuring.md"


def folder(name: str) -> str:
    """Return the link from the page to a published folder."""
    return f"[{name}](../../{PUBLISHED}/{name}/README.md)"


def campaign_table(head: str, rows_of: Callable[[str], Iterable[str]]) -> str:
    """Return a table with the rows of every published campaign under a head."""
    return "\n".join([head, *(row for name in published_campaigns() for row in rows_of(name))])
