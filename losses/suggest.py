"""What to say of a mistyped name: the nearest valid spelling, and where all of them are."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

_FEW: Final = 12


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ' (did you mean "name"?)' for the nearest known name, or an empty string when none is near.

    Case and the difference between '-' and '_' are ignored: "WGAN_GP" is next to "wgan-gp".
    """
    folded: dict[str, str] = {}
    for name in known:
        folded.setdefault(_fold(name), name)
    nearest = get_close_matches(_fold(word), folded, n=1, cutoff=0.5)
    return f' (did you mean "{folded[nearest[0]]}"?)' if nearest else ""


def known_names(names: Iterable[str]) -> str:
    """Return the names, or where to find them when they are too many for a message."""
    names = list(names)
    return f"known: {', '.join(names)}" if len(names) <= _FEW else "losses.names() lists all of them"


def _fold(word: str) -> str:
    return word.lower().replace("_", "-")
