"""`run`: train what is missing, then print the leaderboard and write the report."""

import contextlib
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from bench.cli.ending import Ending, exit_code
from bench.cli.executors import check_place, check_precision, chosen_executor, executor_options, taken_from
from bench.cli.inception import inception_options, inception_plan
from bench.cli.judges import (
    JudgeChoice,
    also_in_option,
    chosen_weights,
    lost_numbers,
    measure_real_images,
    workloads_of,
)
from bench.cli.options import (
    RenamedOption,
    data_option,
    format_option,
    print_json,
    results_option,
    suite_from,
    suite_options,
    usage_errors,
)
from bench.cli.own_losses import prints_aside
from bench.cli.prepare import data_progress, feature_notes, untrained, untrained_notes
from bench.cli.voice import Verb, detail, leave_to_events, quiet, say
from bench.common.gpus import MOST_TRIALS_PER_PROCESS

if TYPE_CHECKING:
    from bench.cli.tally import Tally
    from bench.config.suite import Suite
    from bench.config.trial import Trial
    from bench.execution.interface import Executor
    from bench.store.journal import Store
    from bench.training.run_options import RunOptions

_GOES_ON: Final = "what was finished is recorded, and the same command goes on where this one stopped"
_INTERRUPTED: Final = f"stopped; {_GOES_ON}"


def _shard(_context: click.Context, _option: click.Parameter, given: str | None) -> tuple[int, int] | None:
    """Read `I/N`."""
    if given is None:
        return None
    part, slash, count = given.partition("/")
    if not (slash and part.isdecimal() and count.isdecimal() and 1 <= int(part) <= int(count)):
        raise click.UsageError(f"--shard takes I/N with I from 1 to N, such as 3/8, not {given!r}")
    return int(part), int(count)


def _progress(context: click.Context, _option: click.Parameter, kind: str) -> str:
    if quiet() and context.get_parameter_source("progress") is ParameterSource.COMMANDLINE:
        raise click.UsageError("--quiet shows no progress: leave it or --progress out")
    if kind == "json":
        leave_to_events(context)
    return kind


