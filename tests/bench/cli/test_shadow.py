"""A folder with a `losses` of its own, in processes of their own, as `python -m` sees it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from own_loss import OWN

from bench.cli import shadow

ROOT = Path(__file__).parents[3]
MODULE = ("-m", "bench")
CONSOLE = ("-P", "-c", "from bench.__main__ import main; main()")
"""What the console command does: the current folder is not searched for modules."""


def run(how, folder, *arguments):
    return subprocess.run(
        [sys.executable, *how, *arguments], cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(params=["losses.py", "losses/__init__.py"])
def shadowed(request, tmp_path):
    """A folder whose `losses` leaves a mark when it is run."""
    path = tmp_path / request.param
    path.parent.mkdir(exist_ok=True)
    path.write_text("open('was_run', 'w').close()\n" + OWN)
    return path


def test_it_is_recognized_before_it_is_run_and_the_console_command_is_named(shadowed):
    folder = shadowed.parent if shadowed.name == "losses.py" else shadowed.parent.parent
    result = run(MODULE, folder, "run", "--dry-run")
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("error: ")
    assert "Write `gan-loss-bench` in place of `python -m bench`" in result.stderr
    assert str(folder / "losses") in result.stderr
    assert not (folder / "was_run").exists()


def test_what_needs_no_losses_is_not_in_its_way(shadowed):
    folder = shadowed.parent if shadowed.name == "losses.py" else shadowed.parent.parent
    assert run(MODULE, folder, "list", "suites").returncode == 0
    assert not (folder / "was_run").exists()


@pytest.mark.slow
def test_the_console_command_works_there_and_may_use_the_file(tmp_path):
    (tmp_path / "losses.py").write_text(OWN)
    result = run(CONSOLE, tmp_path, "run", "--losses", "losses.py", "--method", "own_hinge", "--dry-run")
    assert result.returncode == 0, result.stderr
    assert "own_hinge" in result.stdout


def test_the_library_of_this_package_is_not_foreign_and_any_other_is():
    import losses

    assert not shadow.is_foreign(Path(losses.__file__))
    assert shadow.is_foreign(ROOT / "tests" / "losses" / "__init__.py")


def test_the_console_command_is_called_by_its_name(tmp_path):
    assert "Usage: gan-loss-bench run" in run(CONSOLE, tmp_path, "run", "--help").stdout
    assert "Usage: python -m bench run" in run(MODULE, tmp_path, "run", "--help").stdout
