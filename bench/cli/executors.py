"""The options that say where trials run, and the executor that they stand for."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import click

from bench.cli.values import FiniteRange
from bench.cli.voice import say

if TYPE_CHECKING:
    from bench.execution.interface import Executor

Command = TypeVar("Command", bound=Callable[..., Any])

_OF_CLUSTERS: Final = ("address", "cpus", "gpus", "memory", "gpu_model")

_NO_GRAPHS: Final = "--capture replays steps as CUDA graphs, and this runs on the CPU: leave it out"


class Chosen(NamedTuple):
    """An executor, and what its processes have."""

    executor: "Executor"
    device: str
    threads: int


def executor_options(command: Command) -> Command:
    """Add `--device`, `--executor`, `--workers`, and what a process takes of a cluster's node."""
    options = [
        click.option(
            "--device", default="auto", show_default=True,
            help="cpu, cuda for all GPUs, cuda:N for one of them, or auto: cuda where there is one.",
        ),
        click.option(
            "--executor", "kind", type=click.Choice(["local", "inline", "ray"]), default="local", show_default=True,
            help="A process for each trial, everything in this one, or processes on the nodes of a Ray cluster.",
        ),
        click.option(
            "--workers", type=click.IntRange(min=1),
            help="Processes at once, spread over the GPUs.  [default: one for each CPU, or one for each GPU]",
        ),
        click.option(
            "--address", metavar="HOST:PORT",
            help="Of the Ray cluster.  [default: $RAY_ADDRESS, else one of this machine alone]",
        ),
        click.option(
            "--cpus", type=click.IntRange(min=1), help="Ray: threads of each process.  [default: 1]"
        ),
        click.option(
            "--gpus", type=FiniteRange(min=0, max=1, min_open=True),
            help="Ray: the share of a GPU that each process takes.  [default: 1 on cuda]",
        ),
        click.option(
            "--memory", type=FiniteRange(min=0, min_open=True), metavar="GIB",
            help="Ray: memory that each process takes of its node.",
        ),
        click.option(
            "--gpu-model", metavar="MODEL", help="Ray: only nodes with this card, as Ray calls it, such as H100."
        ),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def taken_from(options: dict[str, Any]) -> dict[str, Any]:
    """Take what is said of a cluster's nodes out of a command's options."""
    return {name: options.pop(name) for name in _OF_CLUSTERS}


def check_place(kind: str, device: str, workers: int | None, cluster: Mapping[str, Any], *, capture: bool) -> None:
    """Refuse options that fit together on no machine, so that a plan is refused for them as its run is.

    Raises:
        ValueError: they contradict each other.
    """
    from bench.execution.device import check_spelling

    if kind != "ray":
        check_spelling(device)  # a cluster has fewer, and says so itself
        given = [f"--{name.replace('_', '-')}" for name, value in cluster.items() if value is not None]
        if given:
            raise ValueError(f"{' and '.join(given)}: only --executor ray has nodes to choose from; leave it out")
    if kind == "inline" and workers not in (None, 1):
        raise ValueError("--executor inline runs one trial at a time; leave --workers out, or use local")
    if capture and device == "cpu":
        raise ValueError(_NO_GRAPHS)


def check_precision(device: str, precision: str, spelled: str) -> None:
    """Refuse a precision that the CPU does not have: it would compute in float32 under another name.

    Raises:
        ValueError: it is asked for, `spelled` so.
    """
    if device == "cpu" and precision == "tf32":
        raise ValueError(f"{spelled} needs a CUDA device; on the CPU choose fp32 or bf16")


def chosen_executor(
    kind: str, device: str, workers: int | None, processes: int, cluster: Mapping[str, Any], *, capture: bool
) -> Chosen:
    """Make the executor that is asked for; it has started nothing that trains.

    Args:
        kind: local, inline or ray.
        device: as `--device` says it.
        workers: how many processes at once; None for the executor's own choice.
        processes: how many the whole plan has.
        cluster: as `taken_from` returns it.
        capture: whether steps are to be replayed as CUDA graphs.

    Raises:
        ValueError: what they name is not there. `check_place` has found that they fit together.
    """
    chosen = _on_cluster(device, workers, cluster) if kind == "ray" else _here(kind, device, workers, processes)
    if capture and chosen.device == "cpu":
        chosen.executor.close()
        raise ValueError(_NO_GRAPHS)
    return chosen


def _here(kind: str, device: str, workers: int | None, processes: int) -> Chosen:
    import os

    from bench.campaign import divide
    from bench.execution import device as devices
    from bench.execution.placement import mixed_cards, places_on

    resolved = devices.resolve(device)
    if kind == "inline":
        from bench.execution.inline import InlineExecutor

        return Chosen(InlineExecutor(), resolved, divide(processes, 1, resolved)[1])
    from bench.execution.local import LocalExecutor
    from bench.execution.template import WARM_MODULES

    places = places_on(resolved, os.environ)
    used, threads = divide(processes, workers, resolved, len(places))
    if cards := mixed_cards(resolved, places):
        say(f"{cards}: each record names its card, and times of different cards are never compared")
    # One process for each worker is started as fast without a template.
    warm = WARM_MODULES if processes > used else ()
    executor = LocalExecutor(used, places, warm=warm)
    for note in executor.notes:
        say(note)
    return Chosen(executor, resolved, threads)


def _on_cluster(device: str, workers: int | None, cluster: Mapping[str, Any]) -> Chosen:
    from bench.execution.interface import Resources
    from bench.execution.ray import RayExecutor

    resources = Resources(
        cpus=cluster["cpus"] or 1,
        gpus=cluster["gpus"] or 0.0,
        memory=int((cluster["memory"] or 0) * 2**30),
        gpu_model=cluster["gpu_model"] or "",
    )
    executor = RayExecutor(cluster["address"], device=device, resources=resources, workers=workers)
    for note in executor.notes:
        say(note)
    return Chosen(executor, executor.device, resources.cpus)
