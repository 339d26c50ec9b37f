"""`kernels`: what each loss and penalty costs on this machine."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from bench.cli.completion import complete_methods
from bench.cli.executors import check_precision
from bench.cli.options import (
    d_norm_option,
    format_option,
    given,
    losses_option,
    output_option,
    results_option,
    usage_errors,
    use_losses,
    written_as,
)
from bench.cli.own_losses import prints_aside
from bench.cli.values import GivenPath
from bench.cli.voice import Verb, say
from bench.config.commands import command
from bench.config.protocol import CORE_NORM, REFERENCE_METHOD

if TYPE_CHECKING:
    from rich.console import Console

    from bench.costs.measure import Event
    from bench.store.kernels import KernelRecord, KernelSetting, Mode

_BATCHES: Final = {"cpu": (64,), "cuda": (16, 64, 256, 1024)}
_SIZES: Final = {"cpu": (32,), "cuda": (32, 64)}
_MODES: "Final[dict[str, tuple[Mode, ...]]]" = {"cpu": ("eager",), "cuda": ("eager", "captured")}
_CHANNELS: Final = 3
_WIDTH: Final = 64

_MEASURED: Final = ("loss_files", "device", "batch", "size", "d_norm", "precision", "modes")
"""What says how is measured: of no use to what is recorded already."""

_QUIET: Final = {"KINETO_LOG_LEVEL": "99", "TORCH_CPP_LOG_LEVEL": "ERROR"}
"""torch's profiler tells the terminal of every start, and of the GPU that it does not find."""


