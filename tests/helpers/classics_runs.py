"""The published records of the classics, and folders that hold changed ones."""

from functools import cache
from pathlib import Path

import msgspec

from bench import data
from bench.report.folder_contents import read_contents
from bench.statistics.damage import file_of
from bench.store.journal import Store

CLASSICS = Path(__file__).parents[2] / "results" / "published" / "classics"
METHODS = ("nsgan", "wgan", "hinge", "mmgan")
OUTCOME = (
    *("status", "message", "metrics", "history", "stability", "cost"),
    *("environment", "commit", "started_at", "finished_at"),
)


@cache
def classics():
    return tuple(Store(CLASSICS).records())


def runs_of_classics():
    """Runs of four methods, all seeds, by workload, method and seed."""
    return {
        (record.spec.workload, record.spec.method_name, record.spec.seed): record
        for record in classics()
        if record.spec.method_name in METHODS
    }


def replace(record, **changes):
    return msgspec.structs.replace(record, **changes)


def written(records, folder):
    (folder / "records").mkdir(parents=True, exist_ok=True)
    for record in records:
        (folder / file_of(record)).write_bytes(msgspec.json.encode(record))
    return folder


def found(records, folder):
    """What is wrong with the records as a folder, a line each."""
    contents = read_contents(written(records, folder), data.workload)
    return [f"{finding.file}: {finding.what}" for finding in contents.findings if finding.wrong]


def into(target, source):
    """The target's trial, with what the source's run has left."""
    return replace(target, **{name: getattr(source, name) for name in OUTCOME})


RUN = ("digits", "nsgan", 3)
"""The run that tests change."""
