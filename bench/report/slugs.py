"""Names in a form that fits an id or the name of a file."""

import re
from collections.abc import Container
from itertools import chain, count


def slug(words: str) -> str:
    """Return words in a form that fits an id or a file name: lower case, digits and single hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")[:80] or "unnamed"


def free_name(name: str, taken: Container[str]) -> str:
    """Return the name, with a number after it where it is taken: a slug may leave out what tells two things apart."""
    names = chain([name], (f"{name}-{number}" for number in count(2)))
    return next(candidate for candidate in names if candidate not in taken)
