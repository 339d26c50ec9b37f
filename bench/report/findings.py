"""What the checks of a published folder find."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class FileFinding:
    """One fact about one file. If it is not `wrong`, it is worth knowing but no reason to refuse the folder."""

    file: str
    what: str
    fix: str = ""
    wrong: bool = True


def all_fine(findings: Iterable[FileFinding]) -> bool:
    """Return whether none of the findings is wrong."""
    return not any(finding.wrong for finding in findings)
