"""Options that several verbs share, and what their values mean."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
from click.core import ParameterSource

from bench.cli.completion import complete_methods, complete_suites, complete_workloads
from bench.cli.values import GivenPath, from_home
from bench.files.places import as_text

if TYPE_CHECKING:
    from bench.config.suite import Suite

Command = TypeVar("Command", bound=Callable[..., Any])
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

DEFAULT_RESULTS: Final = "results/local"
RESULTS_VARIABLE: Final = "GAN_LOSS_BENCH_RESULTS"
"""The environment variable that names the results folder."""

_JSON: Final = "bench.cli.json"


@contextlib.contextmanager
def usage_errors() -> Iterator[None]:
    """Turn a `ValueError`, which means wrong input everywhere below, into exit code 2."""
    try:
        yield
    except ValueError as error:
        from bench.cli.own_losses import hint

        # The library says where its names are in Python's words; here they are a verb's.
        message, file = str(error).replace("losses.names() lists", "`python -m bench list` lists"), hint(error)
        if file:  # what is near to the name is not what was meant
            message = message.partition(" (did you mean")[0].partition("; ")[0]
        raise click.UsageError(f"{message}{file}") from error


def format_option(*others: str, default: str | None = "table", description: str = "The output format.") -> Decorator:
    """Add `--format`, which sets `style`: table for people, json for programs, and the verb's own formats.

    `--json` is short for `--format json`.

    Args:
        others: the verb's own formats, between the two that every verb has.
        default: the format where none is chosen; None if the verb decides.
        description: the help.
    """

    def shorten(context: click.Context, _: click.Parameter, given: bool) -> None:  # noqa: FBT001 - click's signature
        if given:
            context.meta[_JSON] = True

    def choose(context: click.Context, _: click.Parameter, given: str | None) -> str | None:
        if not context.meta.get(_JSON):
            return given or default
        if given not in (None, "json"):
            raise click.UsageError(f"--json is short for --format json, which --format {given} contradicts")
        return "json"

    # No default of click's: it could not be told from a choice. The short form is eager, and so is read first.
    shown = description if default is None else f"{description}  [default: {default}]"
    choice = click.option(
        "--format", "style", type=click.Choice(["table", *others, "json"]), callback=choose, help=shown
    )  # fmt: skip
    short = click.option(
        "--json", is_flag=True, is_eager=True, expose_value=False, callback=shorten, help="Short for --format json."
    )
    return lambda command: choice(short(command))


class RenamedOption(click.Option):
    """An option that still answers to the name it had before, which no help and no completion shows."""

    def __init__(self, names: Sequence[str], *, old_name: str, **attributes: Any) -> None:  # noqa: ANN401 - click's own
        super().__init__(names, **attributes)
        self._old_name = old_name

    def add_to_parser(self, parser: Any, context: click.Context) -> None:  # noqa: ANN401 - a class that click hides
        names = self.opts
        self.opts = [*names, self._old_name]
        try:
            super().add_to_parser(parser, context)
        finally:
            self.opts = names


def output_option(description: str, *, multiple: bool = False, required: bool = False) -> Decorator:
    """Add `-o`, `--output`: the file that the verb writes. It never means a folder.

    Args:
        description: the help.
        multiple: whether there may be several; the parameter is called `outputs` then.
        required: whether there must be one.
    """
    name = "outputs" if multiple else "output"
    return click.option(
        "-o", "--output", name, type=GivenPath(path_type=Path, dir_okay=False), metavar="FILE", multiple=multiple,
        required=required, help=description,
    )  # fmt: skip


def given(*names: str) -> list[str]:
    """Return those of these parameters that stand on the command line, in the spelling of the help."""
    context = click.get_current_context()
    params = {param.name: param.opts[-1] for param in context.command.params}
    return [params[name] for name in names if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]


SUFFIXES: Final = {
    ".md": "md", ".csv": "csv", ".json": "json", ".tex": "latex", ".html": "html", ".parquet": "parquet",
    ".txt": "table",
}  # fmt: skip
"""What the name of a file says about how it is written, where `--format` does not."""


def written_as(style: str | None, output: Path | None, default: str) -> str:
    """Return the format: the chosen one, else the one that the file's ending names, else the default.

    Raises:
        click.UsageError: the ending, without a chosen format, is of no format of this command. A file that other
            programs cannot open would be the answer.
    """
    if style is not None:
        return style
    if output is None or not output.suffix:
        return default
    choice = next(param for param in click.get_current_context().command.params if param.name == "style")
    assert isinstance(choice.type, click.Choice)
    endings = {suffix: name for suffix, name in SUFFIXES.items() if name in choice.type.choices}
    named = endings.get(output.suffix.lower())
    if named is None:
        raise click.UsageError(
            f"--output {output}: no format here ends in {output.suffix}, but {', '.join(endings)} do; "
            "or choose one with --format"
        )
    return named


def json_text(document: object) -> str:
    """Return a document as JSON. Numbers that are not finite are null."""
    import msgspec

    return msgspec.json.format(msgspec.json.encode(document, enc_hook=as_text), indent=2).decode() + "\n"


def print_json(document: object) -> None:
    """Print a document as JSON."""
    click.echo(json_text(document), nl=False)


def results_option(command: Command) -> Command:
    """Add `--results`."""
    return click.option(
        "--results",
        type=GivenPath(path_type=Path, file_okay=False),
        default=DEFAULT_RESULTS,
        envvar=RESULTS_VARIABLE,
        help=f"The folder of the records.  [default: ${RESULTS_VARIABLE}, else {DEFAULT_RESULTS}]",
    )(command)


def data_option(command: Command) -> Command:
    """Add `--data`."""
    return click.option(
        "--data",
        "data_dir",
        type=GivenPath(path_type=Path, file_okay=False),
        help="The folder of downloaded data.  [default: $GAN_LOSS_BENCH_DATA, else the user's cache]",
    )(command)


def losses_option(command: Command) -> Command:
    """Add `--losses`; `use_losses` makes what it names known."""
    return click.option(
        "--losses",
        "loss_files",
        multiple=True,
        type=GivenPath(path_type=Path, dir_okay=False),
        help="A Python file that registers losses of your own. Repeatable.",
    )(command)


def use_losses(files: Sequence[Path]) -> None:
    """Make the losses of the user's files known by name; without any, torch is not imported.

    Raises:
        click.UsageError: for a file that is not there or cannot be imported.
    """
    if files:
        from bench.plan import use_losses_of

        with usage_errors():
            use_losses_of(files)


def d_norm_option(default: str | None = None) -> Callable[[Command], Command]:
    """Add `--d-norm`, the norm in the discriminator, as `d_norm`."""
    return click.option(
        "--d-norm",
        type=click.Choice(["ln", "none", "sn", "bn"]),
        default=default,
        show_default=default is not None,
        help="The discriminator's norm.",
    )


_SPELLED: Final = {
    "methods": "--method", "workloads": "--workload", "seeds": "--seeds", "steps": "--steps", "d_norm": "--d-norm",
    "allow_invalid": "--allow-invalid",
}  # fmt: skip
"""The keys of a suite that have an option of their own, by the names of both."""


def suite_options(command: Command) -> Command:
    """Add the options that say which trials are meant."""
    options = [
        click.option(
            "--suite",
            shell_complete=complete_suites,
            help="A suite by name, or the path of a TOML file.  [default: quick, without --method and --workload]",
        ),
        click.option(
            "--method",
            "methods",
            multiple=True,
            shell_complete=complete_methods,
            help="A method by name or as an expression, instead of the suite's. Repeatable.",
        ),
        losses_option,
        click.option(
            "--workload",
            "workloads",
            multiple=True,
            shell_complete=complete_workloads,
            help="A workload instead of the suite's. Repeatable.",
        ),
        click.option("--seeds", type=click.IntRange(min=1), help="How many seeds: 0 to N-1."),
        click.option("--steps", type=click.IntRange(min=1), help="Generator updates of a trial."),
        d_norm_option(),
        click.option(
            "--allow-invalid", is_flag=True, help="Run methods that this norm makes ill-defined; never ranked."
        ),
        click.option(
            "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Any other key of a suite. Repeatable."
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def suite_from(options: Mapping[str, Any]) -> "Suite":
    """Load the suite that `suite_options` describe: the named one, with what was given replaced.

    Where none is named it is `chosen_suite`: `quick`, or each workload's own budget for methods or workloads of choice.

    Raises:
        click.UsageError: for an unknown suite or key, one that is set twice, or a value of the wrong type.
    """
    from bench.config.suite import chosen_suite, load_suite

    use_losses(options["loss_files"])
    overrides: dict[str, object] = {}
    for setting in options["settings"]:
        key, sign, value = setting.partition("=")
        if not sign:
            raise click.UsageError(f"--set takes KEY=VALUE, not {setting!r}; for example --set batch_size=32")
        key = key.strip()
        if key in overrides:
            raise click.UsageError(f"--set {key}={overrides[key]} and --set {key}={value}: leave one of them out")
        if key in _SPELLED and options[key]:
            raise click.UsageError(f"{_SPELLED[key]} and --set {key}={value} both set {key}: leave one of them out")
        overrides[key] = value
    for key in ("methods", "workloads"):
        if options[key]:
            overrides[key] = list(options[key])
    overrides |= {key: options[key] for key in ("seeds", "steps", "d_norm") if options[key] is not None}
    if options["allow_invalid"]:
        overrides["allow_invalid"] = True
    with usage_errors():
        suite = load_suite(from_home(options["suite"]), overrides) if options["suite"] else chosen_suite(overrides)
    use_losses_of_suite(suite)
    return suite


def use_losses_of_suite(suite: "Suite") -> None:
    """Make the losses known that a suite names: whatever is planned from it may be made of them.

    Raises:
        click.UsageError: as for `use_losses`.
    """
    use_losses([Path(name) for name in suite.losses])
