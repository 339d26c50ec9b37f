"""Drawing a campaign's events: a live display, plain lines, or JSON lines."""

import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TextIO

import click
import msgspec

from bench.cli import voice
from bench.cli.terminal import console
from bench.config.trial import Trial
from bench.events import (
    CampaignStarted,
    Event,
    HeldElsewhere,
    NotKept,
    Progress,
    RecordDisagrees,
    RecordedElsewhere,
    TrialFinished,
    TrialRetried,
    TrialStarted,
)
from bench.report import formatting
from bench.store.record import OUT_OF_MEMORY

if TYPE_CHECKING:
    from rich.console import RenderableType

    from bench.events import OnProgress

PLAIN_INTERVAL: Final = 10.0
"""Plain progress lines come at most this often, in seconds, all trials together."""


@dataclass
class Running:
    """A trial that is being trained."""

    label: str
    latest: Progress | None = None


@dataclass
class Tally:
    """Where a campaign stands, kept up to date from its events."""

    planned: int = 0
    recorded: int = 0
    finished: int = 0
    problems: int = 0
    """Trials that ended in an error or a timeout."""
    running: dict[str, Running] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)
    labels: dict[str, str] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        if isinstance(event, CampaignStarted):
            self.planned, self.recorded = event.planned, event.recorded
            self.started = time.monotonic()
        elif isinstance(event, TrialStarted):
            self.labels[event.trial.id] = label(event.trial)
            self.running[event.trial.id] = Running(label(event.trial))
        elif isinstance(event, Progress):
            self.running.setdefault(event.trial_id, Running(self.name(event.trial_id))).latest = event
        elif isinstance(event, TrialRetried):
            self.running.pop(event.trial_id, None)
        elif isinstance(event, TrialFinished):
            self.running.pop(event.trial.id, None)
            self.labels.pop(event.trial.id, None)  # nothing more is said of it, and there may be a million
            self.finished += 1
            self.problems += event.status in {"error", "timeout"}
        elif isinstance(event, RecordedElsewhere):
            self.recorded += 1
            self.problems += event.status in {"error", "timeout"}

    def name(self, trial_id: str) -> str:
        return self.labels.get(trial_id, trial_id)

    @property
    def done(self) -> int:
        return self.recorded + self.finished

    @property
    def share(self) -> float:
        """How much of what this run has to do is done, the trials in flight by their steps."""
        todo = self.planned - self.recorded
        latest = [each.latest for each in self.running.values() if each.latest]
        return (self.finished + sum(each.step / each.steps for each in latest)) / todo if todo else 1.0

    def seconds_left(self) -> float | None:
        """Extrapolate from the share done; `None` while too little is done to say."""
        elapsed = time.monotonic() - self.started
        if self.share < 0.02 or elapsed < 2.0:
            return None
        return elapsed * (1.0 - self.share) / self.share


def label(trial: Trial) -> str:
    spec = trial.spec
    return f"{spec.method_name} on {spec.workload}, seed {spec.seed}"


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


class Renderer(ABC):
    """Shows events; used as a context manager around a campaign."""

    def __init__(self) -> None:
        self.tally = Tally()

    def handle(self, event: Event) -> None:
        """Take one event and show what is worth showing."""
        self.tally.take(event)
        self.show(event)

    @abstractmethod
    def show(self, event: Event) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


class JsonRenderer(Renderer):
    """One JSON object per line: an event, with the id of its trial."""

    def __init__(self, stream: TextIO | None = None) -> None:
        super().__init__()
        self._stream = stream or sys.stderr

    def show(self, event: Event) -> None:
        document = msgspec.to_builtins(event)
        if isinstance(event, TrialStarted | TrialFinished | RecordedElsewhere):
            document["trial_id"] = event.trial.id
        self._stream.write(msgspec.json.encode(document).decode() + "\n")
        self._stream.flush()


class PlainRenderer(Renderer):
    """One line when something starts or ends, and a line on the overall progress now and then."""

    def __init__(self, write: Callable[[str], None], interval: float = PLAIN_INTERVAL) -> None:
        super().__init__()
        self._write = write
        self._interval = interval
        self._last_written = time.monotonic()

    def show(self, event: Event) -> None:
        if isinstance(event, Progress) and not event.note:
            if time.monotonic() - self._last_written >= self._interval:
                self._line(self._standing(event))
            return
        line = self._words(event)
        if line:
            self._line(line)

    def _line(self, line: str) -> None:
        self._last_written = time.monotonic()
        self._write(line)

    def _words(self, event: Event) -> str:
        counter = f"[{self.tally.done}/{self.tally.planned}]"
        if isinstance(event, CampaignStarted):
            todo = event.planned - event.recorded
            planned = formatting.plural(event.planned, "trial")
            return f"{todo} of {planned} to run, {event.workers} at a time; records in {event.results}"
        if isinstance(event, TrialStarted):
            return f"{counter} {label(event.trial)}: started"
        if isinstance(event, TrialFinished):
            return f"{counter} {finished_line(event)}"
        if isinstance(event, RecordedElsewhere):
            return f"{counter} {recorded_line(event)}"
        if isinstance(event, Progress):
            return f"{counter} {self.tally.name(event.trial_id)}: {event.note}"
        return problem_line(event, self.tally)

    def _standing(self, event: Progress) -> str:
        distance = "" if event.distance is None else f", distance {formatting.distance(event.distance)}"
        left = self.tally.seconds_left()
        remaining = "" if left is None else f"; about {formatting.duration(left)} left"
        doing = f", {event.doing}" if event.doing else ""
        return (
            f"[{self.tally.done}/{self.tally.planned}] {self.tally.name(event.trial_id)}: step {event.step:,} of "
            f"{event.steps:,}, {event.images_per_second:,.0f} images/s{distance}{doing}{remaining}"
        )


