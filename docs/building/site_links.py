"""Links between pages: which file one leads to, and where that file is on the site.

A link is written for a reader of the repository: relative to the file that has it. On the site some of these files lie
elsewhere, and others are not there at all; those are read on GitHub.
"""

import posixpath
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

ROOT: Final = Path(__file__).resolve().parents[2]
REPOSITORY: Final = "https://github.com/gan-loss-bench/gan-loss-bench"
RAW: Final = "https://raw.githubusercontent.com/gan-loss-bench/gan-loss-bench"
PUBLISHED: Final = "results/published"

PLACES: Final = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "README.zh-CN.md": "zh/index.md",
    "examples/README.md": "examples.md",
}
"""Files outside docs/ that are pages of the site, too."""

_FENCE: Final = re.compile(r"^( *)(```+|~~~+).*?^ *\2 *$", re.DOTALL | re.MULTILINE)
_LINK: Final = re.compile(r"(?<=\]\()([^()\s]+(?:\([^()\s]*\))?[^()\s]*)(?=\))")
_HEADING: Final = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
_ID: Final = re.compile(r"<[a-z]+ (?:id|name)=\"([^\"]+)\"")
_CODE: Final = re.compile(r"`[^`\n]*`")


def prose(text: str) -> str:
    """Return the text without its code: what is quoted there is no heading and no link."""
    return _CODE.sub("", _FENCE.sub("", text))


def published_folders() -> list[str]:
    """Return the names of the folders of published records, sorted."""
    return sorted(path.name for path in (ROOT / PUBLISHED).iterdir() if path.is_dir())


def links(text: str) -> Iterator[str]:
    """Yield the targets of all links and pictures."""
    yield from _LINK.findall(prose(text))


def is_external(link: str) -> bool:
    return bool(urlsplit(link).scheme)


def target(link: str, source: str) -> tuple[str, str]:
    """Return the file that a relative link of `source` leads to, from the repository's root, and its anchor."""
    parts = urlsplit(link)
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), unquote(parts.path))) if parts.path else source
    return path, parts.fragment


def anchors(text: str) -> set[str]:
    """Return the anchors that both GitHub and the site give to the headings, and the ones that are written as HTML."""
    headings = _HEADING.findall(_FENCE.sub("", text))
    return ({_on_github(head) for head in headings} & {_on_site(head) for head in headings}) | set(_ID.findall(text))


def _words(heading: str) -> str:
    """Return a heading as it is read: without the marks of code and of links."""
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").replace("*", "").strip().lower()


def _on_github(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", _words(heading)).replace(" ", "-")


def _on_site(heading: str) -> str:
    kept = _words(heading).encode("ascii", "ignore").decode()
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", kept).strip())


def page_of(path: str) -> str | None:
    """Return where a file of the repository is on the site, from its root; None where it is not there."""
    if path in PLACES:
        return PLACES[path]
    if path.startswith(f"{PUBLISHED}/"):
        name = path.removeprefix(f"{PUBLISHED}/").removesuffix("/README.md").removesuffix("/leaderboard.md")
        return None if "/" in name else f"leaderboards/{name}.md"
    if not path.startswith("docs/"):
        return None
    inner = path.removeprefix("docs/")
    return f"{inner.removesuffix('.ipynb')}.md" if inner.endswith(".ipynb") else inner


def for_site(text: str, source: str, page: str) -> str:
    """Return the text of a file as it stands on a page of the site, where every relative link leads to its file.

    Raises:
        ValueError: for a link to a file that does not exist.
    """

    def moved(match: re.Match[str]) -> str:
        link = match[0]
        if is_external(link) or link.startswith("#"):
            return link
        path, anchor = target(link, source)
        there = page_of(path)
        fragment = f"#{anchor}" if anchor else ""
        if not (ROOT / path).exists():
            raise ValueError(f"{source} links to {link}, and there is no {path}")
        if there is None or ((ROOT / path).is_dir() and not there.endswith(".md")):
            kind = "tree" if (ROOT / path).is_dir() else "blob"
            return f"{REPOSITORY}/{kind}/main/{path}{fragment}"
        return posixpath.relpath(there, posixpath.dirname(page) or ".") + fragment

    return outside_code(text, lambda part: _LINK.sub(moved, part))


def outside_code(text: str, change: Callable[[str], str]) -> str:
    """Return the text, changed outside its blocks of code."""
    pieces, end = [], 0
    for block in _FENCE.finditer(text):
        pieces += [change(text[end : block.start()]), block[0]]
        end = block.end()
    return "".join([*pieces, change(text[end:])])
