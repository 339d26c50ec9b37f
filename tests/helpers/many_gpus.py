"""A campaign of very many trials on very many GPUs that come and go, by simulation with a clock of its own.

PYTHONPATH=.:tests/helpers python tests/helpers/many_gpus.py    prints the table of docs/scale.md
"""

import heapq
import itertools
import random
import sys
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """What is simulated; times in hours."""

    trials: int
    gpus: int
    trial: float
    """How long a trial trains."""
    preemptions: float = 0.0
    """Of a GPU, an hour: times between them are exponential."""
    noticed: float = 0.9
    """The share of preemptions whose notice comes in time for a checkpoint."""
    checkpoint: float = 1 / 6
    """Between two checkpoints: without a notice, what was trained since the last one is lost."""
    replacement: float = 0.1
    """Until another GPU is there, in the mean; exponential."""
    start: float = 5 / 3600
    """Of a trial's process, and again after each preemption."""
    supervisor: float = 0.0
    """The supervisor's own time for each trial."""
    per_process: int = 1
    """Trials that share a process and a GPU, and train as long as one alone."""


@dataclass(kw_only=True)
class Seen:
    """What came of it."""

    hours: float = 0.0
    """Until the last record."""
    preempted: int = 0
    trained: float = 0.0
    """Hours of GPUs that were spent on steps that count."""
    lost: float = 0.0
    """Hours of GPUs that were spent on steps that were made again, and on starts."""
    away: float = 0.0
    """Hours for which a GPU was not there."""
    busy: float = 0.0
    """The share of the time in which the one supervisor concludes trials: above 1, it is too slow."""
    most_losses: int = 0
    """The most preemptions that one trial has seen."""


def simulate(cluster: Cluster, seed: int = 0) -> Seen:
    """Run it: every GPU takes the next trial that waits, those first that have been preempted."""
    draw = random.Random(seed)
    seen = Seen()
    fresh = -(-cluster.trials // cluster.per_process)
    waiting: list[tuple[float, int]] = []
    """Of each preempted trial the hours that are left, and how often it was preempted."""
    number = itertools.count()
    # What comes next: a GPU that is free (no trial), or a trial that is back in the queue.
    coming: list[tuple[float, int, tuple[float, int] | None]] = [(0.0, next(number), None) for _ in range(cluster.gpus)]
    idle = 0
    while coming:
        now, _, trial = heapq.heappop(coming)
        if trial is not None:
            waiting.append(trial)
            if not idle:
                continue
            idle -= 1
        if waiting:
            left, losses = waiting.pop()
        elif fresh:
            fresh -= 1
            left, losses = cluster.trial, 0
        else:
            idle += 1
            continue
        until = draw.expovariate(cluster.preemptions) if cluster.preemptions else float("inf")
        if until >= cluster.start + left:
            ended = now + cluster.start + left
            seen.trained += left
            seen.lost += cluster.start
            seen.hours = max(seen.hours, ended)
            heapq.heappush(coming, (ended, next(number), None))
            continue
        trained = max(0.0, until - cluster.start)
        kept = trained if draw.random() < cluster.noticed else trained - trained % cluster.checkpoint
        gone = draw.expovariate(1 / cluster.replacement)
        seen.preempted += 1
        seen.trained += kept
        seen.lost += until - kept
        seen.away += gone
        seen.most_losses = max(seen.most_losses, losses + 1)
        heapq.heappush(coming, (now + until, next(number), (left - kept, losses + 1)))
        heapq.heappush(coming, (now + until + gone, next(number), None))
    assert not waiting
    assert not fresh
    seen.busy = cluster.trials * cluster.supervisor / seen.hours
    return seen


def row(cluster: Cluster) -> str:
    """Return a row of the table: times in days, money in GPU hours."""
    seen = simulate(cluster)
    paid = seen.trained + seen.lost
    return (
        f"| {cluster.preemptions:.2f} | {cluster.per_process} | {seen.hours / 24:,.1f} | {paid:,.0f} "
        f"| {seen.lost / paid:.1%} | {seen.preempted:,} | {seen.most_losses} | {seen.busy:.1%} |"
    )


def million(preemptions: float, per_process: int) -> Cluster:
    """Return what the table is about."""
    return Cluster(
        trials=1_000_000,
        gpus=1000,
        trial=0.25,
        preemptions=preemptions,
        supervisor=0.02 / 3600,
        per_process=per_process,
    )


def main() -> None:
    """Print the table."""
    sys.stdout.write(
        "| preemptions a GPU and hour | trials a process | days | GPU hours | of them wasted | preemptions "
        "| most of one trial | the supervisor works |\n|---|---|---|---|---|---|---|---|\n"
    )
    for preemptions in (0.0, 0.01, 0.05, 0.2):
        for per_process in (1, 4):
            sys.stdout.write(row(million(preemptions, per_process)) + "\n")


if __name__ == "__main__":
    main()
