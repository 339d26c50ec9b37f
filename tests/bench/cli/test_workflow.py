"""docs/github-actions.yml: its commands exist, and its scripts do what they say from the first run on."""

import math
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import click
import pytest
import yaml
from synthetic import World, make, write

from bench.cli.main import cli
from bench.store.baseline import encode_baseline

BASH = shutil.which("bash")
ROOT = Path(__file__).parents[3]
WORKFLOW = yaml.safe_load((ROOT / "docs" / "github-actions.yml").read_text())

TINY = """
name = "tiny"
methods = ["nsgan"]
workloads = ["ring8"]
seeds = 1
steps = 4
evaluate_every = 4
samples = 100
"""


def scripts(job):
    return {step["name"]: step["run"] for step in WORKFLOW["jobs"][job]["steps"] if "run" in step}


def bench_commands():
    for job in WORKFLOW["jobs"]:
        for script in scripts(job).values():
            for line in script.replace("\\\n", " ").splitlines():
                words = shlex.split(line.partition("||")[0], comments=True)
                if words[:3] == ["python", "-m", "bench"]:
                    yield words[3:]


def test_the_workflow_is_one_that_runs_something():
    assert {words[0] for words in bench_commands()} == {"run", "baseline", "compare", "report"}
    assert len(list(bench_commands())) == 6
    assert set(WORKFLOW[True]) == {"pull_request", "workflow_dispatch"}  # `on` is a truth value in YAML 1.1


@pytest.mark.parametrize("words", list(bench_commands()), ids=lambda words: " ".join(words[:6]))
def test_every_command_is_one_of_ours(words):
    words = [WORKFLOW["env"].get(word.removeprefix("$"), word) for word in words]
    context, command = click.Context(cli), cli
    while isinstance(command, click.Group):
        command = command.get_command(context, words.pop(0))
    command.make_context(command.name, words)  # parses, and runs nothing


@pytest.fixture
def run_step(tmp_path):
    """Run the script of a step in a folder of its own, as GitHub would, with a suite of a second."""
    (tmp_path / "tiny.toml").write_text(TINY)
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "python").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    (programs / "python").chmod(0o755)
    environment = os.environ | WORKFLOW["env"]
    environment |= {"SUITE": "tiny.toml", "SEEDS": "1", "BASE_SEEDS": "2", "THRESHOLD": "100000"}
    environment |= {"PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    environment |= {"GITHUB_OUTPUT": str(tmp_path / "output"), "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}

    def run(job, name):
        command = [BASH, "--noprofile", "--norc", "-eo", "pipefail", "-c", scripts(job)[name]]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    return run


@pytest.mark.slow
def test_from_the_first_run_to_the_verdict(run_step, tmp_path):
    assert run_step("compare", "Train").returncode == 0
    first = run_step("compare", "Screen")
    assert first.returncode == 3
    assert "baseline freeze NAME" in first.stderr

    assert run_step("freeze", "Train").returncode == 0
    assert run_step("freeze", "Freeze").returncode == 0
    screen = run_step("compare", "Screen")
    assert screen.returncode == 0, screen.stdout + screen.stderr
    assert (tmp_path / "output").read_text() == "code=3\ncode=0\n"
    assert run_step("compare", "Train fresh seeds of what is flagged").returncode == 0  # there are none
    assert run_step("compare", "Decide").returncode == 0
    assert run_step("compare", "Report").returncode == 0
    assert {path.name for path in (tmp_path / "comparison").iterdir()} == {
        "comparison.md",
        "comparison.xml",
        "report.html",
    }
    assert (tmp_path / "summary.md").read_text().count("### ") == 3


def test_a_regression_goes_through_both_stages(run_step, tmp_path):
    """Nothing is trained: the records are made up, and the fresh seeds' script is printed where it would run."""
    bash = tmp_path / "bin" / "bash"
    bash.write_text('#!/bin/sh\ncat "$2"\n')
    bash.chmod(0o755)
    world = World(methods=("nsgan", "hinge"), workloads=("digits",), scatter=0.1)
    worse = replace(world, effects={"hinge": math.log(1.5)})
    (tmp_path / "baselines").mkdir()
    (tmp_path / "baselines" / "main.jsonl").write_bytes(encode_baseline("main", make(world, 20, 0)))
    results = write(make(worse, 5, 1), tmp_path / "results" / "ci")
    assert run_step("compare", "Screen").returncode == 0
    assert (tmp_path / "output").read_text() == "code=1\n"

    fresh = run_step("compare", "Train fresh seeds of what is flagged")
    assert fresh.returncode == 0, fresh.stderr
    assert fresh.stdout.startswith("python -m bench run --method ")
    assert "--workload digits --seeds 10 --steps 3000" in fresh.stdout
    assert fresh.stdout.rstrip().endswith("--results results/ci")

    write(make(replace(worse, methods=("hinge",)), range(5, 10), 1), results)
    decided = run_step("compare", "Decide")
    assert decided.returncode == 1
    assert decided.stdout.startswith("1 of 2 cells worse")
    assert (tmp_path / "comparison" / "comparison.md").read_text().startswith("### 1 of 2 cells worse")
