"""What is said beside results: always on stderr, nothing with -q, more with -v. Stdout is for results alone."""

from typing import Any, Final

import click

_LOUDNESS: Final = "bench.cli.loudness"
_QUIET: Final = -1
_VERBOSE: Final = 1


def quiet() -> bool:
    """Whether nothing but results and errors is to be written."""
    return _loudness() == _QUIET


def verbose(context: click.Context | None = None) -> bool:
    """Whether everything is to be told, the traceback of an unexpected error among it; by a context that has ended."""
    return _loudness(context) == _VERBOSE


def say(message: str) -> None:
    """Tell how the work gets on, or what there is to know beside its result; not with -q."""
    if not quiet():
        click.echo(message, err=True)


def detail(message: str) -> None:
    """Tell what few want to know; only with -v."""
    if verbose():
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
    quietly = click.Option(
        ["-q", "--quiet"], is_flag=True, expose_value=False, callback=_set,
        help="Results and errors alone.",
    )  # fmt: skip
    loudly = click.Option(
        ["-v", "--verbose"], is_flag=True, expose_value=False, callback=_set,
        help="More on stderr; the traceback of an unexpected error.",
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
