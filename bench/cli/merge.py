"""`merge`: unite the results of several machines."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli.options import format_option, print_json, usage_errors
from bench.cli.values import GivenPath
from bench.cli.voice import Verb

if TYPE_CHECKING:
    from bench.store.merging import Conflict, Union


@click.command(cls=Verb, short_help="Unite the results folders of several machines.")
@click.argument("folders", nargs=-1, required=True, type=GivenPath(path_type=Path, file_okay=False, exists=True))
@click.option(
    "--into", required=True, type=GivenPath(path_type=Path, file_okay=False),
    help="The folder that the others are united in. Nothing that is in it is changed.",
)  # fmt: skip
@format_option()
@click.pass_context
def merge(context: click.Context, folders: tuple[Path, ...], into: Path, style: str) -> None:
    """Copy the records of FOLDERS into one folder, with their artifacts, logs and kernel records.

    A record that several folders have is there once. Attempts that were lost to a timeout or an error come before the
    result, under new numbers where they need them. Of two results of one trial the first stays. If they ran on equal
    machines and have other numbers, that is a conflict: it is reported, and the exit code is 1.
    """
    from bench.cli.progress import counted
    from bench.store.journal import StoreError, record_files
    from bench.store.kernels import kernel_files
    from bench.store.merging import merge as united

    if any(folder.resolve() == into.resolve() for folder in folders):
        raise click.UsageError(f"{into} cannot be united with itself; name the other folders alone")
    empty = [folder for folder in folders if not (record_files(folder) or kernel_files(folder))]
    if len(empty) == len(folders):
        raise click.UsageError(f"there are no records in {', '.join(map(str, folders))}; name folders that have some")
    try:
        with usage_errors(), counted(1) as (_, tell):
            union = united(into, folders, lambda done, trials: tell("trials", done, trials))
    except StoreError as error:
        raise click.UsageError(str(error)) from error
    if style == "json":
        print_json(_document(into, union))
    else:
        for folder in empty:
            click.echo(f"note: there are no records in {folder}")
        _print(into, union)
    context.exit(1 if union.conflicts else 0)


def _print(into: Path, union: "Union") -> None:
    from bench.report.formatting import plural

    for conflict in union.conflicts:
        click.echo(_words(conflict))
    said = [
        (union.present, "in the folder already"),
        (union.repeated, "a second result with the same numbers: the first one stays"),
        (union.elsewhere, "a second result from another kind of machine: the first one stays"),
        (union.lost, "a timeout or an error of a trial that has a result: left out"),
        (len(union.conflicts), "a second result from an equal machine with other numbers: the first one stays"),
    ]
    for number, words in said:
        if number:
            click.echo(f"note: {plural(number, 'record')}: {words}")
    kernels = f", {plural(union.kernels, 'kernel record')}" if union.kernels else ""
    click.echo(f"{plural(union.added, 'record')} added{kernels}: {into}")


def _words(conflict: "Conflict") -> str:
    from bench.statistics.damage import file_of

    spec = conflict.kept.spec
    fields = ", ".join(conflict.differing[:5]) + (", ..." if len(conflict.differing) > 5 else "")
    return (
        f"{conflict.source / file_of(conflict.other)}: {spec.method_name} on {spec.workload}, seed {spec.seed}, "
        f"differs in {fields} from the result that stays, of an equal machine; find out which of the two is wrong"
    )


def _document(into: Path, union: "Union") -> dict[str, object]:
    from bench.statistics.damage import file_of

    return {
        "folder": into,
        "added": union.added,
        "present": union.present,
        "repeated": union.repeated,
        "elsewhere": union.elsewhere,
        "lost": union.lost,
        "kernels": union.kernels,
        "conflicts": [
            {
                "trial_id": conflict.kept.trial_id,
                "file": conflict.source / file_of(conflict.other),
                "differing": conflict.differing,
            }
            for conflict in union.conflicts
        ],
    }
