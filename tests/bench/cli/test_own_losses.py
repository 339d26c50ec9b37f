"""Losses of the user's own in a suite file and in the commands that `compare` prints: the real file, where it lies."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from own_loss import OWN as FIRST
from planted_records import make_workload, planted_record
from synthetic import World, make, write

from bench.config.suite import load_suite
from bench.plan import expand, use_losses_of
from bench.store.record import Outcome, make_record
from losses import registry

ROOT = Path(__file__).parents[3]

OWN = """
from dataclasses import dataclass
from typing import final

import losses
from losses.objectives.hinge import Hinge


@final
@losses.register("own_in_suite")
@dataclass(frozen=True)
class Own(Hinge):
    __doc__ = Hinge.__doc__
"""

SUITE = """
methods = ["nsgan", "own_in_suite"]
workloads = ["digits"]
seeds = 10
steps = 40
evaluate_every = 20
losses = ["../lib/my losses.py"]
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder of the user's: suites/mine.toml, and a file of losses whose path wants quotes."""
    monkeypatch.setattr(registry, "_parts", dict(registry.parts()))
    monkeypatch.setenv("GAN_LOSS_BENCH_LOSSES", "")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "my losses.py").write_text(OWN)
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "mine.toml").write_text(SUITE)
    return tmp_path


def run(*arguments, cwd):
    """Run the program in a process of its own, since what registers a loss cannot be undone."""
    return subprocess.run(
        [sys.executable, "-m", "bench", *map(str, arguments)],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT), "GAN_LOSS_BENCH_LOSSES": ""},
        capture_output=True,
        text=True,
        check=False,
    )


def plan(text):
    return [line.split()[2] for line in text.splitlines() if "to run " in line and " seed " in line]


def test_a_suite_names_its_losses_from_where_it_lies(bench, project, monkeypatch):
    elsewhere = bench("run", "--suite", "suites/mine.toml", "--dry-run")
    assert elsewhere.exit_code == 0, elsewhere.stderr
    assert "own_in_suite" in elsewhere.stdout
    monkeypatch.chdir(project / "suites")
    beside = bench("run", "--suite", "mine.toml", "--dry-run")
    assert plan(beside.stdout) == plan(elsewhere.stdout)
    assert len(plan(beside.stdout)) == 20
    assert bench("status", "--suite", "mine.toml").exit_code == 0


@pytest.mark.slow
def test_where_a_loss_is_named_is_part_of_no_identity(project):
    named = run("run", "--suite", "suites/mine.toml", "--dry-run", cwd=project)
    without = project / "without.toml"
    without.write_text(SUITE.replace('losses = ["../lib/my losses.py"]', ""))
    given = run("run", "--suite", "without.toml", "--losses", "lib/my losses.py", "--dry-run", cwd=project)
    shutil.move(project / "lib" / "my losses.py", project / "moved.py")
    moved = run("run", "--suite", "without.toml", "--losses", "moved.py", "--dry-run", cwd=project)
    assert plan(named.stdout) == plan(given.stdout) == plan(moved.stdout)
    assert len(set(plan(named.stdout))) == 20


def test_the_trials_of_a_suite_with_losses_of_its_own_are_published(bench, project):
    source = write([planted_record(make_workload(), seed=seed) for seed in range(10)], project / "source")
    words = ("publish", "results/published/mine", "--from", source, "--suite", "suites/mine.toml")
    result = bench(*words)
    assert result.exit_code == 2
    assert "has no record of this suite's trials" in result.stderr, "all of its methods are known, and none was trained"
    (project / "lib" / "my losses.py").unlink()
    assert "there is no file suites/../lib/my losses.py" in bench(*words).stderr


def test_a_file_that_is_not_there_is_bad_input(bench, project):
    (project / "lib" / "my losses.py").unlink()
    result = bench("run", "--suite", "suites/mine.toml", "--dry-run")
    assert result.exit_code == 2
    assert "there is no file suites/../lib/my losses.py" in result.stderr


@pytest.fixture
def flagged(project):
    """Two results folders in whose second one the user's loss is twice as bad, and the plan of more seeds of it."""
    use_losses_of([project / "lib" / "my losses.py"])
    like = {each.spec.seed: each for each in make(World(methods=("nsgan",), workloads=("digits",), scatter=0.1), 10)}
    for name, factor in (("old", 1.0), ("new", 2.0)):
        records = []
        for trial in expand(load_suite(project / "suites" / "mine.toml")):
            made = like[trial.spec.seed]
            worse = factor if trial.spec.method_name != "nsgan" else 1.0
            outcome = Outcome(
                status="ok",
                metrics={**made.metrics, "distance": made.metrics["distance"] * worse},
                cost=made.cost,
                started_at=made.started_at,
                finished_at=made.finished_at,
            )
            records.append(make_record(trial, 0, outcome))
        write(records, project / name)
    return project


@pytest.mark.parametrize("arguments", [(), ("--losses", "lib/my losses.py")])
def test_the_fresh_seeds_of_a_loss_of_ones_own_can_be_run_as_printed(bench, flagged, arguments):
    screen = bench("compare", "old", "new", "--stage", 1, "--flagged", "flagged.json", *arguments)
    assert screen.exit_code == 1, screen.stderr
    (command,) = json.loads((flagged / "flagged.json").read_text())["commands"]
    assert command in screen.stdout
    words = shlex.split(command)
    assert words[words.index("--losses") + 1] == "lib/my losses.py"
    planned = bench(*words[3:], "--dry-run")
    assert planned.exit_code == 0, planned.stderr
    assert "10 recorded" in planned.stdout


def test_a_loss_whose_file_is_gone_is_said_to_lack_it(bench, flagged):
    (flagged / "lib" / "my losses.py").write_text(OWN + "# edited since")
    screen = bench("compare", "old", "new", "--stage", 1, "--flagged", "flagged.json")
    assert screen.exit_code == 1
    assert "the loss 'own_in_suite', which is flagged: name its file with --losses" in " ".join(screen.stdout.split())


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("", "", ""),
        (
            "return -fake",
            "return -fake_logit",
            "NameError: name 'fake_logit_logits' is not defined (my_losses.py, line",
        ),
        ("return -fake_logits.mean()", "return -fake_logits.log().mean()", "the generator's loss is nan"),
    ],
)
def test_a_loss_that_fails_at_its_first_step_is_told_before_anything_is_trained(
    bench, tmp_path, monkeypatch, old, new, words
):
    monkeypatch.setattr(registry, "_parts", dict(registry.parts()))
    monkeypatch.setenv("GAN_LOSS_BENCH_LOSSES", "")
    path = tmp_path / "my_losses.py"
    path.write_text(FIRST.replace(old, new) if old else FIRST)
    methods = ("--method", "nsgan", "--method", "own_hinge")
    plan = bench("run", "--losses", path, *methods, "--workload", "ring8", "--results", tmp_path / "r", "--dry-run")
    assert plan.exit_code == 0, "it is a remark: it may be made for other images"
    assert "  own_hinge\n" in plan.stdout
    assert (f"own_hinge failed when it was tried on small made-up images: {words}" in plan.stdout) == bool(words)
    assert "nsgan failed" not in plan.stdout
