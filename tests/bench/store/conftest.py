"""An index of records that is used for few of them, too."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from indexed_records import SECOND

from bench.store import index, journal


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GAN_LOSS_BENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch, cache: Path) -> Path:
    """Index few records, and such as have just been written."""
    monkeypatch.setattr(index, "SMALL", 1)
    monkeypatch.setattr(index, "_SETTLED_NS", -3600 * SECOND)
    return cache


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names of the records' files that are opened."""
    names: list[str] = []
    content = journal._content

    def counted(path: Path) -> bytes:
        names.append(path.name)
        return content(path)

    monkeypatch.setattr(journal, "_content", counted)
    return names
