"""Drawing a campaign's events: a live display, plain lines, or JSON lines."""

import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TextIO

import click
import msgspec

from bench.cli import voice
from bench.cli.event_lines import finished_line, problem_line, recorded_line
from bench.cli.tally import Running, Tally, label
from bench.cli.terminal import can_redraw, console
from bench.events import (
    CampaignStarted,
    Event,
    Progress,
    RecordedElsewhere,
    TrialFinished,
    TrialStarted,
)
from bench.report import formatting

if TYPE_CHECKING:
    from rich.console import RenderableType

    from bench.events import OnProgress

PLAIN_INTERVAL: Final = 10.0
"""Plain progress lines come at most this often, in seconds, all trials together."""


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
            trials.add_row("", *running_cells(running))
        return Group(head, trials)


def running_cells(running: Running) -> list["RenderableType"]:
    """Return a running trial's line of the live display, a cell for each column."""
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


class SilentRenderer(Renderer):
    """Shows nothing, and counts."""

    def show(self, event: Event) -> None:
        pass


def renderer(kind: str) -> Renderer:
    """Return the renderer of `--progress`; `auto` is live on a terminal that can draw, and plain lines elsewhere.

    Each writes on stderr, which leaves stdout to what comes of it. With -q nothing is shown.
    """
    if voice.quiet():
        return SilentRenderer()
    if kind == "auto":
        kind = "rich" if can_redraw() else "plain"
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
    """Show on stderr how many of so many things are done: a bar in a terminal that can draw, else a line now and then.

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
    if can_redraw():
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
