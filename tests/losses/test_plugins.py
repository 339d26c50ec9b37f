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
