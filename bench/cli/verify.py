"""`verify`: check published folders against their records, and some records by training them again."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli.options import (
    data_option,
    format_option,
    losses_option,
    print_json,
    usage_errors,
    use_losses,
)
from bench.cli.values import GivenPath
from bench.cli.voice import Verb, say
from bench.files.places import resolved

if TYPE_CHECKING:
    from bench.store.record import Record


@click.command(cls=Verb, short_help="Check published tables against their records.")
@click.argument("folders", nargs=-1, required=True, type=GivenPath(path_type=Path, file_okay=False, exists=True))
@click.option(
    "--since", metavar="REV", help="Check that what git revision REV had published is unchanged.  [default: HEAD]"
)
@click.option(
    "--rerun", "count", type=click.IntRange(min=1), metavar="K", help="Train K trials again and compare them."
)
@click.option(
    "--up-to-first-evaluation", "first_evaluation", is_flag=True,
    help="With --rerun: train up to the first evaluation only.",
)  # fmt: skip
@click.option(
    "--reruns", type=GivenPath(path_type=Path, file_okay=False, exists=True),
    help="With --rerun: reuse the trials that are in this results folder.",
)  # fmt: skip
@click.option(
    "--images", type=GivenPath(path_type=Path, file_okay=False, exists=True),
    help="With --rerun: the folder of the images, for records that name one.  [default: the one they name]",
)  # fmt: skip
@losses_option
@data_option
@format_option()
@click.pass_context
def verify(
    context: click.Context,
    folders: tuple[Path, ...],
    since: str | None,
    count: int | None,
    first_evaluation: bool,  # noqa: FBT001 - click passes a flag
    reruns: Path | None,
    images: Path | None,
    loss_files: tuple[Path, ...],
    data_dir: Path | None,
    style: str,
) -> None:
    """Check that the records of each FOLDER are complete, and that its tables follow from them.

    A FOLDER may also hold kernel timings (`kernels/`), or several published folders: each of them is checked.

    Lists what is wrong, file by file, and how to fix it. Exit code 0 if all is fine, 1 if not.

    --rerun K trains K trials again; the digest of the records chooses them. On the same kind of machine every number
    must equal the recorded one to the last bit. If no trial can be compared, the check fails too. Losses of your own
    are trained again with --losses, and images of your own with --images.
    """
    from bench.cli.reading import finding_json, print_findings
    from bench.data import workload
    from bench.report import kernel_verification, verification
    from bench.report.formatting import plural
    from bench.report.publication import published_folders

    # What is told on the way is the result for people, and beside it for programs.
    tell = say if style == "json" else click.echo
    documents: list[dict[str, object]] = []
    if count is None and (first_evaluation or loss_files or (reruns, images) != (None, None)):
        raise click.UsageError("say how many trials to train again: --rerun K")
    use_losses(loss_files)
    fine = True
    chosen = [inner for place in folders for inner in published_folders(place)]
    for folder in chosen:
        if reruns is not None and resolved(reruns) == resolved(folder):
            raise click.UsageError(
                f"--reruns {reruns}: these are the records that are to be trained again, and would be compared with "
                "themselves; name a folder in which they were"
            )
    for folder in chosen:
        if kernel_verification.holds_kernels_alone(folder):
            if since is not None:
                raise click.UsageError(
                    f"{folder} holds kernel timings, which have no manifest: what revision {since} had of them is not "
                    "known; leave out --since, or name the other folders"
                )
            verified = kernel_verification.verify(folder)
        else:
            with usage_errors():
                verified = verification.verify(folder, workload, since)
        if style == "table":
            print_findings(folder, verified.findings)
        off = sum(finding.wrong for finding in verified.findings)
        if count is not None:
            off += _train_again(
                folder,
                verified.read,
                count,
                tell,
                whole=not first_evaluation,
                reruns=reruns,
                images=images,
                data_dir=data_dir,
            )
        verdict = "fine" if not off else f"{plural(off, 'thing')} off"
        tell(f"{folder}: {verdict} ({plural(verified.records, 'record')})")
        findings = [finding_json(folder, finding) for finding in verified.findings]
        documents.append({"folder": folder, "fine": not off, "records": verified.records, "findings": findings})
        fine = fine and not off
    if style == "json":
        print_json({"fine": fine, "folders": documents})
    context.exit(0 if fine else 1)


def _train_again(
    folder: Path,
    records: "Sequence[Record]",
    count: int,
    tell: Callable[[str], None],
    *,
    whole: bool,
    reruns: Path | None,
    images: Path | None,
    data_dir: Path | None,
) -> int:
    """Train the chosen trials again, tell the outcome of each, and return how many things are wrong."""
    from collections import Counter

    from bench.cli.reading import open_store
    from bench.config.workload import folder_name
    from bench.report.formatting import plural
    from bench.rerun import drawn, hindrance, recipe, rerun
    from bench.statistics.damage import file_of

    if not records:
        tell(f"{folder}: there is no trial that could be trained again")
        return 1
    with usage_errors():
        made = open_store(reruns).latest() if reruns is not None else {}
    chosen = drawn(records, count)
    verdicts: Counter[str] = Counter()
    left = []
    for compared in rerun(chosen, first_evaluation=not whole, data_dir=data_dir, images=images, made=made):
        verdicts[compared.verdict] += 1
        spec = compared.record.spec
        who = f"{spec.method_name} on {spec.workload}, seed {spec.seed}"
        note = "" if compared.verdict == "differs" else "note: "
        elsewhere = ""
        if compared.verdict == "not compared":
            if hindrance(compared.record):
                left.append(compared.record)
            elif images is None and folder_name(spec.workload) is not None:
                elsewhere = "; if the images lie elsewhere, name their folder with --images"
        tell(f"{note}{folder / file_of(compared.record)}: {who}: {compared.words}{elsewhere}")
    tell(
        f"{folder}: of {plural(len(chosen), 'trial')} trained again {verdicts['same']} have every number to the last "
        f"bit, {verdicts['elsewhere']} ran on another kind of machine and begin alike, {verdicts['differs']} differ, "
        f"{verdicts['not compared']} were not compared"
    )
    if left:
        tell(f"{folder}: what other versions made is trained by the code that made it, in a clone of its repository:")
        for line in recipe(left, folder, count):
            tell(line)
    # Who asks for trials to be trained again, and has none compared, has not been told that they are right.
    nothing = verdicts["same"] + verdicts["elsewhere"] + verdicts["differs"] == 0
    return verdicts["differs"] + nothing
