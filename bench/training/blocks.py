"""Where a trial pauses: at the ends of blocks of steps, and at its evaluations. Importing it needs no torch."""

from typing import Final

BLOCK_STEPS: Final = 50
"""Monitors are flushed and the clock is read once in so many steps."""


def block_ends(steps: int, evaluate_every: int) -> list[int]:
    """Return the steps at which blocks end: every `BLOCK_STEPS`, at each evaluation, and at the last step."""
    return sorted({*range(BLOCK_STEPS, steps, BLOCK_STEPS), *range(evaluate_every, steps, evaluate_every), steps})
