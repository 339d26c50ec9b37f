"""Which methods to try first on a workload, from records of the same or the most similar workload.

A recommendation is the top of a leaderboard, so that it rests on the leaderboard's rules: a mean over seeds in which a
failed run counts 0, its interval, and who may be the best. It says on what it rests and how that differs from what was
asked; where the records rank nothing, it names nobody.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from bench.config.protocol import CORE_NORM, PROTOCOL_VERSION, PUBLISHABLE_SEEDS
from bench.config.workload import Workload, folder_name
from bench.statistics.board import Leaderboard, LeaderboardRow
from bench.statistics.current import under_current_names
from bench.statistics.estimates import RANKED_SEEDS
from bench.statistics.ranking import rank
from bench.statistics.stages import all_at_step, steps_of
from bench.store.journal import latest_attempts
from bench.store.record import Record

PICKS: Final = 3
"""How many methods are named."""

_COUNTING: Final = f"the core track of protocol {PROTOCOL_VERSION}"
"""Whose records count."""
_ALL_FAILED: Final = "every method failed at half of its seeds or more"


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """What the records say about a question; `picks` is empty where they do not answer it."""

    asked: Workload
    steps_asked: int | None
    workload: Workload | None = None
    """The workload of the records; None where there is none that resembles the one that was asked for."""
    differences: tuple[str, ...] = ()
    """In what `workload` differs from `asked`; empty where it is the same."""
    board: Leaderboard | None = None
    """Its ranking, on that workload alone; None where there is no record to rank."""
    steps: int | None = None
    """The budget of the board, in generator updates."""
    methods: int = 0
    """How many methods are in the board with all of its seeds."""
    picks: tuple[LeaderboardRow, ...] = ()
    """The first ones to try, the highest score first."""
    unknown: str = ""
    """Why nobody is named, where nobody is."""
    caveats: tuple[str, ...] = ()


def recommend(
    asked: Workload, records: Iterable[Record], workloads: Mapping[str, Workload], steps: int | None = None
) -> Recommendation:
    """Return the methods to try first on a workload: `recommend_on_each` for one."""
    return recommend_on_each([asked], records, workloads, steps)[0]


def recommend_on_each(
    asked: Sequence[Workload], records: Iterable[Record], workloads: Mapping[str, Workload], steps: int | None = None
) -> list[Recommendation]:
    """Return the methods to try first on each of some workloads.

    Only records of the present protocol's core track count. The answer is the ranking of the most similar workload that
    has one (`differences_of` says in what they differ), at the budget with a ranking that is nearest to `steps`, for
    which every evaluation counts (`stages.at_step`). Without `steps` it is the ranking with the most seeds, then the
    longest.

    Args:
        asked: the workloads in question.
        records: published ones, with their evaluations.
        workloads: by name, all that the records ran on.
        steps: the budget in generator updates; None leaves it open.
    """
    counting: dict[str, list[Record]] = defaultdict(list)
    kinds = {workload.is_toy for workload in asked}
    for record in under_current_names(latest_attempts(records)):
        if is_core(record) and workloads[record.spec.workload].is_toy in kinds:
            counting[record.spec.workload].append(record)
    boards = {name: _best_board(own, workloads, steps) for name, own in sorted(counting.items())}
    return [_recommended(workload, boards, workloads, steps) for workload in asked]


def _recommended(
    asked: Workload, every_board: Mapping[str, Leaderboard], workloads: Mapping[str, Workload], steps: int | None
) -> Recommendation:
    boards = {name: board for name, board in every_board.items() if workloads[name].is_toy == asked.is_toy}
    empty = Recommendation(asked=asked, steps_asked=steps)
    if not boards:
        kind = "points in the plane" if asked.is_toy else "images"
        return replace(empty, unknown=f"no published record of {_COUNTING} is on {kind}")
    told_most = sorted(boards, key=lambda name: _evidence(boards[name]), reverse=True)
    similar = sorted(told_most, key=lambda name: _unlikeness(asked, workloads[name]))
    able = [name for name in similar if _answers(boards[name])]
    name = able[0] if able else similar[0]
    board = boards[name]
    answer = replace(
        empty,
        workload=workloads[name],
        differences=differences_of(asked, workloads[name]),
        board=board,
        steps=board.workloads[0].steps,
        methods=len(board.scored),
    )
    if not able:
        return replace(answer, unknown=_why_unknown(board))
    passed = [(workloads[nearer], boards[nearer]) for nearer in similar[: similar.index(name)]]
    return replace(answer, picks=_learning(board)[:PICKS], caveats=tuple(_caveats(answer, board, passed)))


def seeds_of(board: Leaderboard) -> int:
    """Return how many seeds the methods of a table have that are scored."""
    return max((row.seeds for row in board.scored), default=0)


def differences_of(asked: Workload, nearest: Workload) -> tuple[str, ...]:
    """Say in words how another workload differs from the one that was asked for, what matters most first."""
    if is_same_data(asked, nearest):
        return ()
    words = []
    if nearest.stack != asked.stack:
        words.append("stacks of digits" if nearest.stack > 1 else "single images")
    if nearest.channels != asked.channels:
        words.append("gray" if nearest.channels == 1 else "in color")
    if nearest.image_size != asked.image_size:
        words.append(f"{nearest.image_size}x{nearest.image_size}")
    if nearest.is_toy and nearest.modes != asked.modes:
        words.append(f"{nearest.modes} modes")
    return (*words, "other data")


def is_same_data(asked: Workload, other: Workload) -> bool:
    """Say whether two workloads are the same. Folders of images are if they are one: they are not read."""
    return asked.name == other.name or (asked.kind == other.kind and folder_name(asked.name) is None)


def _unlikeness(asked: Workload, other: Workload) -> tuple[float, ...]:
    return (
        other.kind != asked.kind,
        other.stack != asked.stack,
        other.channels != asked.channels,
        abs(math.log2(other.image_size / asked.image_size)),
        abs(math.log2(max(1, other.modes) / max(1, asked.modes))) if asked.is_toy else 0.0,
    )


def is_core(record: Record) -> bool:
    """Say whether a record is of the core track of the present protocol."""
    spec = record.spec
    core = spec.network.d_norm == CORE_NORM and spec.track == "controlled"
    return spec.protocol_version == PROTOCOL_VERSION and core and not spec.allow_invalid


def _best_board(records: Sequence[Record], workloads: Mapping[str, Workload], steps: int | None) -> Leaderboard:
    """Rank the records of one workload; return the table that says most.

    Where a budget is asked for, that is at the nearest one with a ranking; if none has one, at the nearest.
    """
    if steps is None:
        return max(rank(records, workloads), key=_evidence)
    budgets = sorted(steps_of(records), key=lambda budget: (abs(math.log(budget / steps)), budget))
    boards = (max(rank(all_at_step(records, workloads, budget), workloads), key=_evidence) for budget in budgets)
    nearest = next(boards)
    return nearest if _answers(nearest) else next(filter(_answers, boards), nearest)


def _answers(board: Leaderboard) -> bool:
    """Say whether a table ranks methods enough that naming a few of them says something, and has one to name."""
    return len(board.ranked) > PICKS and bool(_learning(board))


def _learning(board: Leaderboard) -> tuple[LeaderboardRow, ...]:
    """Return the ranked methods that failed at less than half of their seeds: nobody should try another one first."""
    return tuple(row for row in board.ranked if 2 * row.failures < row.runs)


def _evidence(board: Leaderboard) -> tuple[object, ...]:
    seeds = seeds_of(board)
    tiers = sum(seeds >= needed for needed in (RANKED_SEEDS, PUBLISHABLE_SEEDS))
    return _answers(board), tiers, board.workloads[0].steps, len(board.scored), seeds, board.digest


def _why_unknown(board: Leaderboard) -> str:
    seeds = seeds_of(board)
    if seeds < RANKED_SEEDS:
        return f"its records have {seeds} seed{'s' * (seeds != 1)} a method, and fewer than {RANKED_SEEDS} rank nothing"
    if board.ranked and not _learning(board):
        return _ALL_FAILED
    return f"only {len(board.ranked)} methods have a rank"


def _unanswered(of: str, board: Leaderboard) -> str:
    """Say why the records of a workload do not answer, and what they have all the same."""
    if board.ranked and not _learning(board):
        return f"In the published records of {of} {_ALL_FAILED}."
    said = f"The published records of {of} rank too few methods."
    first = [f"{row.method} ({row.score:.3f})" for row in board.scored[:PICKS] if row.score is not None]
    if not first:
        return said
    seeds = seeds_of(board)
    few = "one seed, which shows" if seeds == 1 else f"at most {seeds} seeds, which show"
    return (
        f"{said} At {board.workloads[0].steps:,} steps and {few} no order, the highest scores are {', '.join(first)}."
    )


def _which_is(differences: Sequence[str]) -> str:
    return f"which is {', '.join(differences)}"


def _caveats(
    answer: Recommendation, board: Leaderboard, passed: Sequence[tuple[Workload, Leaderboard]]
) -> Iterable[str]:
    """Say what the answer does not cover.

    Args:
        answer: the recommendation so far.
        board: its table.
        passed: more similar workloads and their tables, which rank too little; the one that was asked for may be among
            them.
    """
    assert answer.workload is not None
    if answer.differences:
        nearer = [(workload, table) for workload, table in passed if not is_same_data(answer.asked, workload)]
        own = [table for workload, table in passed if is_same_data(answer.asked, workload)]
        is_folder = folder_name(answer.asked.name) is not None
        said = []
        if own:
            said.append(_unanswered(answer.asked.kind, own[0]))
        else:
            what = "these images" if is_folder else answer.asked.kind
            said.append(f"No published record of {_COUNTING} is on {what}.")
        if nearer:
            workload, table = nearer[0]
            said.append(_unanswered(f"{workload.name}, {_which_is(differences_of(answer.asked, workload))},", table))
        said.append(
            f"The most similar ranking is of {answer.workload.name}, {_which_is(answer.differences)}: the order may be "
            "another on yours."
        )
        yield " ".join(said)
    if answer.steps_asked is not None and answer.steps != answer.steps_asked:
        yield f"You asked for {answer.steps_asked:,} steps. The nearest published ranking is of {answer.steps:,}."
    seeds = min(row.seeds for row in board.ranked)
    if seeds < PUBLISHABLE_SEEDS:
        yield f"Provisional: {seeds} seeds for each method, and a table to quote has {PUBLISHABLE_SEEDS}."
    learning = len(_learning(board))
    if learning < PICKS:
        yield f"Only {learning} of the {len(board.ranked)} methods failed at less than half of their seeds."
    best = sum(bool(row.among_best) for row in board.ranked)
    if best > PICKS:
        yield f"{best} of the {len(board.ranked)} methods may be the best. The records do not tell them apart."
