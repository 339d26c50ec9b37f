"""Folders of many records: how often each is opened, and what the verbs that read them take.

Run as a program it makes a folder of so many records, or says what a command takes:

    test_scale.py make 10000 FOLDER
    test_scale.py measure leaderboard --results FOLDER
"""

import cProfile
import gc
import os
import pstats
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace
from planted_records import make_workload, planted_record
from slow_cases import sampled
from synthetic import World, make, method_names, write

from bench import data
from bench.report.joint_checks import joint_contradictions
from bench.statistics.gates.comparison import compare
from bench.statistics.gates.verdicts import GateSettings
from bench.statistics.ranking import rank
from bench.store import index, journal
from bench.store.baseline import records_digest
from bench.store.journal import Store
from bench.store.record import Record
from bench.store.table import table

ROOT = Path(__file__).parents[3]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_LOSS_BENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.slow
def test_no_file_is_opened_twice(bench, tmp_path, cache, monkeypatch):
    """2,000 records: the first verb opens each once, the others none; after a change those that have changed."""
    opened = []
    content = journal._content
    monkeypatch.setattr(journal, "_content", lambda path: opened.append(path) or content(path))
    monkeypatch.setattr(index, "_SETTLED_NS", -(10**12))
    results = write(make(World(methods=method_names(4)), 100), tmp_path / "results")

    def count(*arguments):
        opened.clear()
        result = bench(*arguments)
        assert result.exit_code == 0, result.output
        return len(opened)

    export = ("export", "--output", tmp_path / "table.csv", "--results", results)
    assert count(*export) == 2000
    before = (tmp_path / "table.csv").read_text()
    assert count(*export) == 0
    assert (tmp_path / "table.csv").read_text() == before
    assert before.count("\n") == 1 + 2000
    assert count("compare", results, results) == 0
    opened.clear()
    assert len(Store(results).latest(histories=False)) == 2000  # of which `status` and `run` ask what is done
    assert opened == []
    trial = before.splitlines()[1].split(",")[0]
    assert count("show", trial, "--results", results) == 1
    for seed in range(3):
        Store(results).append(planted_record(make_workload(), "hinge", seed, distance=40.0))
    assert count(*export) == 3
    assert (tmp_path / "table.csv").read_text().count("\n") == 1 + 2003
    ranked = write(make(World(methods=method_names(2), workloads=("digits",)), 100), tmp_path / "ranked")
    assert count("leaderboard", "--results", ranked) == 200
    assert count("leaderboard", "--results", ranked) == 0


@pytest.mark.parametrize("verb", [("verify",), ("publish",), ("report", "--results")])
def test_what_checks_or_draws_reads_the_records_themselves(bench, results, monkeypatch, verb):
    monkeypatch.setattr(index, "read_scalars", lambda *_: pytest.fail("the index was asked"))
    with pytest.raises(pytest.fail.Exception):
        Store(results).records(histories=False)
    result = bench(*verb, results)
    assert result.exit_code in (0, 1)
    assert result.exception is None or isinstance(result.exception, SystemExit)


WORK: dict[str, Callable[[list, dict], object]] = {
    "rank": lambda records, workloads: rank(records, workloads, resamples=200),
    "table": lambda records, _: table(records),
    "digest": lambda records, _: records_digest(records),
    "compare": lambda records, workloads: compare(
        records, records, workloads, GateSettings(stage="once", threshold=0.05), None
    ),
    "joint checks": lambda records, _: list(joint_contradictions(records)),
}


@pytest.mark.parametrize("name", sampled(WORK, every=3))
def test_four_times_the_records_are_four_times_the_calls(name):
    """Calls of functions, which no other process on the machine can slow down."""

    def calls(seeds: int) -> int:
        records = make(World(methods=method_names(4), workloads=("digits", "mnist")), seeds)
        workloads = {each: data.workload(each) for each in ("digits", "mnist")}
        WORK[name](records, workloads)  # what is done once is done
        gc.collect()
        profile = cProfile.Profile()
        profile.runcall(WORK[name], records, workloads)
        return pstats.Stats(profile).total_calls

    assert 1.5 < calls(40) / calls(10) < 4.5


def measure(*arguments: object) -> tuple[float, float]:
    """Return the seconds of CPU and the GiB of memory that a command takes, in a process that has done nothing else."""
    done = subprocess.run(
        [sys.executable, __file__, "measure", *map(str, arguments)],
        capture_output=True, text=True, check=False, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "tests/helpers")))},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    seconds, memory = map(float, done.stdout.split()[-2:])
    return seconds, memory


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_hundred_thousand_records(tmp_path, many_files, cache, capsys):
    """The seconds are of CPU, since other processes share the machine; a folder's first reading makes its index.

    The curves are thin: with all of their points the largest folder would take 2.2 GB, which a small machine lacks.
    """
    took: dict[tuple[str, int], tuple[float, float]] = {}
    for count in (1_000, 10_000, 100_000):
        results = many_files / str(count)
        make_folder(count, results, every=50)
        time.sleep(2.5)  # what is younger is not indexed
        commands: dict[str, tuple[object, ...]] = {
            "first reading": ("export", "--format", "parquet", "--output", tmp_path / "table", "--results", results),
            "status": ("status", "--results", results),
            "leaderboard": ("leaderboard", "--results", results),
            "export": ("export", "--output", tmp_path / "table.csv", "--results", results),
            "compare": ("compare", results, results),
        }
        for verb, arguments in commands.items():
            took[verb, count] = measure(*arguments)
        shutil.rmtree(results)
    with capsys.disabled():
        sys.stdout.write(f"\n{'':16}{'1,000':>16}{'10,000':>16}{'100,000':>16}   CPU seconds, GiB\n")
        for verb in commands:
            cells = (took[verb, count] for count in (1_000, 10_000, 100_000))
            numbers = "".join(f"{seconds:10.1f}{memory:6.2f}" for seconds, memory in cells)
            sys.stdout.write(f"{verb:16}{numbers}\n")
    for verb in commands:
        (small, _), (middle, _), (large, memory) = (took[verb, count] for count in (1_000, 10_000, 100_000))
        assert memory < 1.5, verb
        assert large < (120 if verb == "first reading" else 60), verb
        # Linear work is 10 and quadratic work 100: halfway between them, on a scale of factors, since a busy machine
        # doubles a difference as easily as it halves it. What 9,000 records add can be less than its noise.
        assert large - middle < 32 * max(middle - small, 1), verb


def make_folder(count: int, results: Path, every: int = 1) -> None:
    """Write records of 50 methods on 5 workloads; few at a time, so that they need no memory either.

    Of the points of a training curve each `every`-th is written.
    """
    world = World(methods=method_names(50))
    seeds = count // (50 * 5)
    for first in range(0, seeds, 10):
        records = make(world, range(first, min(first + 10, seeds)))
        write([thinned(record, every) for record in records], results)
    assert len([*(results / "records").iterdir()]) == count


def thinned(record: Record, every: int) -> Record:
    training = {name: values[::every] for name, values in record.history.training.items()}
    return replace(record, history=replace(record.history, training=training))


def main(verb: str, *arguments: str) -> None:
    if verb == "make":
        make_folder(int(arguments[0]), Path(arguments[1]))
        return
    subprocess.run([sys.executable, "-m", "bench", *arguments], check=True, stdout=subprocess.DEVNULL)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    sys.stdout.write(f"{used.ru_utime + used.ru_stime} {used.ru_maxrss / 2**20}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