class Numbers(click.ParamType[tuple[int, ...]]):
    """Whole numbers with commas between: 16,64,256."""

    name = "numbers"

    def __init__(self, *, minimum: int = 1, choices: Sequence[int] = ()) -> None:
        self.minimum, self.choices = minimum, choices

    def convert(
        self, value: str | tuple[int, ...], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        try:
            numbers = tuple(dict.fromkeys(int(text) for text in value.split(",")))
        except ValueError:
            self.fail(f"{value!r} is not a list of whole numbers such as 16,64,256", param, ctx)
        for number in numbers:
            if self.choices and number not in self.choices:
                self.fail(f"{number} is not one of {', '.join(map(str, self.choices))}", param, ctx)
            if number < self.minimum:
                self.fail(f"{number} is less than {self.minimum}", param, ctx)
        return numbers


@click.command(cls=Verb, short_help="Time each loss and penalty on this machine.")
@click.argument("methods", metavar="[METHOD]...", nargs=-1, shell_complete=complete_methods)
@losses_option
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:N or auto.")
@click.option("--batch", type=Numbers(minimum=2), help="Batch sizes.  [default: 64; on CUDA 16,64,256,1024]")
@click.option(
    "--size", type=Numbers(choices=(32, 64)), help="Image sizes, 32 and 64.  [default: 32; on CUDA both]"
)  # fmt: skip
@d_norm_option(default=CORE_NORM)
@click.option(
    "--precision", type=click.Choice(["fp32", "tf32", "bf16"]), default="fp32", show_default=True,
    help="Precision of the networks.",
)  # fmt: skip
@click.option(
    "--mode", "modes", multiple=True, type=click.Choice(["eager", "captured", "compiled"]),
    help="How operators are launched. Repeatable.  [default: eager; on CUDA captured too]",
)  # fmt: skip
@results_option
@click.option("--table", is_flag=True, help="Measure nothing; print what is recorded.")
@format_option(
    "md", "csv", default=None, description="The output format.  [default: by the ending of --output, else table]"
)
@output_option("A file for the table, instead of the terminal.")
@click.option(
    "--trace", type=GivenPath(path_type=Path, dir_okay=False),
    help="Measure nothing; write a Chrome trace of a few steps, with named ranges.",
)  # fmt: skip
@click.option("--nvtx", is_flag=True, help="Measure nothing; run steps with NVTX ranges, for nsys to watch.")
def kernels(
    methods: tuple[str, ...],
    loss_files: tuple[Path, ...],
    results: Path,
    style: str | None,
    output: Path | None,
    **options: Any,  # noqa: ANN401 - click passes them
) -> None:
    """Time methods, record the times, and print the table of everything recorded.

    METHOD is a name, an expression, or a part to time alone; the default is everything in the library. What is already
    recorded for this machine is not timed again.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    chosen = written_as(style, output, "table")  # before minutes of measuring: it may refuse the file's name
    refused = 0
    if options["table"]:
        unused = [*(["methods"] if methods else []), *given(*_MEASURED, "trace", "nvtx")]
        if unused:
            raise click.UsageError(f"--table prints everything that is recorded: leave {' and '.join(unused)} out")
    else:
        use_losses(loss_files)
        if options["trace"] or options["nvtx"]:
            _watch(methods, options, styled=style is not None)
            return
        with prints_aside():
            refused = _measure(methods, results, options)
    _write(_recorded(results), chosen, results, output)
    if refused:
        click.get_current_context().exit(1)


def _settings(device: str, options: dict[str, Any]) -> "list[KernelSetting]":
    from bench.store.kernels import KernelSetting

    kind = device.partition(":")[0]
    modes: tuple[Mode, ...] = options["modes"] or _MODES[kind]
    if kind == "cpu" and "captured" in modes:
        raise click.UsageError("--mode captured needs a CUDA device: the CPU has no graphs; leave it out")
    check_precision(kind, options["precision"], f"--precision {options['precision']}")
    return [
        KernelSetting(
            batch_size=batch, image_size=size, channels=_CHANNELS, width=_WIDTH, d_norm=options["d_norm"],
            precision=options["precision"], mode=mode,
        )
        for size in options["size"] or _SIZES[kind]
        for batch in options["batch"] or _BATCHES[kind]
        for mode in modes
    ]  # fmt: skip


def _measure(methods: tuple[str, ...], results: Path, options: dict[str, Any]) -> int:
    """Measure and record; return how many measurements were impossible."""
    from bench.cli.progress import counted
    from bench.report.formatting import plural
    from bench.store.kernels import KernelStore

    device, settings, chosen = _chosen(methods, options)
    from bench.costs.measure import measure

    counts = {"measured": 0, "known": 0, "refused": 0}
    planned = len(chosen) * len(settings)
    with counted(planned) as (say, on_progress):
        for event in measure(
            chosen, settings, KernelStore(results), device=device,
            on_progress=on_progress,
        ):  # fmt: skip
            counts[str(event.__struct_config__.tag)] += 1
            line = _words(event)
            if line:
                say(f"[{sum(counts.values())}/{planned}] {line}")
    impossible = f", {counts['refused']:,} impossible" if counts["refused"] else ""
    say(
        f"{plural(counts['measured'], 'measurement')} made, {counts['known']:,} recorded before{impossible}; "
        f"records in {results / 'kernels'}"
    )
    return counts["refused"]


def _chosen(methods: tuple[str, ...], options: dict[str, Any]) -> "tuple[str, list[KernelSetting], list[Any]]":
    from bench.execution.device import resolve as resolve_device

    with usage_errors():
        device = resolve_device(options["device"])
        settings = _settings(device, options)
        from bench.methods import resolve

        return device, settings, resolve(methods)


def _words(event: "Event") -> str:
    """Say what came of a method; nothing where it was recorded before."""
    from bench.costs.measure import Measured, Refused

    if isinstance(event, Refused):
        return f"{event.label}: {event.reason}"
    if not isinstance(event, Measured):
        return ""
    setting = event.record.setting
    costs = [
        f"{name} {timing.seconds.median * 1e3:.3g} ms, {timing.ratio.median:.2f} x {REFERENCE_METHOD}'s"
        for path, name in (("d_step", "D step"), ("g_step", "G step"), ("loss", "loss"))
        if (timing := event.record.timing(path)) is not None
    ]
    size = f"{setting.image_size}x{setting.image_size}"
    where = f"batch {setting.batch_size}, {size}, {setting.d_norm}, {setting.mode}"
    return f"{event.record.label} ({where}): {'; '.join(costs[:2])}"


def _watch(methods: tuple[str, ...], options: dict[str, Any], *, styled: bool) -> None:
    """Run steps with their ranges named, into a trace or for a profiler outside; nothing is measured or recorded."""
    if not methods:
        raise click.UsageError("name the methods to watch, such as: python -m bench kernels nsgan-r1 --trace r1.json")
    how = "--trace" if options["trace"] else "--nvtx"
    unused = given("modes", "output") + (["--format"] if styled else [])
    if unused:
        raise click.UsageError(f"{how} runs eager steps and makes no table: leave {' and '.join(unused)} out")
    for name in ("batch", "size"):
        if len(options[name] or ()) > 1:
            raise click.UsageError(f"{how} watches one setting: give --{name} one number")
    device, settings, chosen = _chosen(methods, options)
    from bench.costs import tracing

    setting = settings[0]
    if options["nvtx"] and device == "cpu":
        say("There is no CUDA device here: the ranges go to torch's own profiler, not to NVTX.")
    with usage_errors():
        if options["trace"] is None:
            tracing.run_steps(chosen, setting, device, nvtx=True)
            watched = ", ".join(method.name for method in chosen)
            say(f"{tracing.WATCHED_STEPS} steps of {watched} ({setting.description})")
            return
        try:
            tracing.write_trace(options["trace"], chosen, setting, device, nvtx=options["nvtx"])
        except OSError as error:
            raise click.UsageError(f"cannot write {options['trace']}: {error.strerror}") from error
    say(f"wrote {options['trace']} ({setting.description}); open it at ui.perfetto.dev or chrome://tracing")


def _recorded(results: Path) -> "list[KernelRecord]":
    from bench.store.kernels import KernelStore

    with usage_errors():
        records = KernelStore(results).records()
    if not records:
        raise click.UsageError(
            f"there are no kernel records in {results}; make some with: "
            f"{command('kernels', 'nsgan', 'wgan-gp', '--results', results)}"
        )
    return records


def _write(records: "list[KernelRecord]", style: str, results: Path, output: Path | None) -> None:
    """Print the tables, or write them to a file."""
    from bench.cli.reading import plainly, write_text
    from bench.cli.terminal import console
    from bench.report import kernels as formats
    from bench.report.formatting import plural

    again = command("kernels", "--table", "--format", style, "--results", results)
    if style == "table":
        if output is None:
            _print_tables(records, console())
            return
        text = plainly(lambda to: _print_tables(records, to))
    elif style == "csv":
        text = formats.to_csv(records)
    else:
        text = {"md": formats.to_markdown, "json": formats.to_json}[style](records, again)
    if output is None:
        click.echo(text, nl=False)
        return
    write_text(output, text)
    click.echo(f"{plural(len(records), 'kernel record')}: {output}")


def _print_tables(records: "list[KernelRecord]", to: "Console") -> None:
    from bench.cli.terminal import print_notes
    from bench.report import kernels as formats
    from bench.store.kernels import groups

    grouped = groups(records)
    for group, title in zip(grouped, formats.titles(grouped), strict=True):
        to.print(title, style="bold", markup=False, soft_wrap=True)
        to.print(formats.to_table(group))
        print_notes(formats.notes(group), to)
        to.print()
