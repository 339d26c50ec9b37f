"""Very many very short trials through the local executor: what a trial costs beside its training, and what grows.

PYTHONPATH=.:tests/helpers:tests/bench/execution python tests/helpers/load.py [COUNT] [WORKERS] [FOLDER]
"""

import gc
import resource
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from small_trials import make_trial

from bench import campaign
from bench.config.trial import Trial
from bench.events import TrialFinished
from bench.execution.local import LocalExecutor
from bench.store.journal import Store
from bench.training.run_options import RunOptions

TRAINER = "fake_training:train"


@dataclass
class Load:
    """What was seen of a campaign."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    """Of the supervisor alone."""
    finished: int = 0
    recorded: int = 0
    memory: list[int] = field(default_factory=list)
    """KiB of the supervisor that are resident, at equal distances."""
    handles: list[int] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)


def resident() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


def _count(folder: str) -> int:
    return len(list(Path(folder).iterdir()))


def trials(count: int) -> list[Trial]:
    one = make_trial("nsgan", seed=0)
    spec = msgspec.structs.replace(one.spec, method="brief", method_name="brief")
    return [Trial(spec=msgspec.structs.replace(spec, seed=seed), components={}) for seed in range(count)]


def load(count: int, workers: int, folder: Path, looks: int = 10) -> Load:
    seen = Load()
    store = Store(folder)
    executor = LocalExecutor(workers, warm=("bench.execution.worker",))
    began, cpu = time.perf_counter(), time.process_time()
    for event in campaign.run(trials(count), executor, store, RunOptions(), trainer=TRAINER):
        if isinstance(event, TrialFinished):
            assert event.status == "ok", event.message
            seen.finished += 1
            if seen.finished % max(1, count // looks) == 0:
                gc.collect()
                seen.memory.append(resident())
                seen.handles.append(_count("/proc/self/fd"))
                seen.threads.append(_count("/proc/self/task"))
    seen.seconds, seen.cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
    seen.recorded = len(list((folder / "records").glob("*.json")))
    return seen


if __name__ == "__main__":
    number, at_once = (int(each) for each in (*sys.argv[1:3], *("5000", "2")[len(sys.argv[1:3]) :]))
    with tempfile.TemporaryDirectory(dir=sys.argv[3] if len(sys.argv) > 3 else None) as place:
        found = load(number, at_once, Path(place) / "results")
    each = found.seconds * at_once / number
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    sys.stdout.write(
        f"{found.finished} trials, {found.recorded} records, {found.seconds:.1f} s\n"
        f"of a trial: {1000 * each:.0f} ms of a worker, {1000 * found.cpu_seconds / number:.1f} ms of CPU here\n"
        f"memory, MiB: {[round(kib / 1024, 1) for kib in found.memory]}\n"
        f"handles: {found.handles}\nthreads: {found.threads}\n"
        f"CPU of the template: {children.ru_utime + children.ru_stime:.1f} s\n"
    )
