"""docs/github-actions.yml: its commands exist, and its scripts do what they say from the first run on."""

import math
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import click
import pytest
import yaml
from synthetic import World, make, write

from bench.cli.main import cli
from bench.config.suite import load_suite
from bench.store.baseline import encode_baseline

BASH = shutil.which("bash")
ROOT = Path(__file__).parents[3]
WORKFLOW = yaml.safe_load((ROOT / "docs" / "github-actions.yml").read_text())
ELSEWHERE = yaml.safe_load((ROOT / "docs" / "github-actions-elsewhere.yml").read_text())
GITLAB = yaml.safe_load((ROOT / "docs" / "gitlab-ci.yml").read_text())

TINY = """
name = "tiny"
methods = ["nsgan"]
workloads = ["ring8"]
seeds = 1
steps = 4
evaluate_every = 4
samples = 100
"""

OWN = """
import losses
from losses.objectives.hinge import Hinge
from typing import final
from dataclasses import dataclass


@final
@losses.register("mine_in_ci")
@dataclass(frozen=True)
class Mine(Hinge):
    __doc__ = Hinge.__doc__
"""


def scripts(job, workflow=WORKFLOW):
    return {step["name"]: step["run"] for step in workflow["jobs"][job]["steps"] if "run" in step}


def github(workflow):
    """Return the variables and the scripts of a workflow of GitHub."""
    return workflow["env"], [script for job in workflow["jobs"] for script in scripts(job, workflow).values()]


def gitlab():
    jobs = [job for name, job in GITLAB.items() if name != "variables"]
    lines = [job.get(part, []) for job in jobs for part in ("before_script", "script", "after_script")]
    return GITLAB["variables"], [line for each in lines for line in each]


PLACES = {"github": github(WORKFLOW), "github, elsewhere": github(ELSEWHERE), "gitlab": gitlab()}


def bench_commands(place):
    for script in PLACES[place][1]:
        for line in script.replace("\\\n", " ").splitlines():
            words = shlex.split(line.partition("||")[0].partition(" > ")[0], comments=True)
            if words[:3] == ["python", "-m", "bench"]:
                yield words[3:]


COMMANDS = [(place, words) for place in PLACES for words in bench_commands(place)]


@pytest.mark.parametrize("place", PLACES)
def test_each_workflow_is_one_that_runs_something(place):
    assert {words[0] for words in bench_commands(place)} == {"run", "baseline", "compare", "report"}
    # Elsewhere the plan is asked for, too.
    assert len(list(bench_commands(place))) == 6 + (place == "github, elsewhere")


def test_the_workflows_run_on_requests_and_by_hand():
    for workflow in (WORKFLOW, ELSEWHERE):
        assert set(workflow[True]) == {"pull_request", "workflow_dispatch"}  # `on` is a truth value in YAML 1.1
    assert [rule["if"].split('"')[1] for job in ("freeze", "compare") for rule in GITLAB[job]["rules"]] == [
        "web",
        "merge_request_event",
    ]


@pytest.mark.parametrize(("place", "words"), COMMANDS, ids=lambda value: " ".join(value[:6]) if value[0] else "")
def test_every_command_is_one_of_ours(place, words):
    variables = PLACES[place][0]
    words = [variables.get(word.removeprefix("$"), word) for word in words]
    context, command = click.Context(cli), cli
    while isinstance(command, click.Group):
        command = command.get_command(context, words.pop(0))
    command.make_context(command.name, words)  # parses, and runs nothing


@pytest.mark.parametrize("place", ["github, elsewhere", "gitlab"])
def test_other_repositories_install_this_package_and_keep_their_trials(place):
    variables, found = PLACES[place]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert variables["PACKAGE"] == f"git+{project['urls']['Documentation'].partition('/tree/')[0]}", "it is on no index"
    assert 'python -m pip install "$PACKAGE"' in found
    if place == "gitlab":
        assert GITLAB["compare"]["cache"]["key"]["files"][0] == variables["SUITE"]
        assert GITLAB["compare"]["cache"]["paths"] == [variables["RESULTS"]]
    else:
        caches = [step for step in ELSEWHERE["jobs"]["compare"]["steps"] if "actions/cache" in step.get("uses", "")]
        assert [step["with"]["path"] for step in caches] == [variables["RESULTS"]] * 2
        assert all("steps.suite.outputs.digest" in step["with"]["key"] for step in caches)


@pytest.mark.parametrize("workflow", ["github-actions-elsewhere.yml", "gitlab-ci.yml"])
def test_the_suite_that_a_workflow_asks_for_is_a_suite(workflow, tmp_path):
    lines = (ROOT / "docs" / workflow).read_text().splitlines()
    shown = [line.removeprefix("#").strip() for line in lines if line.startswith("#         ") and " = " in line]
    (tmp_path / "bench.toml").write_text("\n".join(shown))
    suite = load_suite(tmp_path / "bench.toml")
    assert suite.losses == [str(tmp_path / "my_losses.py")]
    assert "nsgan" in suite.methods


@pytest.fixture
def run_step(tmp_path):
    """Run the script of a step in a folder of its own, as GitHub would, with a suite of a second."""
    (tmp_path / "tiny.toml").write_text(TINY)
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "python").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    (programs / "python").chmod(0o755)
    environment = os.environ | WORKFLOW["env"]
    environment |= {"SUITE": "tiny.toml", "SEEDS": "5", "BASE_SEEDS": "5", "THRESHOLD": "100000"}
    environment |= {"PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    environment |= {"GITHUB_OUTPUT": str(tmp_path / "output"), "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}

    def run(job, name, workflow=WORKFLOW, **variables):
        command = [BASH, "--noprofile", "--norc", "-eo", "pipefail", "-c", scripts(job, workflow)[name]]
        settings = environment | variables
        return subprocess.run(command, cwd=tmp_path, env=settings, capture_output=True, text=True, check=False)

    return run


@pytest.mark.slow
def test_from_the_first_run_to_the_verdict(run_step, tmp_path):
    assert run_step("compare", "Train").returncode == 0
    first = run_step("compare", "Screen")
    assert first.returncode == 3
    assert "baseline freeze main --results results/ci, and commit" in first.stderr

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


@pytest.mark.slow
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


@pytest.mark.slow
def test_the_digest_is_that_of_all_that_decides_the_trials(run_step, tmp_path):
    (tmp_path / "mine.py").write_text(OWN)
    (tmp_path / "tiny.toml").write_text(TINY.replace('["nsgan"]', '["nsgan", "mine_in_ci"]') + 'losses = ["mine.py"]\n')

    def digest(**variables):
        (tmp_path / "output").unlink(missing_ok=True)
        done = run_step("compare", "Digest", ELSEWHERE, GITHUB_OUTPUT=str(tmp_path / "output"), **variables)
        assert done.returncode == 0, done.stderr
        return (tmp_path / "output").read_text()

    first = digest()
    assert re.fullmatch(r"digest=[0-9a-f]{16}\n", first)
    assert digest() == first
    assert len((tmp_path / "plan.txt").read_text().splitlines()) >= 10
    assert digest(SEEDS="6") != first
    (tmp_path / "mine.py").write_text(OWN + "\n# changed")
    changed = digest()
    assert changed != first
    (tmp_path / "mine.py").write_text(OWN)
    assert digest() == first
