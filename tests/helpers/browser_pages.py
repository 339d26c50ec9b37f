"""A page in a real browser, with everything that goes wrong in it."""

from pathlib import Path
from typing import Any


def opened(chromium: Any, page: Path, problems: list[str], address: str = "", **context: Any) -> Any:
    """Open the page, and gather what goes wrong and what it asks the network for."""
    tab = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, **context}).new_page()
    tab.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    tab.on("pageerror", lambda error: problems.append(str(error)))
    tab.on("request", lambda request: problems.append(request.url) if request.url.startswith("http") else None)
    tab.goto(page.resolve().as_uri() + address)
    return tab
