"""Where the time of the tests goes: `make times`, or `pytest -p cpu_seconds` with this folder on PYTHONPATH.

CPU seconds, of the tests and of the processes that they started and waited for: unlike `--durations`, they hardly
depend on what else the machine does, and a test that waits costs nothing.
"""

from collections.abc import Generator, Iterable
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage  # as they are: tests put others into the module
from typing import Any

import pytest

LONGEST = 30
"""Tests that are listed one by one."""

_spent: dict[str, float] = {}
_before = 0.0


def spent_so_far() -> float:
    """Return the CPU seconds of this process, and of those that it has waited for."""
    both = [getrusage(who) for who in (RUSAGE_SELF, RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in both)


def pytest_runtest_logstart() -> None:
    global _before
    _before = spent_so_far()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, Any]:
    """Write into the report of each phase what it took; so it comes from a worker to whoever sums up."""
    global _before
    report = yield
    now = spent_so_far()
    report.cpu_seconds, _before = now - _before, now
    return report


def pytest_runtest_logreport(report: Any) -> None:
    _spent[report.nodeid] = _spent.get(report.nodeid, 0.0) + report.cpu_seconds


def by_folder(spent: Iterable[tuple[str, float]]) -> list[tuple[str, int, float]]:
    """Return folders with the number of their tests and their seconds, the longest first."""
    folders: dict[str, list[float]] = {}
    for test, seconds in spent:
        folders.setdefault(test.partition("::")[0].rpartition("/")[0], []).append(seconds)
    rows = [(folder, len(each), sum(each)) for folder, each in folders.items()]
    return sorted(rows, key=lambda row: -row[2])


def pytest_terminal_summary(terminalreporter: Any) -> None:
    terminalreporter.section("CPU seconds")
    for folder, count, seconds in by_folder(_spent.items()):
        terminalreporter.write_line(f"{seconds:8.1f} {count:6} {folder}")
    terminalreporter.write_line(f"{sum(_spent.values()):8.1f} {len(_spent):6} in all, without collecting them")
    for test in sorted(_spent, key=_spent.__getitem__, reverse=True)[:LONGEST]:
        terminalreporter.write_line(f"{_spent[test]:8.2f} {test}")
