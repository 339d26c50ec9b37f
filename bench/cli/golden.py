"""`golden`: record what the first steps of every loss compute, so that `compare` can tell what changed."""

from pathlib import Path

import click

from bench.cli.completion import complete_methods
from bench.cli.options import (
    format_option,
    losses_option,
    output_option,
    print_json,
    usage_errors,
    use_losses,
)
from bench.cli.own_losses import prints_aside
from bench.cli.voice import Verb


@click.command(cls=Verb, short_help="Record golden traces: the first steps of every loss.")
@click.argument("methods", metavar="[METHOD]...", nargs=-1, shell_complete=complete_methods)
@losses_option
@output_option("The file, which ends in .json.", required=True)
@format_option(description="The format of the message about what was written.")
def golden(methods: tuple[str, ...], loss_files: tuple[Path, ...], output: Path, style: str) -> None:
    """Record golden traces. `compare` compares two files of them.

    Twenty steps of a small network on made-up images, in float32 on one thread of the CPU: both losses, both gradient
    norms and what else is watched. METHOD is a name, an expression, or a part, which then runs beside bce_ns; the
    default is everything in the library.
    """
    if output.suffix != ".json":
        raise click.UsageError(f"--output {output}: name it .json, so that `compare` recognizes it")
    use_losses(loss_files)
    from bench.cli.progress import counted
    from bench.cli.reading import write_bytes
    from bench.golden import record_traces
    from bench.methods import resolve
    from bench.report.formatting import plural
    from bench.store.golden import encode_golden

    with usage_errors(), counted(len(resolve(methods))) as (_, on_progress), prints_aside():
        recorded = record_traces(methods, on_progress=on_progress)
    write_bytes(output, encode_golden(recorded))
    if style == "json":
        print_json({"traces": [trace.method for trace in recorded.traces], "output": output})
        return
    click.echo(f"{plural(len(recorded.traces), 'golden trace')}: {output}")
