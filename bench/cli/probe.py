"""`probe`: small experiments about one property of a loss: does its gradient vanish, does it converge locally?"""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from bench.cli.completion import complete_methods, complete_workloads
from bench.cli.options import (
    Decorator,
    data_option,
    format_option,
    json_text,
    losses_option,
    output_option,
    print_json,
    usage_errors,
    use_losses,
)
from bench.cli.own_losses import prints_aside
from bench.cli.values import FiniteRange, GivenPath
from bench.cli.voice import VerbGroup, say

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.table import Table

    from bench.probes.dirac import Trajectory
    from bench.probes.gradients import Curve

_SUFFIXES: Final = (".csv", ".json", ".svg", ".png")
_DEFAULT_SUITE: Final = "digits"
_COLORS: Final = {
    "convergent": "green", "near": "yellow", "slow": "yellow", "not convergent": "red", "overflow": "red",
    "vanishing": "red", "steady": "green", "exploding": "yellow", "nonfinite": "red",
}  # fmt: skip
_SHOWN: Final = (0, 10, 100)
"""After how many updates the table shows the gradient, beside the last."""


def probe_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of both probes."""
    options: list[Decorator] = [
        click.argument("methods", metavar="[METHOD]...", nargs=-1, shell_complete=complete_methods),
        losses_option,
        output_option(
            "Also write this file: .csv or .json (numbers), .svg or .png (figure). Repeatable.", multiple=True
        ),
        click.option(
            "--folder",
            type=GivenPath(path_type=Path, file_okay=False),
            help="A folder for the numbers (CSV) and the figure (SVG and PNG).",
        ),
        format_option("csv"),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.group(
    cls=VerbGroup, short_help="Does a loss's gradient vanish? Does it converge locally?", invoke_without_command=True
)
@click.pass_context
def probe(context: click.Context) -> None:
    """Run a small experiment about one property of losses. It makes no record and changes no rank.

    METHOD is a name or an expression; the default are the methods of the suite `digits`.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@probe.command(short_help="Over-train D and follow the generator's gradient.")
