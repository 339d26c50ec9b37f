"""What a campaign's events say, a line each."""

from bench.cli.tally import Tally, label
from bench.events import (
    Event,
    HeldElsewhere,
    NotKept,
    RecordDisagrees,
    RecordedElsewhere,
    TrialFinished,
    TrialRetried,
)
from bench.report import formatting
from bench.store.record import OUT_OF_MEMORY


def finished_line(event: TrialFinished) -> str:
    """Return how a trial ended: "nsgan on digits, seed 0: distance 75.1 after 21 s"."""
    parts = [] if event.distance is None else [f"distance {formatting.distance(event.distance)}"]
    if event.status != "ok":
        parts.append(formatting.STATUS_WORDS.get(event.status, event.status))
    if event.message:
        parts.append(event.message)
    return f"{label(event.trial)}: {', '.join(parts) or 'ok'}, after {formatting.duration(event.seconds)}"


def recorded_line(event: RecordedElsewhere) -> str:
    """Return what another campaign has made of a trial."""
    how = formatting.STATUS_WORDS.get(event.status, event.status)
    return f"{label(event.trial)}: {how}, recorded by another campaign"


def held_line(event: HeldElsewhere) -> str:
    """Return what others are at: "process 12 on node3 is at 2 trials of this plan; the rest is shared"."""
    who = " and ".join(event.holders)
    trials = formatting.plural(len(event.trial_ids), "trial")
    if event.waiting:
        return f"waiting for {trials} that {who} {'is' if len(event.holders) == 1 else 'are'} at; Ctrl-C leaves them"
    return f"{who} {'is' if len(event.holders) == 1 else 'are'} at {trials} of this plan; the work is shared out"


def problem_line(event: Event, tally: Tally) -> str:
    """Return a line for what went wrong without ending a trial, or is done elsewhere; empty for any other event."""
    if isinstance(event, HeldElsewhere):
        return held_line(event)
    if isinstance(event, TrialRetried) and event.reason.startswith(OUT_OF_MEMORY):
        most = event.trials_per_process
        company = "alone" if most == 1 else f"with at most {most} trials in its process"
        return f"{tally.name(event.trial_id)}: {event.reason}; trying again {company}"
    if isinstance(event, TrialRetried):
        return f"{tally.name(event.trial_id)}: its process was lost ({event.reason}); trying once more"
    if isinstance(event, RecordDisagrees):
        return (
            f"{tally.name(event.trial_id)}: differs from its first record in {', '.join(event.fields)} although "
            "the machine is the same; the first record stays"
        )
    if isinstance(event, NotKept):
        where = f"; it is kept in {event.place}" if event.place else ""
        return f"{tally.name(event.trial_id)}: its {event.what} cannot be written ({event.reason}){where}"
    return ""
