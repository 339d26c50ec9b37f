"""What a test runs on a small file system of its own: `unshare` gives this process one, and it prints what it saw.

    python on_a_small_disk.py FOLDER WHAT    FOLDER is an empty mount point

The disk is filled to the last byte by a file beside the results, as other programs do, and freed at the end.
"""

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from small_trials import toy_trial

from bench import campaign
from bench.config.trial import Trial
from bench.events import NotKept, Progress, TrialFinished
from bench.execution.inline import InlineExecutor
from bench.store.journal import Store, StoreError
from bench.training import checkpoint
from bench.training.run_options import RunOptions


def fill(folder: Path) -> None:
    with contextlib.suppress(OSError), (folder / "of-others").open("ab", buffering=0) as file:
        for size in (2**16, 2**10, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * size)


def free(folder: Path) -> None:
    (folder / "of-others").unlink()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def trials(count: int) -> list[Trial]:
    return [toy_trial(seed=seed, steps=20, evaluate_every=10, samples=400) for seed in range(count)]


def run(store: Store, wanted: list[Trial], fill_when: Callable[[object], bool], disk: Path) -> Iterator[object]:
    for event in campaign.run(wanted, InlineExecutor(), store, RunOptions()):
        if fill_when(event):
            fill(disk)
        yield event


def during_records(disk: Path) -> dict[str, object]:
    """Fill the disk when the first of three trials is recorded."""
    store = Store(disk / "results")
    (disk / "temporary").mkdir()
    elsewhere = tempfile.mkdtemp(dir="/tmp")
    tempfile.tempdir = elsewhere
    events, said = [], ""
    try:
        for event in run(store, trials(3), lambda event: isinstance(event, TrialFinished), disk):
            events.append(event)
    except StoreError as error:
        said = str(error)
    before = len(store.records())
    rescued = list(Path(elsewhere).rglob("*.json"))
    free(disk)
    for path in rescued:
        (store.root / "records" / path.name).write_bytes(path.read_bytes())
    return {
        "said": said,
        "recorded": before,
        "rescued": len(rescued),
        "in the end": [record.status for record in store.records()],
        "not kept": sorted({event.what for event in events if isinstance(event, NotKept)}),
        "messages": [event.message for event in events if isinstance(event, TrialFinished)],
        "again": sum(isinstance(event, TrialFinished) for event in campaign.run(trials(3), InlineExecutor(), store)),
    }


def during_a_checkpoint(disk: Path) -> dict[str, object]:
    """Fill the disk before the first checkpoint of a trial."""
    checkpoint.LEAST_SECONDS = checkpoint.TRAINING_FOR_WRITING = 0.0
    place = disk / "checkpoints"
    place.mkdir()
    fill(disk)
    results = []
    notes = []
    with tempfile.TemporaryDirectory(dir="/tmp") as roomy:
        for name, folder in (("full", place), ("roomy", Path(roomy) / "checkpoints")):
            store = Store(Path(roomy) / name)
            events = list(campaign.run(trials(1), InlineExecutor(), store, RunOptions(checkpoint_dir=str(folder))))
            notes.append([event.note for event in events if isinstance(event, Progress) and event.note])
            (record,) = store.records()
            results.append((record.status, record.metrics, msgspec.to_builtins(record.history), record.stability))
    return {"notes": notes, "same": results[0] == results[1], "left": names(place)}


def during_a_cache(disk: Path) -> dict[str, object]:
    """Have reference statistics and the index of records kept where there is no room."""
    os.environ["GAN_LOSS_BENCH_CACHE"] = str(disk / "cache")
    (disk / "cache").mkdir()
    fill(disk)
    with tempfile.TemporaryDirectory(dir="/tmp") as roomy:
        store = Store(Path(roomy) / "results")
        list(campaign.run(trials(1), InlineExecutor(), store))
        (record,) = store.records()
        for number in range(1, 250):  # more than are read without an index
            copied = msgspec.structs.replace(record, attempt=number)
            (store.root / "records" / f"{record.trial_id}.{number}.json").write_bytes(msgspec.json.encode(copied))
        read = len(store.records(histories=False))
    return {"status": record.status, "read": read, "left": [str(path) for path in (disk / "cache").rglob("*.*")]}


def during_a_report(disk: Path) -> dict[str, object]:
    """Write a report where there is room for its beginning."""
    from click.testing import CliRunner

    from bench.cli.main import cli

    with tempfile.TemporaryDirectory(dir="/tmp") as roomy:
        store = Store(Path(roomy) / "results")
        list(campaign.run(trials(1), InlineExecutor(), store))
        page = disk / "report.html"
        page.write_text("the one before")
        fill(disk)
        done = CliRunner().invoke(cli, ["report", "--results", str(store.root), "--output", str(page)])
    return {"code": done.exit_code, "said": done.stderr, "page": page.read_text(), "left": names(disk)}


if __name__ == "__main__":
    wanted: Callable[[Path], dict[str, object]] = globals()[sys.argv[2]]
    sys.stdout.write(json.dumps(wanted(Path(sys.argv[1]))) + "\n")
