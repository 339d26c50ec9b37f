"""What a terminal shows, as text."""

import io

from rich.console import Console, RenderableType

from bench.report import formats
from bench.statistics.board import Leaderboard


def terminal_text(*shown: RenderableType, width: int = 140) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    for each in shown:
        console.print(each)
    return console.export_text()


def leaderboard_text(board: Leaderboard, width: int = 140) -> str:
    """Return all tables of a leaderboard, as a terminal of that width shows them."""
    return terminal_text(*(table for _, table in formats.to_tables(board, width)), width=width)
