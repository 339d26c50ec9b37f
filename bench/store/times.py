"""When something was: the times that records carry, which other programs may have written in another shape."""

from datetime import UTC, datetime

from bench.store.record import Record


def moment(text: str) -> datetime | None:
    """Read a date of a record, in whatever shape ISO 8601 has; in UTC; None where it is none or has no time zone."""
    try:
        time = datetime.fromisoformat(text)
        return time.astimezone(UTC) if time.tzinfo is not None else None
    except (ValueError, OverflowError):  # an hour of the year 1 may lie before it elsewhere
        return None


def age(record: Record) -> tuple[datetime, str, str]:
    """Return what orders records from the oldest to the newest: when each ended, whatever zone that is said in.

    One that does not say it, or not so that it can be read, comes first.
    """
    finished = moment(record.finished_at)
    return finished or datetime.min.replace(tzinfo=UTC), record.finished_at, record.trial_id
