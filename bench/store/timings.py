"""Kernel timings as `pytest --benchmark-json=FILE` writes them: every round of every benchmark, and the machine."""

import hashlib
import shlex
from pathlib import Path

import msgspec
from msgspec import Struct

from bench.config.trial import canonical_json
from bench.files.regular import UnusableFileError, read_regular
from bench.store.strict_json import UNREADABLE


class Rounds(Struct, frozen=True, kw_only=True):
    """One benchmark: its name, and the seconds of every round."""

    name: str
    seconds: tuple[float, ...]


class Timings(Struct, frozen=True, kw_only=True):
    """The benchmarks of one file, which were timed on one machine."""

    fingerprint: str
    """The same exactly where times may be compared."""
    machine: str
    """The machine in words."""
    benchmarks: tuple[Rounds, ...]


class _Stats(Struct, frozen=True):
    data: list[float] = []


class _Benchmark(Struct, frozen=True):
    fullname: str
    stats: _Stats


class _Processor(Struct, frozen=True):
    brand_raw: str = ""
    arch: str = ""
    count: int = 0


class _Machine(Struct, frozen=True):
    """What times depend on; host name, kernel build and the clock rate of the moment are left out."""

    machine: str = ""
    system: str = ""
    processor: str = ""
    python_implementation: str = ""
    python_version: str = ""
    cpu: _Processor = _Processor()


class _File(Struct, frozen=True):
    machine_info: _Machine
    benchmarks: list[_Benchmark]


def read_timings(path: Path) -> Timings:
    """Read a file of `pytest-benchmark`.

    Raises:
        ValueError: it is no such file, or it lacks the rounds, as `--benchmark-autosave` leaves them out.
    """
    again = f"pytest --benchmark-json={shlex.quote(str(path))}"
    try:
        file = msgspec.json.decode(read_regular(path), type=_File)
    except UnusableFileError as error:
        raise ValueError(f"{path} {error}") from error
    except UNREADABLE as error:
        raise ValueError(f"{path} holds no timings ({error}); they are written by: {again}") from error
    without = [
        benchmark.fullname
        for benchmark in file.benchmarks
        if not benchmark.stats.data or min(benchmark.stats.data) <= 0
    ]
    if without:
        raise ValueError(f"{path} lacks the rounds of {without[0]}; write it with: {again}")
    machine = file.machine_info
    name = machine.cpu.brand_raw or machine.processor or machine.machine or "unknown machine"
    return Timings(
        fingerprint=hashlib.sha256(canonical_json(machine)).hexdigest()[:12],
        machine=f"{name} x{machine.cpu.count}, Python {machine.python_version}",
        benchmarks=tuple(
            Rounds(name=benchmark.fullname, seconds=tuple(benchmark.stats.data)) for benchmark in file.benchmarks
        ),
    )
