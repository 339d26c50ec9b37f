"""The sample grids that a page has room for, as base64: every method's first seed before anybody's second."""

import base64
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.files.regular import UnusableFileError, read_regular
from bench.report import formatting
from bench.store.record import Record

SampleFile = Callable[[str], Path]
"""Where the sample grid of a trial lies, if it has one."""

MOST_BYTES: Final = 6_000_000
"""Of pictures in one page; in base64 they take a third more."""


@dataclass(frozen=True)
class Grid:
    trial_id: str
    seed: int
    description: str
    image: str
    """The PNG in base64."""


class Gallery:
    """The grids of all trials of a page, within its budget.

    Attributes:
        left_out: how many grids there are no room for.
    """

    def __init__(self, records: Iterable[Record], sample_file: SampleFile, budget: int = MOST_BYTES) -> None:
        """Read the pictures in the order of the records within each seed, until the budget is used up."""
        self._grids: dict[str, Grid] = {}
        self.left_out = 0
        for record in _by_turns(records):
            path = sample_file(record.trial_id)
            if not path.is_file():
                continue
            try:
                picture = read_regular(path, largest=budget)
            except UnusableFileError:  # larger than the room that is left, or not to be read: it stays where it is
                self.left_out += 1
                continue
            budget -= len(picture)
            image = base64.b64encode(picture).decode()
            self._grids[record.trial_id] = Grid(record.trial_id, record.spec.seed, result_text(record), image)

    def of(self, records: Iterable[Record]) -> list[Grid]:
        """Return the grids of these records that the page has, in their order."""
        return [self._grids[record.trial_id] for record in records if record.trial_id in self._grids]

    @property
    def note(self) -> str:
        """Say what is missing, or nothing."""
        if not self.left_out:
            return ""
        return (
            f"The page has room for {formatting.plural(len(self._grids), 'grid')}; {self.left_out:,} more "
            f"{'lies' if self.left_out == 1 else 'lie'} beside the records, in artifacts/TRIAL/samples.png."
        )


def _by_turns(records: Iterable[Record]) -> Sequence[Record]:
    """Order records so that the first seed of every method and workload comes before anybody's second."""
    turns: Counter[tuple[str, bool, str]] = Counter()
    placed = []
    for index, record in enumerate(records):
        key = record.spec.method, record.spec.allow_invalid, record.spec.workload
        placed.append((turns[key], index, record))
        turns[key] += 1
    return [record for _, _, record in sorted(placed, key=lambda item: item[:2])]


def result_text(record: Record) -> str:
    """Say how a run ended, as "distance 56.7", with its status where that is not ok."""
    measured = record.metrics.get("distance")
    distance = "" if measured is None else f"distance {formatting.distance(measured)}"
    status = "" if record.status == "ok" else formatting.STATUS_WORDS[record.status]
    return ", ".join(part for part in (distance, status) if part) or formatting.STATUS_WORDS[record.status]
