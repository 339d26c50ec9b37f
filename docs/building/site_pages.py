"""The pages of the site that are made when it is built."""

import re

import site_api
import site_commands
import site_leaderboards
import site_metrics
import site_notebooks
from site_links import PLACES, RAW, REPOSITORY, ROOT, for_site


def generated() -> dict[str, str | bytes]:
    """Return every page and picture that is made, by its path on the site."""
    return {
        **{page: _copied(source, page) for source, page in PLACES.items()},
        **site_api.pages(),
        **site_commands.pages(),
        **site_leaderboards.pages(),
        **site_metrics.pages(),
        **site_notebooks.pages(),
    }


def _copied(source: str, page: str) -> str:
    """Return a file as a page of the site, where a link to one of our files on GitHub leads to that file's page."""
    text = (ROOT / source).read_text(encoding="utf-8")
    if "/" not in source:
        text = re.sub(rf"\]\((?:{REPOSITORY}/(?:blob|tree)|{RAW})/main/", "](", text)
    return for_site(text, source, page)
