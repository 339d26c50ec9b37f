"""What a method costs beside the reference, paired by workload and seed on one kind of hardware."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from bench.statistics.current import Data, data_of
from bench.store.record import Record


@dataclass(frozen=True, kw_only=True)
class RelativeCost:
    """Medians of the paired ratios to the reference; none where no pair has both numbers."""

    throughput: float | None
    """Images a second over the reference's: 0.5 trains at half its pace."""
    discriminator_update: float | None
    """Seconds of one discriminator update over the reference's."""
    pairs: int
    """Runs of equal workload and seed that both have on equal hardware, with a throughput."""


def relative_cost(records: Iterable[Record], reference: Iterable[Record]) -> RelativeCost:
    """Compare the cost of runs with the reference's at the same workload, seed and hardware fingerprint.

    Time never crosses machines, nor steps that were replayed and steps that Python made: runs whose partner ran
    elsewhere or in the other way are left out.
    """
    partners = {_place(record): record for record in reference}
    pairs = [(record, partners[_place(record)]) for record in records if _place(record) in partners]
    paces = _ratios(pairs, "images_per_second")
    updates = _ratios(pairs, "discriminator_update_seconds")
    return RelativeCost(
        throughput=median(paces) if paces else None,
        discriminator_update=median(updates) if updates else None,
        pairs=len(paces),
    )


def _place(record: Record) -> tuple[Data, int, str | None, bool]:
    return data_of(record.spec), record.spec.seed, record.fingerprint, bool(record.cost.get("replayed_steps"))


def _ratios(pairs: Iterable[tuple[Record, Record]], key: str) -> list[float]:
    known = [(own.cost.get(key), base.cost.get(key)) for own, base in pairs if own.environment]
    return [own / base for own, base in known if own and base]
