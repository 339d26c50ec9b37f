"""What a stage of the GPU checks found: one line of JSON each, as soon as it is known, and the table of them all."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final, Literal

State = Literal["ok", "note", "skipped", "failed", "cut", "left"]
"""`note` is a number or a fact without a verdict; `cut` is a stage that took longer than its limit, and `left` one for
which no time was left."""

BAD: Final = frozenset({"failed", "cut"})


@dataclass(frozen=True)
class Found:
    """What one check found."""

    state: State
    said: str
    values: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """What one check of a stage found, as it is written."""

    stage: str
    what: str
    state: State
    said: str
    values: Mapping[str, object] = field(default_factory=dict)
    seconds: float = 0.0

    def line(self) -> str:
        return json.dumps(asdict(self))


def parse(line: str) -> Result | None:
    """Return the result that a line holds; None for a line that somebody else has printed."""
    try:
        found = json.loads(line)
        return Result(**found) if isinstance(found, dict) else None
    except (ValueError, TypeError):
        return None


def read(path: Path) -> list[Result]:
    """Return the results of a file, of each check the last one; a line that was cut short is left out."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return list({(each.stage, each.what): each for each in map(parse, lines) if each is not None}.values())


def table(results: Iterable[Result]) -> str:
    """Return the results as a table in Markdown."""
    lines = ["| stage | what | result | | s |", "|---|---|---|---|---|"]
    for each in results:
        said = each.said.replace("|", "/").replace("\n", " ")
        lines.append(f"| {each.stage} | {each.what} | {each.state} | {said} | {each.seconds:.1f} |")
    return "\n".join(lines)


def exit_code(results: Iterable[Result]) -> int:
    """Return 1 if a check failed or a stage was cut short, else 0."""
    return int(any(each.state in BAD for each in results))
