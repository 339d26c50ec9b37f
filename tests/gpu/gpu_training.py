"""Stages 6 to 8: what losses cost, whether precisions train alike, and trials for as long as there is time."""

import math
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import precisions as script
import torch
from gpu_results import Found
from gpu_setup import Check, Setup

from bench import campaign, data
from bench.config.trial import Precision, Trial
from bench.costs.blocks import Effort
from bench.costs.measure import Known, Measured, Refused, measure
from bench.data.family import DataError
from bench.execution.inline import InlineExecutor
from bench.methods import resolve
from bench.store.journal import Store
from bench.store.kernels import KernelSetting, KernelStore, Mode
from bench.store.record import Record
from bench.training.run_options import RunOptions

TIMED: Final = ("nsgan", "nsgan-r1", "wgan-gp", "r3gan")
LEAST_SECONDS: Final = 60.0
"""A campaign for which less is left is not started."""
SAVING_SECONDS: Final = 25.0
"""Before the end of its time a campaign is asked to end, so that it keeps what it has trained."""


def kernels(setup: Setup) -> Iterator[Check]:
    """Time the losses in both modes; the records go where `bench kernels` has them."""
    size = (
        {"batch_size": 8, "width": 4, "channels": 1} if setup.small else {"batch_size": 64, "width": 64, "channels": 3}
    )
    effort = Effort(0.0005, 0.005, 1, 1, 1) if setup.small else Effort(seconds=0.8)
    modes: tuple[Mode, ...] = ("eager", "captured")
    for mode in modes:
        setting = KernelSetting(image_size=32, d_norm="ln", precision="fp32", mode=mode, **size)
        store = KernelStore(setup.results)
        names = TIMED[:2] if setup.small else TIMED
        for event in measure(resolve(names), [setting], store, device=setup.device_name, effort=effort):
            name = event.record.label if isinstance(event, Measured) else event.label
            yield f"{name}, {mode}", lambda event=event: _cost(event)


def _cost(event: Measured | Known | Refused) -> Found:
    if isinstance(event, Refused):
        return Found("failed", event.reason)
    if isinstance(event, Known):
        return Found("skipped", "this machine has a record of it")
    record = event.record
    step = record.timing("d_step")
    state = "failed" if record.notes else "note"
    ratio = step.ratio.median if step is not None else math.nan
    said = f"{len(record.timings)} paths; a step of D takes {ratio:.2f} of the reference's"
    unknown = [timing.path for timing in record.timings if not timing.profile.bytes]
    if unknown:
        state, said = "failed", f"{said}; no bytes were counted of {', '.join(unknown)}"
    return Found(state, "; ".join([said, *record.notes]), {"record": record.id})


def precisions(setup: Setup) -> Iterator[Check]:
    """Train the same seeds in each precision, plainly and captured; plain ones go to the records that are kept."""
    seeds, steps = (2, 4) if setup.small else (5, 300)
    workload = "ring8" if setup.small else "digits"
    plain: dict[str, script.Runs] = {}

    def planned(precision: Precision) -> list[Trial]:
        return script.trials("nsgan", workload, precision, seeds, steps)

    def against_fp32(precision: Precision) -> Found:
        plain[precision] = _train(setup, planned(precision), setup.results, capture=False)
        text, within = script.line(precision, script.distances(plain[precision]), script.distances(plain["fp32"]))
        alike = script.statuses(plain[precision]) == script.statuses(plain["fp32"])
        said = text.strip("| ").replace(" | ", "; ")
        if setup.small:  # a few steps train nothing, so that nothing can be said of how well
            return Found("note", said)
        if precision == "fp32":
            return Found("note" if all(map(math.isfinite, script.distances(plain["fp32"]))) else "failed", said)
        return Found("ok" if within and alike else "failed", said if alike else f"{said}; other statuses")

    def captured(precision: Precision) -> Found:
        runs = _train(setup, planned(precision), setup.output / "captured", capture=True)
        equal = all(runs[seed].metrics == record.metrics for seed, record in plain[precision].items())
        return Found("ok" if equal else "failed", "the numbers of plain steps" if equal else "other numbers than plain")

    for precision in setup.precisions:
        yield f"seeds of {precision}", lambda p=precision: against_fp32(p)
        yield f"seeds of {precision}, captured", lambda p=precision: captured(p)


def _train(setup: Setup, planned: list[Trial], folder: Path, *, capture: bool) -> dict[int, Record]:
    options = RunOptions(
        device=setup.device_name, threads=torch.get_num_threads(), capture=capture, trials_per_process=len(planned)
    )
    store = Store(folder)
    for _ in campaign.run(planned, InlineExecutor(), store, options):
        pass
    latest = store.latest()
    return {trial.spec.seed: latest[trial.id] for trial in planned}


def trials(setup: Setup) -> Iterator[Check]:
    """Run the classics until the time is over; what is recorded by then is kept."""
    ends = time.monotonic() + setup.seconds
    workload = _workload(setup)
    yield f"classics on {workload}", lambda: _campaign(setup, workload, ends - time.monotonic())
    yield "records", lambda: _records(setup)


def _workload(setup: Setup) -> str:
    if setup.small:
        return "ring8"
    try:
        data.load("mnist", setup.data)
    except DataError:
        return "digits"
    return "mnist"


def _campaign(setup: Setup, workload: str, seconds: float) -> Found:
    if seconds < LEAST_SECONDS:
        return Found("skipped", f"{seconds:.0f} s are left; go on with --from trials")
    command = [sys.executable, "-m", "bench", "run", "--suite", "classics", "--workload", workload]
    command += ["--device", setup.device_name, "--results", str(setup.results), "--progress", "plain"]
    command += ["--capture", "--trials-per-process", "5", "--set", "budget=full"] if setup.cuda else []
    command += ["--data", str(setup.data)] if setup.data else []
    if setup.small:
        command += ["--method", "nsgan", "--seeds", "1", "--steps", "20", "--set", "evaluate_every=20"]
    before = len(Store(setup.results).records(histories=False))
    started = time.monotonic()
    # Its words go where those of the stage go, which tells its results alone on stdout.
    process = subprocess.Popen(command, stdout=sys.stderr, cwd=Path(__file__).parents[2])
    try:
        process.wait(max(1.0, seconds - SAVING_SECONDS))
        ended = "all are done" if process.returncode == 0 else f"it ended with {process.returncode}"
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        process.wait()
        ended = "the rest has checkpoints; the same call goes on"
    made = len(Store(setup.results).records(histories=False)) - before
    state = "failed" if process.returncode not in (0, -signal.SIGINT, 130) else "note"
    return Found(state, f"{made} trials in {time.monotonic() - started:.0f} s; {ended}", {"records": made})


def _records(setup: Setup) -> Found:
    """Count what there is to publish, and what went wrong in it."""
    records = Store(setup.results).records(histories=False)
    wrong = [record for record in records if record.status in ("error", "timeout")]
    said = f"{len(records)} records in {setup.results}"
    if wrong:
        return Found("failed", f"{said}, of which {len(wrong)} are lost: {wrong[0].message}")
    return Found("note", f"{said}; python -m bench publish results/published/NAME --from {setup.results}")
