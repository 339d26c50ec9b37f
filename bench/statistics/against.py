"""New records ranked among published ones, which stay what they are: scores together, times never.

A joined table is the table that all of its records would have in one folder, but for the times. Those of two folders
were measured beside other work, and often on other machines: a published row has the ratios of its own folder, and a
row that was trained here has none.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from bench.config.workload import Workload
from bench.statistics.board import Leaderboard, LeaderboardRow, Origins
from bench.statistics.comparable_groups import MethodKey
from bench.statistics.machines import MachineCheck, check_machine, setting_of
from bench.statistics.ranking import rank
from bench.statistics.scores import is_result
from bench.store.record import Record, without_history

HERE: Final = "here"
"""Where the rows of new records come from."""


@dataclass(frozen=True)
class Joined:
    """What became of new records that were to be ranked among published ones."""

    checks: tuple[MachineCheck, ...]
    """One for each setting of each campaign."""
    boards: tuple[Leaderboard, ...]
    """The joined tables, of the settings whose numbers may be compared."""
    apart: tuple[Leaderboard, ...]
    """The tables of the new records alone, of the other settings."""
    published: Mapping[str, Sequence[Record]]
    """The published records that stand, by the campaign's name."""
    new: Sequence[Record]
    """The new ones, without those of published trials that were trained here again."""


def rank_against(
    campaigns: Mapping[str, Sequence[Record]], own: Sequence[Record], workloads: Mapping[str, Workload]
) -> Joined:
    """Rank new records among published ones wherever a check shows that their numbers may be compared.

    Args:
        campaigns: published records, by the campaign's name.
        own: the new records, and those of published trials that were trained here again, which the check alone reads.
        workloads: by name, all that the records ran on.
    """
    campaigns, new = _published_and_new(campaigns, own)
    mine = _by_setting(own)
    checks: list[MachineCheck] = []
    fits: dict[str, Record] = {}
    comparable: dict[bytes, bool] = {}
    for name, records in campaigns.items():
        for setting, theirs in _by_setting(records).items():
            workload = workloads[theirs[0].spec.workload]
            checks.append(check_machine(name, theirs, mine.get(setting, []), workload))
            comparable[setting] = comparable.get(setting, False) or checks[-1].comparable
            if checks[-1].comparable:
                fits |= {record.trial_id: record for record in theirs}
    joins = {record.trial_id: comparable.get(setting_of(record.trial), False) for record in new}
    joined = [*fits.values(), *(record for record in new if joins[record.trial_id])]
    boards = rank(map(_timeless, joined), workloads)
    return Joined(
        checks=tuple(checks),
        boards=tuple(_as_published(board, campaigns, new, workloads, checks) for board in boards),
        apart=tuple(rank([record for record in new if not joins[record.trial_id]], workloads)),
        published=campaigns,
        new=new,
    )


def _published_and_new(
    campaigns: Mapping[str, Sequence[Record]], own: Sequence[Record]
) -> tuple[dict[str, list[Record]], list[Record]]:
    """Return the published records that stand, and which of the others are new.

    A published trial that was lost to a timeout or an error has no result: where it has one in another campaign or was
    trained here, that one stands.
    """
    published = {record.trial_id for records in campaigns.values() for record in records if is_result(record)}
    new = [record for record in own if record.trial_id not in published]
    elsewhere = published | {record.trial_id for record in new}
    standing = {
        name: [record for record in records if is_result(record) or record.trial_id not in elsewhere]
        for name, records in campaigns.items()
    }
    return standing, new


def _by_setting(records: Iterable[Record]) -> dict[bytes, list[Record]]:
    by_setting: dict[bytes, list[Record]] = defaultdict(list)
    for record in records:
        by_setting[setting_of(record.trial)].append(record)
    return by_setting


def _timeless(record: Record) -> Record:
    """Return the record without its times, under the digest that it has with them."""
    return msgspec.structs.replace(without_history(record), cost={})


def _as_published(
    board: Leaderboard,
    campaigns: Mapping[str, Sequence[Record]],
    new: Sequence[Record],
    workloads: Mapping[str, Workload],
    checks: Sequence[MachineCheck],
) -> Leaderboard:
    """Say of each row where it comes from, and give the published ones the ratios of their own folder's times."""
    own_tables: dict[str, list[Leaderboard]] = {}
    ids = {name.partition(".")[0] for name in board.record_ids}
    sources: dict[MethodKey, dict[str, None]] = defaultdict(dict)
    for name, records in {**campaigns, HERE: new}.items():
        inside = [record for record in records if record.trial_id in ids]
        for record in inside:
            sources[MethodKey(record.spec.method, record.spec.allow_invalid)][name] = None
        if name != HERE and inside:
            own_tables[name] = rank(inside, workloads, resamples=1)
    shown = [check for check in checks if check.comparable and check.campaign in own_tables]
    return replace(
        board,
        rows=tuple(_with_ratios(row, sources[row.method_key], own_tables) for row in board.rows),
        timed=next((table.timed for tables in own_tables.values() for table in tables), board.timed),
        origins=Origins(
            rows={key: tuple(names) for key, names in sources.items()},
            campaigns=tuple(own_tables),
            checks=tuple(f"{check.title}: {check.words}." for check in shown),
        ),
    )


def _with_ratios(
    row: LeaderboardRow, sources: Iterable[str], own_tables: Mapping[str, Sequence[Leaderboard]]
) -> LeaderboardRow:
    """Return the row with the ratios to the reference of the first folder that it comes from, if all of it does."""
    names = list(sources)
    if HERE in names:
        return row
    for other in (own for name in names for table in own_tables[name] for own in table.rows):
        if other.method_key == row.method_key and other.cost_pairs:
            return replace(
                row,
                relative_throughput=other.relative_throughput,
                relative_discriminator_update=other.relative_discriminator_update,
                cost_pairs=other.cost_pairs,
            )
    return row