@click.command(cls=Verb, short_help="Train what is missing, rank the losses, write the report.")
@suite_options
@executor_options
@click.option(
    "--capture", is_flag=True,
    help="Replay steps as CUDA graphs, and evaluate beside them: the same numbers, sooner. Not yet run on a GPU by the "
    "authors.",
)  # fmt: skip
@click.option(
    "--trials-per-process", cls=RenamedOption, old_name="--pack",
    type=click.IntRange(min=1, max=MOST_TRIALS_PER_PROCESS), default=1, show_default=True,
    help="Trials of one workload that share a process, for a GPU: the same numbers. Not yet run on a GPU by the "
    "authors.",
)  # fmt: skip
@click.option(
    "--shard", callback=_shard, metavar="I/N",
    help="Only the I-th of N equal parts of the plan, for a job array. Give each job its own --results, then `merge`.",
)  # fmt: skip
@click.option(
    "--against", "target", metavar="NAME",
    help="Rank --method among published records, as they were trained: a published folder's name, a path, or `all`.",
)  # fmt: skip
@results_option
@data_option
@inception_options
@also_in_option
@click.option("--dry-run", is_flag=True, help="Show the plan and about how long it takes; run nothing.")
@click.option(
    "--progress", type=click.Choice(["auto", "rich", "plain", "json"]), default="auto", show_default=True,
    callback=_progress,
    help="How progress is shown, on stderr; auto is live on a terminal, plain lines elsewhere.",
)  # fmt: skip
@format_option(description="How the plan of --dry-run, or else the tables are written.")
def run(
    *,
    device: str,
    kind: str,
    workers: int | None,
    capture: bool,
    trials_per_process: int,
    shard: tuple[int, int] | None,
    target: str | None,
    results: Path,
    data_dir: Path | None,
    inception: str,
    inception_weights: Path | None,
    also_in: tuple[JudgeChoice, ...],
    dry_run: bool,
    progress: str,
    style: str,
    **options: Any,  # noqa: ANN401 - the suite's options, by name
) -> None:
    """Train every method of a suite on every workload and seed, then rank them.

    Without options it is the quick suite: real digits, no download, a few minutes on two CPU cores. With --method or
    --workload, and no --suite, each workload trains its own full budget, on two seeds unless --seeds says otherwise.
    What is recorded already is not run again, so the same command goes on after an interruption.

    With --against it trains only what published records lack, at their own workloads, budgets and seeds, and ranks it
    among them. It exits with 3 if their numbers cannot be compared with those of this machine, and says why.
    """
    from bench.cli.asked import asked_of
    from bench.cli.planning import budgets, more_seeds
    from bench.cli.reading import open_store
    from bench.report.formatting import plural

    ending = click.get_current_context().with_resource(Ending(kind))
    cluster = taken_from(options)
    with usage_errors():
        check_place(kind, device, workers, cluster, capture=capture)
    if target is not None and kind == "ray":
        raise click.UsageError(
            "--against compares the kind of this machine with that of the published records, and a cluster's nodes are "
            "known only when trials run; train there without --against, then repeat the command with it here"
        )
    suite = suite_from(options)  # before the import that loads torch: a misspelt suite is told at once
    report = data_progress()
    asked = asked_of(suite, target, options, data_dir, report)
    suite = asked.suite
    from bench.checking import first_steps
    from bench.execution.device import resolve
    from bench.plan import pending, shard_of
    from bench.training.run_options import RunOptions

    store = open_store(results)
    place = (device, 1 if kind == "inline" else workers)
    with usage_errors():
        # One that is not here is told before a download, and minutes of a classifier's training.
        here = device if dry_run or kind == "ray" else resolve(device)
        trials = asked.trials(store, place, data_dir, report, fetch=not dry_run)
        for trial in trials:
            check_precision(here, trial.spec.precision, f"precision={trial.spec.precision}")
        # All parts have the threads of the longest one, so that their times and bits can be compared.
        planned = -(-len(trials) // (1 if shard is None else shard[1]))
        if shard is not None:
            trials = shard_of(trials, *shard)
    processes = -(-planned // trials_per_process)
    with prints_aside():
        tried = first_steps(trials)
    if dry_run:
        where = _meant_by(device, kind)
        fid = inception_plan(inception, inception_weights, trials, device=where, report=None, fetch=False)
        others = chosen_weights(also_in, workloads_of(trials), None, fetch=False)
        with usage_errors():
            looking = RunOptions(trials_per_process=trials_per_process, inception=fid, also_in=others)
            todo = [trial for trial, _ in pending(trials, store, fid, others)]
        notes = untrained_notes(trials) + feature_notes(trials, store) + asked.notes(trials)
        notes += lost_numbers(todo, store, fid, others) + tried
        known_place = None if kind == "ray" else (*place, looking)
        _print_plan(suite, trials, todo, store, place=known_place, processes=processes, style=style, notes=notes)
        return
    from bench.files.places import resolved

    with usage_errors():
        executor, chosen, threads = chosen_executor(kind, device, workers, processes, cluster, capture=capture)
        click.get_current_context().call_on_close(executor.close)
        store.check_writable()
    fid = inception_plan(inception, inception_weights, trials, device=chosen, report=report)
    others = chosen_weights(also_in, workloads_of(trials), report)
    with usage_errors():
        todo = [trial for trial, _ in pending(trials, store, fid, others)]
        unmeasured = _fetch_data(todo, data_dir, report, None if kind == "ray" else (chosen, threads))
        chosen_options = RunOptions(
            device=chosen,
            threads=threads,
            data_dir=None if data_dir is None else str(resolved(data_dir)),
            timeout_minutes=suite.timeout_minutes,
            capture=capture,
            trials_per_process=trials_per_process,
            inception=fid,
            also_in=others,
        )
        if kind != "ray":  # its nodes measure for themselves, once each
            measure_real_images(chosen_options, workloads_of(todo), data_dir, report)
    notes = feature_notes(trials, store) + asked.notes(trials) + lost_numbers(todo, store, fid, others)
    notes += unmeasured + tried
    head = "; ".join([f"started: {suite.label}, {plural(len(trials), 'trial')}", *budgets(trials)])

    def begin() -> None:
        # What is run is part of what is told of its result, and comes before it: on stdout, unless that is JSON.
        if style == "table":
            click.echo(head)
        for line in ([head] if style == "json" else []) + notes + more_seeds(suite):
            say(line)

    with prints_aside() if style == "json" else contextlib.nullcontext():  # `inline` trains in this very process
        tally = _campaign(trials, executor, store, chosen_options, progress, begin, ending)
    code = asked.conclude(trials, results, data_dir, style)
    if tally.problems:
        click.echo(
            f"error: {plural(tally.problems, 'trial')} ended in an error or a timeout; their logs are in "
            f"{store.root / 'logs'}, and the same command tries them again",
            err=True,
        )
        code = 1
    click.get_current_context().exit(code)


def _meant_by(device: str, kind: str) -> str:
    """Return the device that a plan's run would have here; the one that is asked for where nobody can say."""
    from bench.execution.device import resolve

    try:
        return device if kind == "ray" else resolve(device)
    except ValueError:
        return device


def _fetch_data(
    trials: "Sequence[Trial]",
    data_dir: Path | None,
    report: Callable[[str, int, int], None] | None,
    place: tuple[str, int] | None,
) -> list[str]:
    """Read every workload that is needed once, so that a download happens here and not in each worker.

    Return what is to be said of those whose real images are yet to be measured at this place, a device and a number
    of threads: without a word, nothing would seem to happen meanwhile.
    """
    from bench import data
    from bench.metrics.prepare import is_measured

    notes = []
    for name, trial in {trial.spec.workload: trial for trial in trials}.items():
        arrays = data.load(name, data_dir, report)
        if place is not None and not is_measured(trial, arrays, *place):
            count = f"{len(arrays.train) + len(arrays.test):,}"
            notes.append(f"{name}: its {count} real images are measured first, once; the steps begin after that")
    return notes


def _campaign(
    trials: "Sequence[Trial]",
    executor: "Executor",
    store: "Store",
    options: "RunOptions",
    progress: str,
    begin: Callable[[], None],
    ending: Ending,
) -> "Tally":
    """Run the campaign and show its events, having called `begin`; Ctrl-C or a signal stops it and leaves."""
    from bench import campaign
    from bench.cli.progress import renderer
    from bench.events import CampaignStarted, CampaignStopping
    from bench.execution.interface import ExecutorLostError
    from bench.store.journal import StoreError
    from bench.training.stopping import Stopped

    display = renderer(progress)
    detail(f"{executor.workers} at a time on {options.device}, each with {options.threads} of its threads")
    events = campaign.run(trials, executor, store, options)
    try:
        with display:
            for event in events:
                if isinstance(event, CampaignStarted):
                    begin()
                elif isinstance(event, CampaignStopping):
                    ending.tell()  # before the trials are waited for: whoever sees nothing happen presses it again
                display.handle(event)
    except (KeyboardInterrupt, Stopped) as stopped:
        ending.tell()  # it came while an event was shown, or to a trial in this process
        if isinstance(events, Generator):
            events.close()
        with contextlib.suppress(OSError):  # the terminal is gone
            click.echo(_INTERRUPTED, err=True)
        click.get_current_context().exit(exit_code(stopped))
    except StoreError as error:
        raise click.ClickException(str(error)) from error
    except ExecutorLostError as error:
        raise click.ClickException(f"{error}; {_GOES_ON}") from error
    return display.tally


def _print_plan(
    suite: "Suite",
    trials: "Sequence[Trial]",
    todo: "Sequence[Trial]",
    store: "Store",
    *,
    place: "tuple[str, int | None, RunOptions] | None",
    processes: int,
    style: str,
    notes: list[str],
) -> None:
    """Show what would be run, in its order, what is there already, and about how long the rest takes.

    `place` is the device, the workers and what else is chosen, None for a cluster; `processes` is how many the longest
    part of a plan has.
    """
    from bench.cli.planning import budgets, estimated, more_seeds, time_text, trial_json
    from bench.report.formatting import plural

    wanted = {trial.id for trial in todo}
    estimate = None
    time = "time: not known here: a cluster is asked only when trials run"
    if place is not None:
        try:
            estimate, used = estimated(todo, processes, store, *place)
            time = time_text(estimate, used, str(store.root))
        except ValueError as error:  # a plan may be looked at on a machine that lacks its device
            time = f"time: not known here: {error}"
    if style == "json":
        document = {
            "suite": suite.name or None,
            "trials": [trial_json(trial, to_run=trial.id in wanted) for trial in trials],
            "recorded": len(trials) - len(todo),
            "to_run": len(todo),
            "seconds": estimate.seconds if estimate is not None and estimate.is_whole else None,
            "time": time if todo else "",
            "results": store.root,
            "notes": notes,
        }
        print_json(document)
        return
    counts = f"{plural(len(trials), 'trial')}, {len(trials) - len(todo)} recorded, {len(todo)} to run"
    click.echo("; ".join([f"{suite.label}: {counts}", *budgets(trials)]))
    for note in notes:
        click.echo(f"  {note}")
    for trial in trials:
        spec = trial.spec
        state = "to run  " if trial.id in wanted else "recorded"
        shown = "?".ljust(len(trial.id)) if untrained(trial) else trial.id
        click.echo(
            f"  {state}  {shown}  {spec.workload:<16} seed {spec.seed:<3} {spec.steps:>7,} steps  {spec.method_name}"
        )
    click.echo(f"records: {store.root}; {time}" if todo else f"records: {store.root}")
    for note in more_seeds(suite):
        say(note)
