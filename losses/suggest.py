"""The nearest valid spelling of a mistyped name."""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ' (did you mean "name"?)' for the nearest known name, or an empty string when none is near.

    Case and the difference between '-' and '_' count as nothing: "WGAN_GP" is next to "wgan-gp".
    """
    folded: dict[str, str] = {}
    for name in known:
        folded.setdefault(_fold(name), name)
    nearest = get_close_matches(_fold(word), folded, n=1, cutoff=0.5)
    return f' (did you mean "{folded[nearest[0]]}"?)' if nearest else ""


def _fold(word: str) -> str:
    return word.lower().replace("_", "-")
