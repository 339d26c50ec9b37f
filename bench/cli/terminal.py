"""The only way to a terminal: control characters are removed from all output, and what cannot be shown is replaced.

Names of methods, suites and files, messages of errors and whatever stands in a record may be anybody's. An escape
sequence in them could clear the screen, retitle the window or hide a line, and a mark of right-to-left writing could
show a name as another one. `cleaned_streams` puts the rule before stdout and stderr, where nothing goes round it; the
console of `rich` steers the terminal itself and cleans the words that it is given (`console`).
"""

import codecs
import functools
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO, cast

if TYPE_CHECKING:
    from rich.console import Console

PIPE_WIDTH: Final = 140

_STEERING: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Control characters but tab and newline, the marks that turn the direction of writing, and two more ends of lines."""

_NO_CHARACTER: Final = re.compile("[\ud800-\udfff]")
"""What Python reads for the bytes of a file's name that are no text."""

_PLAIN: Final = {
    **dict(zip("▁▂▃▄▅▆▇█", "_.:-=+*#", strict=True)),
    **dict(zip("–—·×→…≤≥±✓✗’‘“”µσ", "--.x>.<>~+x''\"\"us", strict=True)),
}
"""A character for one, so that columns stay columns."""

_COMMAND: Final = ": python -m bench "

_ERRORS: Final = "gan-loss-bench.plain"


def printable(text: str) -> str:
    """Return a text without control characters."""
    return _NO_CHARACTER.sub("\N{REPLACEMENT CHARACTER}", _STEERING.sub("", text))


def console(*, stderr: bool = False) -> "Console":
    """Return a console as wide as the terminal, or wide enough for a table where there is none."""
    stream = sys.stderr if stderr else sys.stdout
    return cleaning_console(file=getattr(stream, "uncleaned", stream), width=None if stream.isatty() else PIPE_WIDTH)


def can_redraw() -> bool:
    """Whether stderr is a terminal that can draw over what it shows; on a dumb one a live display shows nothing."""
    to = console(stderr=True)
    # A pipe stays one, whatever the variables that force colors say.
    return to.file.isatty() and to.is_terminal and not to.is_dumb_terminal


def cleaning_console(**settings: Any) -> "Console":  # noqa: ANN401 - rich's settings, handed on as they are
    """Return a console of `rich` that cleans the words that it is given, and may steer the terminal itself."""
    return _cleaning()(highlight=False, **settings)


def print_notes(notes: Iterable[str], to: "Console") -> None:
    """Print sentences below a table. A command at the end has a line of its own, which breaks nowhere: it is pasted."""
    from rich.padding import Padding
    from rich.text import Text

    for note in notes:
        words, colon, command = note.partition(_COMMAND)
        to.print(Padding(Text(words + (":" if colon else ""), style="dim"), (0, 0, 0, 2)))
        if colon:
            to.print(f"  {_COMMAND.removeprefix(': ')}{command}", style="dim", markup=False, soft_wrap=True)


@functools.cache
def _cleaning() -> "type[Console]":
    # Late, since help and errors are said without rich.
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

    class Cleaning(Console):
        def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
            for segment in super().render(renderable, options):
                yield segment if segment.control else segment._replace(text=printable(segment.text))

    return Cleaning


class CleanStream:
    """A text stream that takes out of all that is written to it what steers a terminal. There are no bytes below."""

    def __init__(self, uncleaned: TextIO) -> None:
        self.uncleaned = uncleaned

    def write(self, text: str | bytes) -> int:
        # click hands over bytes now and then, completions for one, in the belief that there are bytes below.
        if isinstance(text, bytes):
            text = text.decode(self.uncleaned.encoding or "utf-8", "replace")
        self.uncleaned.write(printable(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the stream has
        if name == "buffer":
            raise AttributeError("bytes would go round the cleaning")
        return getattr(self.uncleaned, name)


@contextmanager
def cleaned_streams() -> Iterator[None]:
    """Clean what is printed meanwhile, and replace what the encoding of stdout or stderr does not have."""
    before = sys.stdout, sys.stderr
    with ExitStack() as stack:
        nowhere = stack.enter_context(Path(os.devnull).open("w", encoding="utf-8"))
        for stream in before:
            stack.enter_context(_forgiving(stream))
        # A stream that was closed before we began is None.
        sys.stdout, sys.stderr = (cast("TextIO", CleanStream(stream or nowhere)) for stream in before)
        try:
            yield
        finally:
            sys.stdout, sys.stderr = before


@contextmanager
def _forgiving(stream: TextIO) -> Iterator[None]:
    if not hasattr(stream, "reconfigure"):
        yield
        return
    before = stream.errors
    stream.reconfigure(errors=_ERRORS)
    try:
        yield
    finally:
        stream.reconfigure(errors=before)


def _plainly(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_PLAIN.get(character, "?") for character in error.object[error.start : error.end]), error.end


codecs.register_error(_ERRORS, _plainly)
