"""Whether real data give a workload a scale to score on: without one the workload has no score, and says why."""

from collections.abc import Iterable
from dataclasses import dataclass

from bench.config.protocol import AVERAGE, scoring_version
from bench.config.workload import Workload
from bench.store.record import Record


@dataclass(frozen=True)
class NoScale:
    """Why a record's workload cannot be scored, and what to do about it."""

    reason: str
    way_out: str


def no_scale(record: Record, workload: Workload) -> NoScale | None:
    """Return what keeps a record from being scored; None where there is a scale.

    By distance there is one where 0 < F_floor < F_init. By modes, under scoring version 2, there is one where real data
    reach a fidelity above 0. The record itself is in order: all of them have the same floors, but for rounding.
    """
    if workload.scored_by == "distance":
        return _distances(record.metrics.get("distance_floor"), record.metrics.get("distance_init"))
    if scoring_version(record.protocol_version) == "1":
        return None
    if workload.is_toy:
        return _share("high_quality_ceiling", record.metrics.get("high_quality_ceiling"), nothing=0.0)
    return _share("unreadable_floor", record.metrics.get("unreadable_floor"), nothing=1.0) or _share(
        "coverage_ceiling", record.metrics.get("coverage_ceiling"), nothing=0.0
    )


@dataclass(frozen=True)
class Unscored:
    """Why a workload is left out of every score of a table."""

    lacking: NoScale
    record: str
    """The first result that shows it, TRIAL.ATTEMPT."""
    results: int
    """How many do."""
    of: int


def unscored(records: Iterable[Record], workload: Workload) -> Unscored | None:
    """Return why a workload is in no score of a table, given the results that would count; None where it is.

    One result without a scale costs the workload its score for everybody: which of several floors is the right one
    nobody can tell, and a method must not be scored on other workloads than the next. Failed runs score 0 on any scale.
    """
    checked = [(record, no_scale(record, workload)) for record in records if _is_held_against_a_scale(record)]
    without = [(record, lacking) for record, lacking in checked if lacking is not None]
    if not without:
        return None
    first, lacking = without[0]
    return Unscored(lacking, f"{first.trial_id}.{first.attempt}", len(without), len(checked))


def _is_held_against_a_scale(record: Record) -> bool:
    return record.status == "ok" or record.metrics.get(f"{AVERAGE}distance") is not None


def _distances(floor: float | None, initial: float | None) -> NoScale | None:
    if floor is None:
        return _unknown("distance_floor")
    if floor == 0.0:
        return NoScale(
            "the distance of real data to real data is 0, as if the test images were copies of training images",
            "hold out images that are no copies, and run it again",
        )
    if initial is not None and floor >= initial:
        return NoScale(
            f"the distance of real data to real data, {floor:.4g}, is not below the untrained generator's, "
            f"{initial:.4g}, as with too few images or a test part of another kind",
            "take more images, or hold out some of the same kind, and run it again",
        )
    return None


def _share(name: str, value: float | None, *, nothing: float) -> NoScale | None:
    if value is None:
        return _unknown(name)
    if value == nothing:
        return NoScale(
            f"{name} is {value:g}: by that measure real data are worth nothing",
            "take data whose test part is like its training part, and run it again",
        )
    return None


def _unknown(name: str) -> NoScale:
    return NoScale(f"its records do not know {name}", "run its trials again with a program that measures it")
