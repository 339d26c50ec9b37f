"""What the leaderboard says: its title, its parts, their lines and notes. `bench.report.formats` writes them down."""

from collections.abc import Sequence

from bench.report.column import METHOD, Part
from bench.report.columns import all_parts
from bench.report.formatting import budget
from bench.report.notes import facts
from bench.statistics.board import Leaderboard
from bench.statistics.comparable_groups import BETWEEN


def title(board: Leaderboard) -> str:
    """Return a title that names what the records share, and says if there are too few seeds to quote."""
    provisional = ["provisional"] if any(row.provisional for row in board.scored) else []
    folder = [board.folder] if board.folder else []
    return BETWEEN.join([*folder, board.key.title, *_steps(board), *provisional])


def _steps(board: Leaderboard) -> list[str]:
    """Say how long the runs of each workload train, where the name of the budget does not."""
    if " steps" in board.key.budget:
        return []
    return [", ".join(f"{column.name} {column.steps:,} steps" for column in board.workloads)]


def budgets(board: Leaderboard) -> str:
    """Say what the methods of a table are trained on, and for how long."""
    return "; ".join(budget(column.name, column.steps, board.key.batch, column.seeds) for column in board.workloads)


def names(boards: Sequence[Leaderboard]) -> list[str]:
    """Return what tables are called beside each other: by their budgets, and where these agree by what else differs.

    New records that fit no published table can have one of the very same setting: then the digests tell.
    """
    said = [budgets(board) for board in boards]
    named = []
    for board, words in zip(boards, said, strict=True):
        settings = [other.key.pieces for other, others in zip(boards, said, strict=True) if others == words]
        telling = [piece for piece in board.key.pieces if not all(piece in pieces for pieces in settings)]
        named.append(BETWEEN.join([words, *telling]))
    return [
        name if named.count(name) == 1 else BETWEEN.join([name, f"digest {board.digest}"])
        for board, name in zip(boards, named, strict=True)
    ]


def parts(board: Leaderboard) -> list[Part]:
    """Divide the table into parts that are read together; a part that would show only names is left out."""
    return [part for part in all_parts(board) if part.columns != (METHOD,)]


def lines(board: Leaderboard, part: Part) -> list[list[str]]:
    """Write the part's rows, the reference lines first."""
    written = [[column.text(row) for column in part.columns] for row in board.rows]
    if not part.reference_lines:
        return written
    names = ("real data", "untrained generator")
    above = [[names[i] if column is METHOD else column.reference_texts[i] for column in part.columns] for i in range(2)]
    return above + written


def sort_keys(board: Leaderboard, part: Part) -> list[list[str]]:
    """Return what pages sort each line of `lines` by; that of a reference line, which stays on top, is empty."""
    keys = [[column.sort_key(row) for column in part.columns] for row in board.rows]
    above = len(lines(board, part)) - len(keys)
    return [[""] * len(part.columns)] * above + keys


def notes(board: Leaderboard) -> list[str]:
    """Say in full sentences what the table is made of and what it does not show."""
    said = facts(board)
    # What is said of several workloads in the same words is said once.
    return list(dict.fromkeys([*said[:1], *(note for part in parts(board) for note in part.notes), *said[1:]]))
