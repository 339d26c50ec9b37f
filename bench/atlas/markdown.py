"""The pieces of Markdown that the pages are made of, in the dialect that GitHub reads."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

_CODE: Final = re.compile(r"(`[^`]+`)")
_ARXIV: Final = re.compile(r"arXiv:(\d{4}\.\d{4,5})")


def prose(text: str, links: Mapping[str, str] | None = None) -> str:
    """Escape text for a paragraph or a table's cell; arXiv numbers and known names in backticks become links."""
    pieces = []
    for piece in _CODE.split(text):
        if _CODE.fullmatch(piece):
            target = (links or {}).get(piece.strip("`"))
            pieces.append(f"[{piece}]({target})" if target else piece.replace("|", "\\|"))
        else:
            escaped = re.sub(r"([\\*\[\]|])", r"\\\1", piece).replace("<", "&lt;").replace("~", "\\~")
            escaped = re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", escaped)
            pieces.append(_ARXIV.sub(r"[arXiv:\1](https://arxiv.org/abs/\1)", escaped))
    return "".join(pieces)


def paragraphs(text: str, links: Mapping[str, str] | None = None) -> list[str]:
    """Return the paragraphs of a docstring, each on one line and followed by an empty one."""
    return [line for block in text.split("\n\n") if block.strip() for line in (prose(joined(block), links), "")]


def joined(text: str) -> str:
    """Return the text on one line."""
    return " ".join(text.split())


def code(text: str) -> list[str]:
    """Return a block of preformatted text."""
    return ["```text", *text.splitlines(), "```", ""]


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, numeric: Sequence[int] = ()) -> list[str]:
    """Return a table whose cells are Markdown already; the columns named by index are set to the right."""
    rule = ["--:" if column in numeric else "---" for column in range(len(head))]
    return [f"| {' | '.join(cells)} |" for cells in (head, rule, *rows)] + [""]


def bullets(items: Iterable[tuple[str, str]]) -> list[str]:
    """Return a list of labelled facts, without those that are empty."""
    return [f"- **{label}:** {fact}" for label, fact in items if fact] + [""]


def anchor(heading: str) -> str:
    """Return the fragment by which GitHub finds a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def number(value: float | None) -> str:
    """Write a number with three significant digits, so that all machines write the same; a dash for none."""
    if value is None:
        return "–"
    return f"{value:.3g}".replace("-0", "0") if abs(value) < 1e-9 else f"{value:.3g}".replace("-", "−")
