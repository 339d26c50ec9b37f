"""A loss that nobody knows, and a file that registers it: `--losses` is suggested."""

import re

import pytest
from own_loss import OWN

from bench.cli.own_losses import registering

VERBS = [
    ("run", "--dry-run", "--method"),
    ("status", "--method"),
    ("kernels",),
    ("golden", "--output", "x.json"),
    ("probe", "dirac"),
    ("probe", "gradients"),
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my losses.py").write_text(OWN + "\nraise SystemExit('it was run')\n")
    (tmp_path / "a_broken.py").write_text("def f(:\n")
    (tmp_path / "b_folder.py").mkdir()
    return tmp_path


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
@pytest.mark.parametrize("method", ["own_hinge", "own_hinge + r1(gamma=1)", "bce_ns + own_hinge"])
def test_the_file_is_named_in_every_verb(bench, folder, verb, method):
    result = bench(*verb, method)
    assert result.exit_code == 2
    words = r"unknown (loss|part) 'own_hinge'; my losses\.py registers it: add --losses 'my losses\.py'"
    assert re.fullmatch(f"error: {words}\n", result.stderr), "and nothing of a name that is near"


def test_a_name_that_no_file_registers_gets_no_such_hint(bench, folder):
    result = bench("run", "--dry-run", "--method", "own_hunge")
    assert result.exit_code == 2
    assert "--losses" not in result.stderr


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('@losses.register("mine")\nclass A: ...', True),
        ('@register("mine")\nclass A: ...', True),
        ('# losses.register("mine")', False),
        ('print("mine")', False),
        ("losses.register(name)", False),
        ("\0", False),
        ("(" * 5000, False),
    ],
)
def test_files_are_read_and_not_run(tmp_path, text, found):
    (tmp_path / "some.py").write_text(text)
    assert (registering("mine", tmp_path) is not None) is found
