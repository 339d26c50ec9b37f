"""Whether a precision trains as float32 does: the same method, data and seeds in each, and captured steps on CUDA.

    python tests/performance/precisions.py --device cpu
    python tests/performance/precisions.py --device cuda

Prints the distance of every seed, how far a precision lies from float32 on average over pairs of runs of one seed, and
how far apart the seeds are. On CUDA every precision is trained once more with captured steps, which have to give the
very numbers of plain ones. Exit status 1 says that a run has another status than in float32 or no distance, that a
precision is beyond the scatter of the seeds, or that a captured run has another number.
"""

import argparse
import math
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench import campaign
from bench.config.suite import load_suite
from bench.config.trial import Precision, Trial
from bench.events import TrialFinished
from bench.execution.local import LocalExecutor
from bench.plan import expand
from bench.store.journal import Store
from bench.store.record import Record
from bench.training.run_options import RunOptions

Runs = dict[int, Record]
"""The record of each seed."""


def trials(method: str, workload: str, precision: Precision, seeds: int, steps: int) -> list[Trial]:
    settings = {"methods": [method], "workloads": [workload], "seeds": seeds, "precision": precision}
    return expand(load_suite("classics", {**settings, "steps": steps, "evaluate_every": max(1, steps // 3)}))


def train(planned: list[Trial], device: str, *, capture: bool) -> Runs:
    workers, threads = campaign.divide(len(planned), None, device)
    options = RunOptions(threads=threads, device=device, capture=capture)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        events = campaign.run(planned, LocalExecutor(workers), store, options)
        for event in events:
            if isinstance(event, TrialFinished):
                sys.stderr.write(f"{event.trial.id}: {event.status}\n")
        return {record.spec.seed: record for record in store.records()}


def distances(runs: Runs) -> list[float]:
    """Return the distance of each seed, infinite where there is none."""
    found = [runs[seed].metrics["distance"] for seed in sorted(runs)]
    return [math.inf if distance is None else distance for distance in found]


def line(name: str, found: Sequence[float], reference: Sequence[float]) -> tuple[str, bool]:
    """Return a line of the table, and whether the distances are those of the reference but for the seeds' scatter.

    Within it is a mean difference of pairs below the standard deviation of the reference over its seeds.
    """
    shown = ", ".join(f"{each:.4g}" for each in found)
    if not all(map(math.isfinite, [*found, *reference])):
        return f"| {name} | {shown} | – | – |", False
    shift = statistics.fmean(ours - theirs for ours, theirs in zip(found, reference, strict=True))
    scatter = statistics.stdev(reference)
    return f"| {name} | {shown} | {shift:+.3g} | {scatter:.3g} |", abs(shift) < scatter


def statuses(runs: Runs) -> list[str]:
    return [runs[seed].status for seed in sorted(runs)]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--method", default="nsgan")
    parser.add_argument("--workload", default="digits")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=300)
    chosen = parser.parse_args(arguments)
    cuda = chosen.device != "cpu"
    precisions: tuple[Precision, ...] = ("fp32", "tf32", "bf16") if cuda else ("fp32", "bf16")
    lines = [
        "| precision | distance of each seed | mean difference to fp32 | deviation over seeds |",
        "|---|---|---|---|",
    ]
    good = True
    reference: Runs = {}
    for precision in precisions:
        planned = trials(chosen.method, chosen.workload, precision, chosen.seeds, chosen.steps)
        plain = train(planned, chosen.device, capture=False)
        reference = reference or plain
        text, within = line(precision, distances(plain), distances(reference))
        alike = statuses(plain) == statuses(reference)
        lines += [text] if alike else [text, f"{precision}: other statuses, {', '.join(statuses(plain))}"]
        good = good and within and alike
        if cuda:
            captured = train(planned, chosen.device, capture=True)
            equal = all(captured[seed].metrics == record.metrics for seed, record in plain.items())
            lines.append(f"captured, {precision}: {'the same numbers' if equal else 'OTHER NUMBERS'}")
            good = good and equal
    sys.stdout.write("\n".join(lines) + "\n")
    raise SystemExit(0 if good else 1)


if __name__ == "__main__":
    main()
