"""Options that several verbs share, and what their values mean."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from bench.config.suite import Suite

Command = TypeVar("Command", bound=Callable[..., Any])

DEFAULT_RESULTS: Final = "results/local"
DEFAULT_SUITE: Final = "quick"


@contextlib.contextmanager
def usage_errors() -> Iterator[None]:
    """Turn a `ValueError`, by which everything below says that its input is wrong, into exit code 2."""
    try:
        yield
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def complete_methods(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from bench.report.methods import methods

    return [CompletionItem(each.name, help=each.summary) for each in methods() if each.name.startswith(incomplete)]


def complete_workloads(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from bench import data

    prefixes = [f"{family.form.prefix}:" for family in data.families() if family.form is not None]
    known = [CompletionItem(name) for name in data.names() if name.startswith(incomplete)]
    for prefix in prefixes:
        if incomplete.startswith(prefix):
            known += [CompletionItem(f"{prefix}{folder}/") for folder in _folders(incomplete.removeprefix(prefix))]
        elif prefix.startswith(incomplete):
            known.append(CompletionItem(prefix))
    return known


def _folders(incomplete: str) -> list[str]:
    """Return the folders whose path begins so, spelled as it begins."""
    parent, slash, start = incomplete.rpartition("/")
    base = Path(f"{parent}{slash}" or ".").expanduser()
    try:
        inner = sorted(path.name for path in base.iterdir() if path.is_dir())
    except OSError:  # nothing to offer where nothing can be read
        return []
    return [f"{parent}{slash}{name}" for name in inner if name.startswith(start) and (start or name[0] != ".")]


def complete_suites(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from bench.config.suite import suite_names

    return [CompletionItem(name) for name in suite_names() if name.startswith(incomplete)]


def results_option(command: Command) -> Command:
    """Add `--results`."""
    return click.option(
        "--results",
        type=click.Path(path_type=Path, file_okay=False),
        default=DEFAULT_RESULTS,
        show_default=True,
        help="The folder of the records.",
    )(command)


def data_option(command: Command) -> Command:
    """Add `--data`."""
    return click.option(
        "--data",
        "data_dir",
        type=click.Path(path_type=Path, file_okay=False),
        help="The folder of downloaded data.  [default: $GAN_LOSS_BENCH_DATA, else the user's cache]",
    )(command)


def losses_option(command: Command) -> Command:
    """Add `--losses`; `use_losses` makes what it names known."""
    return click.option(
        "--losses",
        "loss_files",
        multiple=True,
        type=click.Path(path_type=Path, dir_okay=False),
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


def suite_options(command: Command) -> Command:
    """Add the options that say which trials are meant."""
    options = [
        click.option(
            "--suite",
            shell_complete=complete_suites,
            help=f"A suite by name, or the path of a TOML file.  [default: {DEFAULT_SUITE}]",
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
        click.option("--d-norm", type=click.Choice(["ln", "none", "sn", "bn"]), help="The discriminator's norm."),
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
    """Load the suite that `suite_options` describe: the named one (`quick` if none is), with what was given replaced.

    Raises:
        click.UsageError: for an unknown suite or key, or a value of the wrong type.
    """
    from bench.config.suite import load_suite

    use_losses(options["loss_files"])
    overrides: dict[str, object] = {}
    for setting in options["settings"]:
        key, sign, value = setting.partition("=")
        if not sign:
            raise click.UsageError(f"--set takes KEY=VALUE, not {setting!r}; for example --set batch_size=32")
        overrides[key.strip()] = value
    for key in ("methods", "workloads"):
        if options[key]:
            overrides[key] = list(options[key])
    overrides |= {key: options[key] for key in ("seeds", "steps", "d_norm") if options[key] is not None}
    if options["allow_invalid"]:
        overrides["allow_invalid"] = True
    with usage_errors():
        suite = load_suite(options["suite"] or DEFAULT_SUITE, overrides)
    use_losses([Path(name) for name in suite.losses])
    return suite
