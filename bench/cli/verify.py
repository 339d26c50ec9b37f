"""`verify`: check published folders against their records."""

from pathlib import Path

import click


@click.command(short_help="Check published tables against their records.")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.pass_context
def verify(context: click.Context, folders: tuple[Path, ...]) -> None:
    """Check that the records of each FOLDER are whole, and that its tables are what the records give.

    A folder of kernel timings (`kernels/`) is checked as one.

    Says what is off, file by file, and how to mend it. Exit code 0 if all is fine, 1 if something is off.
    """
    from bench.cli.reading import print_findings
    from bench.data import workload
    from bench.report import kernel_verification, verification
    from bench.report.wording import plural

    fine = True
    for folder in folders:
        if kernel_verification.holds_kernels(folder):
            verified = kernel_verification.verify(folder)
        else:
            verified = verification.verify(folder, workload)
        print_findings(folder, verified.findings)
        off = sum(finding.wrong for finding in verified.findings)
        verdict = "fine" if verified.fine else f"{plural(off, 'thing')} off"
        click.echo(f"{folder}: {verdict} ({plural(verified.records, 'record')})")
        fine = fine and verified.fine
    context.exit(0 if fine else 1)
