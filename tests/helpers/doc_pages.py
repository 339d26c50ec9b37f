"""The pages of the documentation as tests read them: their files, their code, their commands."""

import re
import shlex
from pathlib import Path
from typing import Final

from site_marks import END

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"

_FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_SPAN: Final = re.compile(r"`(python -m bench [^`]+)`")


def pages() -> list[Path]:
    """Return every page that is written by hand, or that a command of ours writes into the repository."""
    names = ("README.md", "README.zh-CN.md", "CONTRIBUTING.md", "RELEASE.md", "CHANGELOG.md", "SECURITY.md")
    return [
        *(ROOT / name for name in names),
        ROOT / "examples" / "README.md",
        *sorted(DOCS.rglob("*.md")),
        *sorted(ROOT.glob("results/**/README.md")),
    ]


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, language: str = "") -> list[str]:
    """Return the blocks of code of that language; those without one are commands and what they print."""
    return [body for named, body in _FENCE.findall(page.read_text(encoding="utf-8")) if named == language]


def prose_under(text: str, begin: str) -> str:
    """Return what a page says between a table, which has that mark before it, and the next heading."""
    after = text.partition(begin)[2].partition(END)[2]
    return re.split(r"^## ", after, maxsplit=1, flags=re.MULTILINE)[0]


def commands(page: Path, *, inline: bool = False) -> list[list[str]]:
    """Return the words of every `python -m bench` in the blocks of a page, and on request also in its sentences."""
    lines = [line for block in blocks(page) for line in block.replace("\\\n", " ").splitlines()]
    found = [line for line in lines if line.startswith("python -m bench ")]
    if inline:
        found += [" ".join(each.split()) for each in _SPAN.findall(page.read_text(encoding="utf-8"))]
    parts = [part.strip() for line in found for part in line.partition(" > ")[0].split(" && ")]
    return [shlex.split(part, comments=True)[3:] for part in parts]
