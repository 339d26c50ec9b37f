"""What `run` and `status` say of a plan before anything is trained: its trials, their budget and the time they take."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.cli.prepare import untrained

if TYPE_CHECKING:
    from bench.config.suite import Suite
    from bench.config.trial import Spec, Trial
    from bench.statistics.durations import DurationEstimate
    from bench.store.journal import Store
    from bench.training.run_options import RunOptions


def budgets(trials: "Sequence[Trial]") -> list[str]:
    """Say of each workload how long it trains, in which batch, and on which seeds; of each of its budgets."""
    from bench.report.formatting import budget

    lines = []
    for name, steps, every in dict.fromkeys(
        (trial.spec.workload, trial.spec.steps, trial.spec.evaluate_every) for trial in trials
    ):
        specs = [trial.spec for trial in trials if (trial.spec.workload, trial.spec.steps) == (name, steps)]
        specs = [spec for spec in specs if spec.evaluate_every == every]
        batches = dict.fromkeys(str(spec.batch_size) for spec in specs)  # on the paper track each method has its own
        seeds = tuple(sorted({spec.seed for spec in specs}))
        lines.append(budget(name, steps, " or ".join(batches), seeds, every))
    return lines


def without_effect(suite: "Suite", trials: "Sequence[Trial]") -> list[str]:
    """Say what is asked for and changes no trial: their networks or their recipes decide it."""
    from bench.config.protocol import CONTROLLED_BATCH_SIZE, CORE_NORM

    specs = [trial.spec for trial in trials]
    points = list(dict.fromkeys(spec.workload for spec in specs if spec.network.name == "mlp-v1"))
    said = []
    if suite.d_norm != CORE_NORM and points:
        said.append(f"d_norm={suite.d_norm} changes nothing on {', '.join(points)}: networks for points have no norm")
    if suite.track == "paper":
        norms = {spec.network.d_norm for spec in specs if spec.workload not in points}
        sizes = {spec.batch_size for spec in specs}
        given = {}
        if suite.d_norm != CORE_NORM and norms - {suite.d_norm}:
            given["d_norm"] = str(suite.d_norm)
        if suite.batch_size != CONTROLLED_BATCH_SIZE and sizes - {suite.batch_size}:
            given["batch_size"] = str(suite.batch_size)
        said += [
            f"{key}={value} changes nothing where a method's own recipe has another, which the paper track goes by"
            for key, value in given.items()
        ]
    return said


def more_seeds(suite: "Suite") -> list[str]:
    """Say how to go on from the few seeds that trials have where nobody has said how many."""
    from bench.config.protocol import CONTROLLED_BATCH_SIZE, PUBLISHABLE_SEEDS
    from bench.config.suite import DEFAULT_SUITE, FEW_SEEDS, load_suite

    if suite.name or suite.seeds != FEW_SEEDS:
        return []
    said = [
        f"{FEW_SEEDS} seeds are a first look: --seeds {PUBLISHABLE_SEEDS} makes a table to quote, and goes on from it"
    ]
    if suite.steps is None:
        quick = load_suite(DEFAULT_SUITE)
        batch = quick.batch_size if suite.batch_size == CONTROLLED_BATCH_SIZE else suite.batch_size
        budget = f"{quick.steps:,} steps of {batch}"
        said.append(f"--suite {quick.name} with the same options trains {budget}, in minutes")
    return said


def trial_json(trial: "Trial", *, to_run: bool) -> dict[str, object]:
    """Return one trial of a plan for a program; its id is null where it is not known before a classifier is trained."""
    spec = trial.spec
    return {
        "trial": None if untrained(trial) else trial.id,
        "state": "to run" if to_run else "recorded",
        "workload": spec.workload,
        "method": spec.method_name,
        "expression": spec.method,
        "seed": spec.seed,
        "steps": spec.steps,
        "evaluate_every": spec.evaluate_every,
        "batch_size": spec.batch_size,
        "samples": spec.samples,
        "precision": spec.precision,
    }


def estimated(
    todo: "Sequence[Trial]",
    processes: int,
    store: "Store",
    device: str,
    workers: int | None,
    options: "RunOptions",
) -> "tuple[DurationEstimate, int]":
    """Estimate how long trials take here, and return how many processes run at once, of so many that the plan has.

    `options` say which judges look at the images.

    Raises:
        ValueError: the device is not there.
    """
    import os

    from bench import data
    from bench.campaign import divide
    from bench.execution.device import accelerator_name, resolve
    from bench.execution.placement import places_on
    from bench.statistics.durations import estimate_duration
    from bench.store.environment import environment

    chosen = resolve(device)
    used, threads = divide(processes, workers, chosen, len(places_on(chosen, os.environ)))
    machine = environment(chosen, threads, accelerator_name(chosen))

    def judges_of(spec: "Spec") -> list[str]:
        return [weights.network for weights in options.judges(data.workload(spec.workload))]

    return estimate_duration(todo, store.records(histories=False), machine, used, judges_of), used


def time_text(estimate: "DurationEstimate", workers: int, results: str) -> str:
    """Say how long a plan takes, which recorded speeds say so, and what is not known."""
    from bench.report.formatting import duration, plural

    unknown = ", ".join(estimate.unknown)
    if not estimate.own + estimate.others:
        return f"time: not known before the first trial has run; {results} has no speed of {unknown} on this machine"
    sources = [f"{estimate.own} by the same method"] if estimate.own else []
    sources += [f"{estimate.others} by other methods on the workload"] if estimate.others else []
    words = (
        f"time: about {duration(estimate.seconds)}, {workers} at a time, from speeds recorded on this machine "
        f"({plural(estimate.own + estimate.others, 'trial')}: {', '.join(sources)})"
    )
    if estimate.unjudged:
        words += (
            f"; not counted is what {' and '.join(estimate.unjudged)} takes, which has not looked at such images here"
        )
    return f"{words}; not counted is {unknown}, which has not run here" if unknown else words
