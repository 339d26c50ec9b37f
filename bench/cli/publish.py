"""`publish`: write the tables and the manifest of a folder of records."""

import re
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from bench.cli.completion import complete_suites
from bench.cli.options import format_option, print_json, usage_errors, use_losses_of_suite
from bench.cli.values import GivenPath
from bench.cli.voice import Verb
from bench.files.places import resolved

if TYPE_CHECKING:
    from bench.report.findings import FileFinding
    from bench.report.folder_contents import Contents

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@click.command(cls=Verb, short_help="Write the leaderboard beside its records, to publish both.")
@click.argument("folder", type=GivenPath(path_type=Path, file_okay=False))
@click.option(
    "--from", "source", type=GivenPath(path_type=Path, file_okay=False, exists=True),
    help="Copy the records of this results folder first.  [default: FOLDER has them already]",
)  # fmt: skip
@click.option(
    "--suite", "suite_name", shell_complete=complete_suites,
    help="With --from: copy the trials of this suite only.  [default: all]",
)  # fmt: skip
@click.option(
    "--describe-images", "described", multiple=True, metavar="NAME=TEXT",
    help="What the images of a folder called NAME are that trials ran on, and how others get them. Repeatable.",
)  # fmt: skip
@format_option(description="The format of the message about what was written, or is wrong.")
@click.pass_context
def publish(
    context: click.Context,
    folder: Path,
    source: Path | None,
    suite_name: str | None,
    described: tuple[str, ...],
    style: str,
) -> None:
    """Write the leaderboard in every format, and a manifest, beside the records of FOLDER.

    FOLDER is results/published/NAME. `publish` checks the records as `verify` does. If something is wrong, it lists the
    files, writes no table, and exits with 1.

    If the folder has the kernel records of all its methods, the tables show these costs instead of the times of the
    trials. --from copies them, too.

    Records on imagefolder:PATH need --describe-images, since nobody else knows what the images are; the manifest keeps
    it. Of PATH, --from keeps the last part.
    """
    from bench.cli.reading import print_findings, write_bytes
    from bench.data import workload
    from bench.report.folder_contents import cost_findings, ranked
    from bench.report.formatting import plural
    from bench.report.publication import MANIFEST, described_images, made_files, manifest
    from bench.report.verification import alien_files, published_before

    name = resolved(folder).name
    if not _NAME.fullmatch(name):
        raise click.UsageError(f"{name!r} names no published folder; take letters, digits, dots, dashes, underscores")
    if suite_name is not None and source is None:
        raise click.UsageError("--suite chooses what is copied: say from where, with --from")
    given = dict(map(_description, described))
    images = described_images(folder) | given
    only = None if suite_name is None else _trials_of(suite_name)
    contents = _checked(source or folder, images, context, style, only, to_copy=source is not None)
    _refuse_unknown(given, contents)
    if source is not None:
        _copy(contents, folder)
        contents = _checked(folder, images, context, style)
    off = [*alien_files(folder, contents), *published_before(folder, contents)]
    if off:
        _refuse(folder, off, context, style)
    with usage_errors():
        boards = ranked(contents, workload)
    made = made_files(folder, boards, contents.records)
    # The manifest comes last: a folder whose writing was interrupted has none, or one that does not fit.
    used = {name: words for name, words in images.items() if name in contents.image_folders}
    there = {file: content for file, content in contents.files.items() if (folder / file).exists()}
    written = {**made, MANIFEST: manifest(name, contents.records, boards, {**there, **made}, used)}
    for file, content in written.items():
        write_bytes(folder / file, content)
    if style == "json":
        print_json({"folder": folder, "fine": True, "records": len(contents.records), "files": sorted(written)})
        return
    print_findings(folder, cost_findings(boards, contents.kernels, workload))
    click.echo(f"{plural(len(contents.records), 'record')}, {plural(len(made), 'file')} of tables: {folder}")


def _description(text: str) -> tuple[str, str]:
    """Return the name of a folder of images, and what is said of it."""
    name, _, words = (part.strip() for part in text.partition("="))
    if not (name and words) or "\n" in words:
        raise click.UsageError(
            f"--describe-images {text!r}: write NAME=TEXT, on one line; NAME is the last part of the images' path"
        )
    return name, words


def _refuse_unknown(given: "Mapping[str, str]", contents: "Contents") -> None:
    """Refuse to say what images are that no record ran on."""
    names = contents.image_folders
    for name in given.keys() - names:
        ran = f"they ran on {', '.join(sorted(names))}" if names else "they ran on no folder of images"
        raise click.UsageError(f"--describe-images {name}: no record ran on a folder of that name; {ran}")


def _trials_of(suite_name: str) -> frozenset[str]:
    """Return the ids of a suite's trials."""
    from bench.config.suite import load_suite
    from bench.plan import expand

    with usage_errors():
        suite = load_suite(suite_name)
    use_losses_of_suite(suite)
    with usage_errors():
        return frozenset(trial.id for trial in expand(suite, fetch=False))


def _refuse(folder: Path, off: "Sequence[FileFinding]", context: click.Context, style: str) -> None:
    """Say what is wrong, and exit with 1."""
    from bench.cli.reading import finding_json, print_findings

    if style == "json":
        print_json({"folder": folder, "fine": False, "findings": [finding_json(folder, finding) for finding in off]})
    else:
        print_findings(folder, off)
    context.exit(1)


def _checked(
    folder: Path,
    images: "Container[str]",
    context: click.Context,
    style: str,
    only: "Container[str] | None" = None,
    *,
    to_copy: bool = False,
) -> "Contents":
    """Read a folder's records, those of the named trials where only these are asked for.

    If something is wrong, say what, and exit with 1.
    """
    from bench.cli.reading import read_records
    from bench.data import workload
    from bench.report.folder_contents import read_contents

    contents = read_contents(folder, workload, only, images=images, to_copy=to_copy)
    if not any(name.startswith("records/") for name in contents.files):
        read_records(folder)  # says that there are none, and how to make some
        if only is not None:
            raise click.UsageError(f"{folder} has no record of this suite's trials")
    if not contents.fine:
        _refuse(folder, contents.findings, context, style)
    return contents


def _copy(contents: "Contents", folder: Path) -> None:
    """Copy records of both kinds, none of which may be there with other bytes."""
    from bench.cli.reading import write_bytes
    from bench.config.protocol import REFERENCE_METHOD
    from bench.files.regular import UnusableFileError, read_regular
    from bench.report.verification import RECORDS
    from bench.store.journal import record_files
    from bench.store.kernels import kernel_files

    before = {*record_files(folder), *kernel_files(folder)}
    methods = {record.spec.method for record in contents.records} | {REFERENCE_METHOD}
    others = {f"kernels/{record.id}.json" for record in contents.kernels if not {record.method, record.label} & methods}
    copied = {
        folder / name: content
        for name, content in contents.files.items()
        if name.startswith(RECORDS) and name not in others
    }
    for path, content in copied.items():
        try:
            differs = path in before and read_regular(path, links=False) != content
        except UnusableFileError as error:
            raise click.UsageError(f"{path} {error}; move it away") from error
        if differs:
            raise click.UsageError(f"{path} is another record of the same attempt; keep one of the two")
    for path, content in copied.items():
        if path not in before:
            write_bytes(path, content)
