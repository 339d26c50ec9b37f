"""`atlas`: write the loss atlas, or check that it says what the library does."""

import shlex
from pathlib import Path

import click


@click.command(short_help="Write the loss atlas, or check that it is up to date.")
@click.option("--check", is_flag=True, help="Write nothing; list what is out of date and exit with 1.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder.  [default: docs/atlas of this checkout]",
)
def atlas(check: bool, output: Path | None) -> int:  # noqa: FBT001 - click passes a flag
    """Write the loss atlas: for every method its formula, source, cost, signal and picture, one page a family.

    Pages that were written by hand stay as they are.
    """
    from bench.atlas import files

    folder = output or files.directory()
    if output is None and not folder.parent.is_dir():
        raise click.UsageError(f"there is no {folder.parent}, so this is no checkout: name a folder with --output")
    if not check:
        try:
            count = files.generate(folder)
        except OSError as error:
            raise click.UsageError(f"cannot write {folder}: {error.strerror}") from error
        click.echo(f"wrote {count} files: {folder}")
        return 0
    stale = files.stale(folder)
    for name in stale:
        click.echo(f"out of date: {folder / name}", err=True)
    if stale:
        where = f" --output {shlex.quote(str(output))}" if output else ""
        click.echo(f"mend it with: {files.MENDING_COMMAND}{where}", err=True)
        return 1
    click.echo(f"up to date: {folder}")
    return 0
