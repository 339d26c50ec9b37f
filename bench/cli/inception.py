"""`--inception`: whether FID is measured, with which weights, and the long work on real images before trials start."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import click

from bench.cli.options import usage_errors
from bench.cli.values import GivenPath
from bench.cli.voice import say

if TYPE_CHECKING:
    from bench.config.trial import Trial
    from bench.config.workload import Workload
    from bench.data import OnProgress
    from bench.extractors.inception_weights import InceptionPlan
    from bench.extractors.weight_files import Weights

Command = TypeVar("Command", bound=Callable[..., object])

_REQUIRE: Final = "--inception require measures it"


def inception_options(command: Command) -> Command:
    """Add `--inception` and `--inception-weights`."""
    choice = click.option(
        "--inception",
        type=click.Choice(["auto", "off", "require"]),
        default="auto",
        show_default=True,
        help="FID, KID and IS at the end of each trial: auto for color images, on cuda or with a file of weights; "
        "require for all images, with a download (91 MB).",
    )
    weights = click.option(
        "--inception-weights",
        type=GivenPath(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="torch-fidelity's weights of Inception, instead of its cached download.",
    )
    return choice(weights(command))


def inception_plan(
    choice: str,
    file: Path | None,
    trials: "Sequence[Trial]",
    *,
    device: str,
    report: "OnProgress | None",
    fetch: bool = True,
) -> "InceptionPlan | None":
    """Decide on which workloads FID is measured. Where color images go without, say why on stderr.

    Args:
        choice: auto, off or require.
        file: of weights, if the user names one.
        trials: the whole plan.
        device: where trials run.
        report: is told how a download gets on; None to report errors only.
        fetch: whether what is required may be downloaded for it.

    Raises:
        click.UsageError: the weights that are required or named cannot be used, or there is nothing to measure.
    """
    from bench import data
    from bench.extractors import inception_weights as weights
    from bench.extractors.inception_weights import InceptionPlan

    if choice == "off":
        if file is not None:
            raise click.UsageError("--inception off leaves no use for --inception-weights; leave one of them out")
        return None
    workloads = [data.workload(name) for name in dict.fromkeys(trial.spec.workload for trial in trials)]
    if choice == "require":
        return InceptionPlan(weights=_required(file, workloads, report, fetch=fetch), required=True)
    color = ", ".join(workload.name for workload in workloads if workload.has_color)
    if file is not None:
        if not color:
            raise click.UsageError(f"--inception-weights: no workload here has color images; {_REQUIRE} on gray ones")
        with usage_errors():
            return InceptionPlan(weights=weights.identify(file))
    if not color:
        return None
    plan, reason = _automatic(device)
    if plan is None and report is not None:
        say(f"{color}: FID is left out, as {reason}; {_REQUIRE}")
    return plan


def _automatic(device: str) -> "tuple[InceptionPlan | None, str]":
    """Return what `auto` measures color images with; if nothing, why not."""
    from bench.extractors import inception_weights as weights
    from bench.extractors.inception_weights import InceptionPlan

    if device.partition(":")[0] != "cuda":
        return None, "on a CPU Inception takes a fifth of a second an image"
    try:
        path = weights.cached_path()
        if path.is_file():
            return InceptionPlan(weights=weights.identify(path)), ""
    except ValueError as error:
        return None, str(error)
    return None, f"its weights are not in {path.parent}"


def _required(
    file: Path | None, workloads: "Sequence[Workload]", report: "OnProgress | None", *, fetch: bool
) -> "Weights":
    from bench.config.protocol import INCEPTION_SHA256
    from bench.extractors import inception_weights as weights
    from bench.extractors.weight_files import Weights

    if not any(workload.has_single_images for workload in workloads):
        names = ", ".join(workload.name for workload in workloads)
        raise click.UsageError(
            f"--inception require: {names} has no training set of images to measure FID against; leave it out"
        )
    with usage_errors():
        if file is None and not fetch and not weights.cached_path().is_file():
            return Weights(path="", sha256=INCEPTION_SHA256)  # what a download would give
        return weights.fetch(report) if file is None else weights.identify(file)