@probe_options
@click.option("--workload", shell_complete=complete_workloads, help="The data.  [default: digits]")
@click.option(
    "--generator",
    type=GivenPath(path_type=Path, dir_okay=False),
    help="The generator.safetensors of a recorded trial, whose networks the probe uses.  [default: untrained]",
)
@click.option(
    "--updates", type=click.IntRange(min=1), default=1000, show_default=True, help="Updates of the discriminator."
)
@click.option("--width", type=click.IntRange(min=1), help="Width of both networks.  [default: 8 on images]")
@click.option(
    "--batch-size", type=click.IntRange(min=2), default=32, show_default=True, help="Images or points in a batch."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of weights and batches.")
@data_option
def gradients(
    methods: tuple[str, ...],
    loss_files: tuple[Path, ...],
    outputs: tuple[Path, ...],
    folder: Path | None,
    style: str,
    **options: Any,  # noqa: ANN401 - click passes them
) -> None:
    """Train a fresh discriminator against a frozen generator, and follow the gradient that the generator would get.

    Every method sees the same start, batches and latents (Arjovsky and Bottou, 2017).
    """
    from bench.cli.progress import counted
    from bench.probes import figures
    from bench.probes import gradients as probing

    use_losses(loss_files)
    files = _files("gradients", outputs, folder)
    with usage_errors(), counted(len(_methods(methods))) as (_, on_progress), prints_aside():
        curves = probing.probe(_methods(methods), **options, on_progress=on_progress)
    document: dict[str, object] = {"methods": [curve.to_json() for curve in curves]}
    numbers = probing.to_csv(curves)
    if not _print_numbers(style, document, numbers):
        _print_table(
            _gradients_table(curves),
            f"norm: |grad L_G| over the generator's parameters after k updates of D. share: mean |dL_G/db|, the loss's "
            f"own part of the signal. accuracy: P[a > b] at the end. last/early: the last norm over the largest of the "
            f"first tenth of the updates; below {probing.VANISHING:g} is vanishing, above {probing.EXPLODING:g} "
            "exploding.",
        )
    _write(files, document, numbers, lambda: figures.draw_gradients(curves))


@probe.command(short_help="Does descent on the smallest GAN reach its equilibrium?")
@probe_options
@click.option("--steps", type=click.IntRange(min=10), default=500, show_default=True, help="Steps of the generator.")
@click.option(
    "--step-size",
    type=FiniteRange(min=0, min_open=True),
    default=0.2,
    show_default=True,
    help="Step size of the descent.",
)
@click.option(
    "--consensus",
    type=FiniteRange(min=0, min_open=True),
    metavar="GAMMA",
    help="Follow simultaneous descent with consensus optimization of this weight, too.",
)
def dirac(
    methods: tuple[str, ...],
    loss_files: tuple[Path, ...],
    outputs: tuple[Path, ...],
    folder: Path | None,
    style: str,
    steps: int,
    step_size: float,
    consensus: float | None,
) -> None:
    """Follow (theta, psi) of the Dirac-GAN from (1, 1) under simultaneous and alternating descent.

    Its equilibrium is (0, 0) (Mescheder, Geiger and Nowozin, 2018). With --consensus also simultaneous descent to which
    half the squared norm of both gradients is added, GAMMA times (Mescheder, Nowozin and Geiger, 2017).
    """
    from bench.cli.progress import counted
    from bench.probes import dirac as probing
    from bench.probes import figures

    use_losses(loss_files)
    files = _files("dirac", outputs, folder)
    with usage_errors(), counted(len(_methods(methods))) as (_, on_progress), prints_aside():
        trajectories = probing.probe(
            _methods(methods), steps=steps, step_size=step_size, consensus=consensus, on_progress=on_progress
        )
    document: dict[str, object] = {
        "steps": steps,
        "step_size": step_size,
        "consensus": consensus,
        "trajectories": [trajectory.to_json() for trajectory in trajectories],
    }
    numbers = probing.to_csv(trajectories)
    if not _print_numbers(style, document, numbers):
        notes = (
            f"Each cell: the distance to the equilibrium after {steps} steps of {step_size:g}, from 1.414, and the "
            f"rate of its logarithm a step, over the second half. convergent: the last tenth lies within "
            f"{probing.ARRIVED:.0%} of the start, and the rate is steady. near: within, but the rate is not steady. "
            f"slow: not within, but the rate is below {probing.DECAYING:g}."
        )
        if any(trajectory.overflowed or trajectory.radii[-1] > 10 * trajectory.radii[0] for trajectory in trajectories):
            notes += (
                " Where the distance explodes, the step size times the curvature of a penalty is too large (explicit "
                "descent on psi^2 * c / 2 needs step size * c < 2): try a smaller --step-size."
            )
        _print_table(_dirac_table(trajectories), notes)
    _write(files, document, numbers, lambda: figures.draw_dirac(trajectories))


def _methods(given: Sequence[str]) -> list[str]:
    from bench.config.suite import load_suite

    return list(given) or load_suite(_DEFAULT_SUITE).methods


def _gradients_table(curves: "Sequence[Curve]") -> "Table":
    from rich.text import Text

    last = curves[0].points[-1].updates
    shown = [*(updates for updates in _SHOWN if updates < last), last]
    table = _table("method", *(f"k = {updates:,}" for updates in shown), "last/early", "share", "accuracy", "verdict")
    for curve in curves:
        end = curve.points[-1]
        table.add_row(
            Text(curve.method),
            *(f"{curve.near(updates).generator_gradient_norm:.3g}" for updates in shown),
            "–" if curve.ratio is None else f"{curve.ratio:.3g}",
            f"{end.generator_weight:.2g}",
            f"{end.discriminator_accuracy:.2f}",
            Text(curve.verdict, style=_COLORS[curve.verdict]),
        )
    return table


def _dirac_table(trajectories: "Sequence[Trajectory]") -> "Table":
    from rich.text import Text

    from bench.report import formatting

    schedules = list(dict.fromkeys(trajectory.schedule for trajectory in trajectories))
    table = _table("method", *(schedule.label for schedule in schedules))
    for start in range(0, len(trajectories), len(schedules)):
        row = trajectories[start : start + len(schedules)]
        cells = []
        for trajectory in row:
            rate = "" if trajectory.rate is None else f" at {formatting.signed(trajectory.rate, 4)}"
            reached = f"step {len(trajectory.positions)}" if trajectory.overflowed else f"{trajectory.radii[-1]:.3g}"
            cells.append(Text(f"{reached}{rate}\n").append(trajectory.verdict, style=_COLORS[trajectory.verdict]))
        table.add_row(Text(row[0].method), *cells)
    return table


def _table(first: str, *others: str) -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False)
    table.add_column(first, overflow="fold")
    for other in others:
        table.add_column(other, justify="right")
    return table


def _print_table(table: "Table", notes: str) -> None:
    from rich.text import Text

    from bench.cli.terminal import console

    to = console()
    to.print(table)
    to.print(Text(notes, style="dim"))


def _print_numbers(style: str, document: dict[str, object], table: str) -> bool:
    """Print what programs read, if it is asked for."""
    if style == "json":
        print_json(document)
    elif style == "csv":
        click.echo(table, nl=False)
    return style != "table"


def _files(name: str, outputs: Sequence[Path], folder: Path | None) -> list[Path]:
    """Return the files to write; a name that says nothing of its content is told before the work begins."""
    for path in outputs:
        if path.suffix not in _SUFFIXES:
            raise click.UsageError(
                f"--output {path}: name it {', '.join(_SUFFIXES[:-1])} or {_SUFFIXES[-1]}: the ending chooses what is "
                f"written; numbers and figures go into a folder with --folder {path}"
            )
    inside = [] if folder is None else [folder / f"{name}{suffix}" for suffix in (".csv", ".svg", ".png")]
    return [*outputs, *inside]


def _write(files: Sequence[Path], document: dict[str, object], table: str, draw: "Callable[[], Figure]") -> None:
    """Write the numbers and the figure, and say on stderr where they are."""
    import matplotlib as mpl

    from bench.cli.reading import write_text, write_whole
    from bench.probes.figures import SETTINGS

    with mpl.rc_context(SETTINGS):
        figure = draw() if any(path.suffix in (".svg", ".png") for path in files) else None
        for path in files:
            if path.suffix == ".csv":
                write_text(path, table)
            elif path.suffix == ".json":
                write_text(path, json_text(document))
            else:
                assert figure is not None
                kind: dict[str, Any] = (
                    {"format": "svg", "metadata": {"Date": None}}
                    if path.suffix == ".svg"
                    else {"format": "png", "dpi": 150}
                )
                write_whole(path, functools.partial(figure.savefig, **kind))
            say(f"wrote {path}")
