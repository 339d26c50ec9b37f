"""Workers and the number of files that a process may open."""

import os
import resource
from collections.abc import Iterator

import pytest

from bench.execution.local import LocalExecutor

Limits = tuple[int, int]


@pytest.fixture
def limits() -> Iterator[Limits]:
    """The limits of this process, which a test may lower."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def soft_limit() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def test_the_limit_is_raised_for_many_workers(limits: Limits) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits[1]))
    with LocalExecutor(300) as executor:
        assert (executor.workers, executor.notes) == (300, ())
    assert soft_limit() >= 300 * 5 + 50
    reached = [os.dup(1) for _ in range(300 * 5)]  # what so many workers take
    for descriptor in reached:
        os.close(descriptor)


def test_a_limit_that_is_high_enough_stays(limits: Limits) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (1000, limits[1]))
    with LocalExecutor(8):
        assert soft_limit() == 1000


@pytest.mark.parametrize(("most", "least"), [(1024, 100), (256, 1), (64, 1)])
def test_where_it_cannot_be_raised_there_are_fewer_workers(
    monkeypatch: pytest.MonkeyPatch, most: int, least: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (most, most))
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    with LocalExecutor(300) as executor:
        assert least <= executor.workers <= max(1, most // 6)
        (note,) = executor.notes
    assert note.startswith(f"{executor.workers} at a time and not 300")
    assert "raise `ulimit -n`" in note


def test_a_system_that_refuses_to_raise_it_has_fewer_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("current limit exceeds maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    with LocalExecutor(300) as executor:
        assert 100 <= executor.workers < 300


def test_no_limit_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    with LocalExecutor(300) as executor:
        assert (executor.workers, executor.notes) == (300, ())
