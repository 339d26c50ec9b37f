"""Messages beside results: always on stderr, none with -q or among lines of JSON, more with -v.

Stdout has results only.
"""

from typing import Any, Final

import click

_LOUDNESS: Final = "bench.cli.loudness"
_EVENTS: Final = "bench.cli.events"
_QUIET: Final = -1
_VERBOSE: Final = 1


def quiet() -> bool:
    """Whether to print results and errors only."""
    return _loudness() == _QUIET


def verbose(context: click.Context | None = None) -> bool:
    """Whether to print details and tracebacks, as the given or the current context says."""
    return _loudness(context) == _VERBOSE


def leave_to_events(context: click.Context) -> None:
    """Leave stderr to lines of JSON: whoever reads them as a program has no use for words.

    Errors, and that a run is stopped, are told still.
    """
    context.meta[_EVENTS] = True


def has_events_alone() -> bool:
    """Whether stderr is left to lines of JSON."""
    context = click.get_current_context(silent=True)
    return context is not None and _EVENTS in context.meta


def say(message: str) -> None:
    """Write progress or a note to stderr; nothing with -q, and none among lines of JSON."""
    if not quiet() and not has_events_alone():
        click.echo(message, err=True)


def detail(message: str) -> None:
    """Write a detail to stderr; only with -v, and none among lines of JSON."""
    if verbose() and not has_events_alone():
        click.echo(message, err=True)


def _loudness(context: click.Context | None = None) -> int:
    context = context or click.get_current_context(silent=True)
    return context.meta.get(_LOUDNESS, 0) if context is not None else 0


def _set(context: click.Context, parameter: click.Parameter, given: bool) -> None:  # noqa: FBT001 - click's signature
    if not given:
        return
    chosen = _QUIET if parameter.name == "quiet" else _VERBOSE
    if context.meta.setdefault(_LOUDNESS, chosen) != chosen:
        raise click.UsageError("--quiet and --verbose contradict each other: leave one out")


def _voice_options() -> list[click.Option]:
    # Eager: what other options do may depend on them, wherever they stand on the line.
    quietly = click.Option(
        ["-q", "--quiet"], is_flag=True, is_eager=True, expose_value=False, callback=_set,
        help="Print results and errors only.",
    )  # fmt: skip
    loudly = click.Option(
        ["-v", "--verbose"], is_flag=True, is_eager=True, expose_value=False, callback=_set,
        help="Print more on stderr, and the traceback of an unexpected error.",
    )  # fmt: skip
    return [quietly, loudly]


class Verb(click.Command):
    """A command with -q and -v."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:  # noqa: ANN401 - click's signature
        super().__init__(*arguments, **settings)
        self.params += _voice_options()


class VerbGroup(Verb, click.Group):
    """A group with -q and -v, for itself and its commands, which are verbs."""

    command_class = Verb
