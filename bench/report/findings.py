"""What checks of a published folder find."""

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class FileFinding:
    """One thing about one file. What is not `wrong` is worth knowing and no reason to refuse the folder."""

    file: str
    what: str
    fix: str = ""
    wrong: bool = True
