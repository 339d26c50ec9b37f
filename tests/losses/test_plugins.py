"""Losses from a file."""

import sys
import types
from pathlib import Path

import pytest

from losses import plugins


def test_a_program_on_stdin_has_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python calls it `<stdin>`, which is the name of no file."""
    typed = types.ModuleType("typed")
    typed.__file__ = "<stdin>"
    monkeypatch.setitem(sys.modules, "typed", typed)
    assert plugins.file_of("typed") is None
    assert plugins.file_of("losses.plugins") == Path(plugins.__file__).resolve()


def test_a_file_is_imported_once_by_whatever_name_and_another_of_its_name_is_another(tmp_path: Path) -> None:
    told = tmp_path / "told"
    source = f"with open({str(told)!r}, 'a') as told:\n    told.write('.')\n"
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"own_{folder}.py").write_text(source)
    one, two = (tmp_path / folder / f"own_{folder}.py" for folder in ("one", "two"))
    link = tmp_path / "link.py"
    link.symlink_to(one)
    before = set(sys.modules)
    try:
        for path in (one, one, link, two):
            plugins.import_file(path)
        assert told.read_text() == ".."
    finally:
        for name in set(sys.modules) - before:
            del sys.modules[name]
