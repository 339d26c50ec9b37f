"""`atlas`: write the loss atlas, or check that it says what the library does."""

from pathlib import Path

import click

from bench.cli.options import format_option, print_json
from bench.cli.values import GivenPath
from bench.cli.voice import Verb
from bench.config.commands import command


@click.command(cls=Verb, short_help="Write the loss atlas, or check that it is up to date.")
@click.option("--check", is_flag=True, help="Write nothing; list what is out of date and exit with 1.")
@click.option(
    "--folder",
    "chosen",
    type=GivenPath(path_type=Path, file_okay=False),
    help="The folder of the atlas.  [default: docs/atlas of this checkout]",
)
@format_option(description="The format of the message about what was written, or is out of date.")
def atlas(check: bool, chosen: Path | None, style: str) -> int:  # noqa: FBT001 - click passes a flag
    """Write the loss atlas: for every method its formula, source, cost, signal and picture, one page per family.

    Pages written by hand stay as they are.
    """
    from bench.atlas import files

    folder = chosen or files.directory()
    if chosen is None and not folder.parent.is_dir():
        raise click.UsageError(f"there is no {folder.parent}, so this is not a checkout: name a folder with --folder")
    if not check:
        try:
            count = files.generate(folder)
        except OSError as error:
            raise click.UsageError(f"cannot write {folder}: {error.strerror}") from error
        if style == "json":
            print_json({"folder": folder, "files": count})
        else:
            click.echo(f"wrote {count} files: {folder}")
        return 0
    stale = files.stale(folder)
    if style == "json":
        print_json({"folder": folder, "stale": stale})
        return 1 if stale else 0
    for name in stale:
        click.echo(f"out of date: {folder / name}", err=True)
    if stale:
        where = ("--folder", chosen) if chosen else ()
        click.echo(f"fix it with: {command('atlas', *where)}", err=True)
        return 1
    click.echo(f"up to date: {folder}")
    return 0
