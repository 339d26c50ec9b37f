"""`prepare`: get everything that a workload needs before its first trial."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from bench.cli.completion import complete_workloads
from bench.cli.judges import JudgeChoice, also_in_option, chosen_weights, measure_real_images
from bench.cli.options import data_option, format_option, print_json, usage_errors
from bench.cli.voice import Verb, has_events_alone, quiet, say

if TYPE_CHECKING:
    from bench.config.trial import Trial
    from bench.metrics.prepare import Prepared
    from bench.store.journal import Store

_MANY: Final = 1_000_000
"""More trials than any machine runs at once: what is measured depends on the threads that a trial has then."""

_INTERRUPTED: Final = "stopped; what was finished is kept, and the same command goes on with the rest"


@click.command(cls=Verb, short_help="Get a workload's data, classifier and reference statistics.")
@click.argument("workloads", nargs=-1, required=True, metavar="WORKLOAD...", shell_complete=complete_workloads)
@click.option("--retrain", is_flag=True, help="Train the classifiers again, and see whether the weights are the same.")
@click.option("--device", default="auto", show_default=True, help="Where trials will run: cpu, cuda, cuda:N, or auto.")
@also_in_option
@data_option
@format_option()
def prepare(
    *,
    workloads: tuple[str, ...],
    retrain: bool,
    device: str,
    also_in: tuple[JudgeChoice, ...],
    data_dir: Path | None,
    style: str,
) -> None:
    """Fetch and check a workload's data, train its classifier if there is none, and measure the real images.

    With --also-in they are measured in that network, too. `run` does all of this when it needs it. `prepare` does it in
    advance, for example while there is a network, and skips what is already there. The identity of a trial contains the
    classifier's weights, so --retrain never replaces them; it exits with 1 if training now gives others.
    """
    from bench import data
    from bench.report.formatting import duration

    with usage_errors():  # what is misspelt is told before anything is fetched
        names = list(dict.fromkeys(data.workload(name).name for name in workloads))
    from bench import campaign
    from bench.execution import device as devices
    from bench.extractors import on_demand
    from bench.metrics import prepare as preparation
    from bench.training.run_options import RunOptions

    with usage_errors():
        chosen = devices.resolve(device)
        for name in names if retrain else ():
            on_demand.check_trainable(name)
    report = data_progress()
    judges = chosen_weights(also_in, names, report)
    prepared = []
    same = True
    try:
        with usage_errors():
            threads = campaign.divide(_MANY, None, chosen)[1]
            for name in names:
                if retrain:
                    same &= _retrain(name, data_dir, report, say if style == "json" else click.echo)
                prepared.append(preparation.prepare(name, data_dir, chosen, threads, report))
                done = "ready" if prepared[-1].was_ready else f"prepared in {duration(prepared[-1].seconds)}"
                say(f"{name}: {done}")
            measure_real_images(RunOptions(device=chosen, also_in=judges), names, data_dir, report)
    except KeyboardInterrupt:
        click.echo(_INTERRUPTED, err=True)
        click.get_current_context().exit(130)
    if style == "json":
        print_json({"workloads": [_document(ready) for ready in prepared], "same": same if retrain else None})
    else:
        _print(prepared)
    if not same:
        click.get_current_context().exit(1)


def _document(prepared: "Prepared") -> dict[str, object]:
    """Return what a workload has got, for a program."""
    known = prepared.extractor
    return {
        "workload": prepared.workload.name,
        "data": prepared.workload.content_hash,
        "train": prepared.train,
        "test": prepared.test,
        "extractor": known.component if known else None,
        "accuracy": known.accuracy if known else None,
        "floor": prepared.floor,
        "was_ready": prepared.was_ready,
        "seconds": prepared.seconds,
    }


def _retrain(
    name: str, data_dir: Path | None, report: Callable[[str, int, int], None], tell: Callable[[str], None]
) -> bool:
    """Train a classifier again, say what came of it, and return whether it is the one that is kept."""
    from bench.extractors.on_demand import retrain

    repetition = retrain(name, data_dir, report)
    if repetition is None:
        tell(f"{name}: there was no classifier to compare with; it is trained now")
        return True
    first, again = repetition.first, repetition.again
    if repetition.same:
        tell(f"{name}: trained again, the same weights ({first.component})")
        return True
    tell(
        f"{name}: trained again, other weights: {again.component} by torch {again.provenance.torch} (accuracy "
        f"{_share(again.provenance.test_accuracy)}), kept is {first.component} by torch {first.provenance.torch} "
        f"({_share(first.provenance.test_accuracy)}). What is kept stays, and with it the records that name it"
    )
    return False


def _print(prepared: "Sequence[Prepared]") -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from bench.cli.terminal import console
    from bench.report.formatting import MISSING, count, distance, duration

    table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for title in ("workload", "data"):
        table.add_column(title, overflow="fold")
    for title in ("train", "test"):
        table.add_column(title, justify="right")
    table.add_column("extractor", overflow="fold")
    for title in ("accuracy", "real floor", "took"):
        table.add_column(title, justify="right")
    for ready in prepared:
        known = ready.extractor
        table.add_row(
            Text(ready.workload.name),
            ready.workload.content_hash[:12],
            count(ready.train),
            count(ready.test),
            known.component if known else MISSING,
            MISSING if known is None or known.accuracy is None else _share(known.accuracy),
            distance(ready.floor),
            "ready" if ready.was_ready else duration(ready.seconds),
        )
    console().print(table)


def _share(accuracy: float) -> str:
    return f"{100 * accuracy:.1f} %"


def data_progress() -> Callable[[str, int, int], None]:
    """Return a callback that writes a line at each tenth of a download, a decoding or a training."""
    written: dict[str, int] = {}
    silent = quiet() or has_events_alone()  # known here, and perhaps not in the thread that reports

    def report(name: str, done: int, total: int) -> None:
        tenth = 10 * done // total if total else done // 10_000_000
        if written.get(name) != tenth:
            written[name] = tenth
            share = f"{100 * done // total} %" if total else f"{done / 1e6:.0f} MB"
            if not silent:
                click.echo(f"{name}: {share}", err=True)

    return report


def untrained_notes(trials: "Iterable[Trial]") -> list[str]:
    """Say which classifiers `run` will train before the first of these trials, and how long that takes."""
    from bench.extractors.specs import extractor_names
    from bench.extractors.training_configs import training_config

    names = {
        trial.spec.workload: extractor_names(trial.components["extractor"])[-1] for trial in trials if untrained(trial)
    }
    return [
        f"{workload}: its classifier {name} is not trained yet; `run` does that first (about "
        f"{training_config(name).minutes:g} min), and so does `prepare {workload}`. The ids of its trials are "
        "not known before"
        for workload, name in names.items()
    ]


def feature_notes(trials: "Iterable[Trial]", store: "Store") -> list[str]:
    """Say in which features photographs are measured, where it is not obvious.

    That is where those of a network that has seen photographs are not to be had, and where what is recorded was
    measured in others than the planned ones, which keeps the two apart.
    """
    from bench import data
    from bench.extractors.imagenet_weights import HOW_TO_GET, weights_path
    from bench.extractors.specs import IMAGENET, extractor_names

    def features(components: "Mapping[str, str]") -> str:
        return next(iter(extractor_names(components.get("extractor", ""))), "")

    planned = {
        trial.spec.workload: features(trial.components)
        for trial in trials
        if data.workload(trial.spec.workload).photographs
    }
    records = store.latest(histories=False).values() if planned else ()
    notes = []
    for workload, name in planned.items():
        if name != IMAGENET and weights_path() is None:
            notes.append(
                f"{workload}: photographs are measured in {name}, since the weights of {IMAGENET}, which has seen "
                f"photographs, are not installed; {HOW_TO_GET}"
            )
        recorded = {features(record.components) for record in records if record.spec.workload == workload}
        if recorded and name not in recorded:
            choice = "own" if name == IMAGENET else "imagenet"
            notes.append(
                f"{workload}: what is recorded was measured in {' and '.join(sorted(recorded))}, and these trials are "
                f"measured in {name}: they are not ranked together. `--set features={choice}` goes on with the others"
            )
    return notes


def untrained(trial: "Trial") -> bool:
    """Whether the classifier of a trial is not trained yet, so that its id is not known."""
    from bench.extractors.classifier_store import UNTRAINED

    return trial.components.get("extractor", "").endswith(f":{UNTRAINED}")