class RichRenderer(Renderer):
    """A live display: one bar for the campaign, one line for each running trial; finished trials scroll by above."""

    def __init__(self) -> None:
        from rich.live import Live

        super().__init__()
        self._console = console(stderr=True)
        self._live = Live(console=self._console, get_renderable=self._display, refresh_per_second=4, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, event: Event) -> None:
        from rich.text import Text

        if isinstance(event, TrialFinished):
            mark, style = ("✓", "green") if event.status == "ok" else ("✗", "red")
            self._console.print(Text.assemble((mark, style), " ", finished_line(event)))
        elif isinstance(event, CampaignStarted):
            self._console.print(
                Text(
                    f"{formatting.plural(event.planned, 'trial')}, {event.workers} at a time; "
                    f"records in {event.results}"
                )
            )
            if event.recorded:
                self._console.print(Text(f"{event.recorded} of them are recorded already and are not run again"))
        elif isinstance(event, RecordedElsewhere):
            self._console.print(Text(recorded_line(event), style="dim"))
        elif isinstance(event, Progress) and event.note:
            self._console.print(Text(f"{self.tally.name(event.trial_id)}: {event.note}"))
        elif line := problem_line(event, self.tally):
            self._console.print(Text(line, style="yellow"))

    def _display(self) -> "RenderableType":
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        tally = self.tally
        left = tally.seconds_left()
        words = "" if left is None else f"about {formatting.duration(left)} left"
        head = Table.grid(padding=(0, 2))
        done = (tally.done - tally.finished + tally.share * (tally.planned - tally.recorded)) if tally.planned else 0.0
        head.add_row(
            f"{tally.done}/{tally.planned} trials",
            ProgressBar(total=tally.planned or 1, completed=done, width=36),
            words,
        )
        trials = Table.grid(padding=(0, 2))
        for running in list(tally.running.values()):
            trials.add_row("", *_running_cells(running))
        return Group(head, trials)


def _running_cells(running: Running) -> list["RenderableType"]:
    from rich.progress_bar import ProgressBar
    from rich.text import Text

    latest = running.latest
    if latest is None:
        return [Text(running.label), Text("starting", style="dim"), "", "", ""]
    distance = "" if latest.distance is None else f"distance {formatting.distance(latest.distance)}"
    return [
        Text(running.label),
        ProgressBar(total=latest.steps, completed=latest.step, width=14),
        f"step {latest.step:,}/{latest.steps:,}",
        latest.doing or f"{latest.images_per_second:,.0f} images/s",
        distance,
    ]


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


class SilentRenderer(Renderer):
    """Shows nothing, and counts."""

    def show(self, event: Event) -> None:
        pass


def renderer(kind: str) -> Renderer:
    """Return the renderer of `--progress`; `auto` is live on a terminal and plain lines elsewhere.

    Each writes on stderr, which leaves stdout to what comes of it. With -q nothing is shown.
    """
    if voice.quiet():
        return SilentRenderer()
    if kind == "auto":
        kind = "rich" if sys.stderr.isatty() else "plain"
    if kind == "json":
        return JsonRenderer()
    if kind == "rich":
        return RichRenderer()
    return PlainRenderer(_write_line)


def _write_line(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


@contextmanager
def counted(total: int) -> "Iterator[tuple[Callable[[str], None], OnProgress]]":
    """Show on stderr how many of so many things are done: a bar in a terminal, else a line now and then.

    Yields a function that prints a line, and one that is told of each thing how many of its steps are done.
    """
    finished = 0
    latest = time.monotonic()

    def share(done: int, steps: int) -> float:
        nonlocal finished
        finished += done == steps
        return finished + (done / steps if done < steps else 0.0)

    if voice.quiet():
        yield lambda line: None, lambda name, done, steps: None
        return
    if sys.stderr.isatty():
        from rich.progress import Progress as Bars
        from rich.text import Text

        with Bars(console=console(stderr=True), transient=True) as bars:
            bar = bars.add_task("", total=total)
            yield (
                lambda line: bars.console.print(Text(line)),
                lambda name, done, steps: bars.update(bar, description=name, completed=share(done, steps)),
            )
        return

    def say(line: str) -> None:
        nonlocal latest
        latest = time.monotonic()
        click.echo(line, err=True)

    def tell(name: str, done: int, steps: int) -> None:
        reached = share(done, steps)
        if time.monotonic() - latest >= PLAIN_INTERVAL:
            say(f"{reached / total:.0%}: {name}, {done:,} of {steps:,}")

    yield say, tell
