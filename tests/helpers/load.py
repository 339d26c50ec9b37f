"""Very many very short trials: what a trial costs beside its training, and what grows with their number.

PYTHONPATH=.:tests/helpers:tests/bench/execution python tests/helpers/load.py [COUNT] [WORKERS] [--executor local|ray]

With `--executor ray` a cluster is started on loopback, of a head and a node with as many CPUs as there are workers.
"""

import argparse
import contextlib
import gc
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from ray_clusters import cluster
from small_trials import make_trial

from bench import campaign
from bench.config.trial import Trial
from bench.events import TrialFinished
from bench.execution.interface import Executor
from bench.execution.local import LocalExecutor
from bench.execution.ray import RayExecutor
from bench.execution.template import WARM_MODULES
from bench.store.journal import Store
from bench.training.run_options import RunOptions

TRAINER = "fake_training:train"
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Watched:
    """What was seen of one process, at equal distances."""

    memory: list[int] = field(default_factory=list)
    """KiB that are resident."""
    handles: list[int] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)
    cpu_seconds: float = 0.0
    """Until the last look."""

    def look(self, pid: int | str) -> None:
        place = Path(f"/proc/{pid}")
        lines = (place / "status").read_text().splitlines()
        self.memory.append(next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")))
        self.handles.append(len(list((place / "fd").iterdir())))
        self.threads.append(len(list((place / "task").iterdir())))
        times = (place / "stat").read_text().rpartition(")")[2].split()
        self.cpu_seconds = (int(times[11]) + int(times[12])) / _TICKS


@dataclass
class Load:
    """What was seen of a campaign."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    """Of the supervisor alone."""
    finished: int = 0
    recorded: int = 0
    supervisor: Watched = field(default_factory=Watched)
    gateway: Watched = field(default_factory=Watched)
    """The process that speaks to a cluster, where there is one."""


def trials(count: int) -> list[Trial]:
    one = make_trial("nsgan", seed=0)
    spec = msgspec.structs.replace(one.spec, method="brief", method_name="brief", workload="ring8")
    return [Trial(spec=msgspec.structs.replace(spec, seed=seed), components={}) for seed in range(count)]


@contextlib.contextmanager
def executor_of(kind: str, workers: int, warm: Sequence[str] = WARM_MODULES) -> Iterator[Executor]:
    """Make an executor as `run` does, for `ray` with a cluster of its own. Whoever runs a campaign with it closes it.

    `warm` is what workers of `local` are forked from; the nodes of a cluster have what `run` has.
    """
    if kind == "local":
        yield LocalExecutor(workers, warm=warm)
        return
    with cluster() as nodes:
        nodes.add(cpus=workers)
        yield RayExecutor(nodes.address, device="cpu", workers=workers)


def children(module: str) -> list[int]:
    """Return the children of this process that run a module."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended
            parent = int((place / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid() and module in (place / "cmdline").read_text():
                found.append(int(place.name))
    return found


def load(count: int, executor: Executor, folder: Path, looks: int = 10) -> Load:
    """Run a campaign of so many trials, and look at its processes so many times."""
    seen, store, speakers = Load(), Store(folder), children("bench.execution.ray_gateway")
    began, cpu = time.perf_counter(), time.process_time()
    for event in campaign.run(trials(count), executor, store, RunOptions(), trainer=TRAINER):
        if isinstance(event, TrialFinished):
            assert event.status == "ok", event.message
            seen.finished += 1
            if seen.finished % max(1, count // looks) == 0:
                gc.collect()
                seen.supervisor.look("self")
                for pid in speakers:
                    seen.gateway.look(pid)
    seen.seconds, seen.cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
    seen.recorded = len(list((folder / "records").glob("*.json")))
    return seen


def _words(name: str, watched: Watched) -> str:
    memory = [round(kib / 1024, 1) for kib in watched.memory]
    return f"{name}: memory {memory} MiB\n  handles {watched.handles}\n  threads {watched.threads}\n"


def main() -> None:
    """Run it, and print what was seen."""
    parser = argparse.ArgumentParser()
    parser.add_argument("count", type=int, nargs="?", default=5000)
    parser.add_argument("workers", type=int, nargs="?", default=2)
    parser.add_argument("--executor", choices=("local", "ray"), default="local")
    parser.add_argument("--folder", help="where the results go, and are removed again; by default a temporary one")
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(dir=asked.folder) as place,
        executor_of(asked.executor, asked.workers) as executor,
    ):
        found = load(asked.count, executor, Path(place) / "results")
    each = found.seconds * asked.workers / asked.count
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    sys.stdout.write(
        f"{found.finished} trials, {found.recorded} records, {found.seconds:.1f} s\n"
        f"of a trial: {1000 * each:.0f} ms of a worker, {1000 * found.cpu_seconds / asked.count:.1f} ms of CPU here, "
        f"{1000 * found.gateway.cpu_seconds / asked.count:.1f} ms of the gateway, with its start\n"
        f"{_words('supervisor', found.supervisor)}{_words('gateway', found.gateway)}"
        f"CPU of processes that were started and waited for: {children.ru_utime + children.ru_stime:.1f} s\n"
    )


if __name__ == "__main__":
    main()
