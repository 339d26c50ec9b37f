"""The nearest valid spelling of a mistyped name."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

_CUTOFF: Final = 0.5
"""How alike two spellings must be, from 0 to 1."""


def nearest_name(word: str, known: Iterable[str]) -> str | None:
    """Return the known name that is spelled most alike, or None if none is near.

    Case and the difference between '-' and '_' are ignored: "WGAN_GP" is next to "wgan-gp".
    """
    folded: dict[str, str] = {}
    for name in known:
        folded.setdefault(_fold(name), name)
    close = get_close_matches(_fold(word), folded, n=1, cutoff=_CUTOFF)
    return folded[close[0]] if close else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return " (did you mean 'x'?)" for the nearest known name, or nothing if none is near."""
    name = nearest_name(word, known)
    return "" if name is None else f" (did you mean {name!r}?)"


def _fold(word: str) -> str:
    return word.lower().replace("_", "-")
