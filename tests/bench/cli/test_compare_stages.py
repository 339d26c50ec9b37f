"""`compare`: the way through two stages, from the screen to the verdict."""

import json
import math
import shlex
import subprocess
from dataclasses import replace

import pytest
from compared_sets import WORLD
from synthetic import make, write

from bench.config.suite import load_suite
from bench.plan import expand
from bench.store.journal import Store
from bench.store.record import Outcome, make_record


def test_two_stages_from_the_screen_to_the_verdict(bench, base, sets, tmp_path):
    truth = {"effects": {"hinge": math.log(1.4)}}
    new, flagged = sets(seeds=5, draw=2, **truth), tmp_path / "flagged.json"
    screen = bench("compare", base, new, "--stage", 1, "--flagged", flagged)
    assert screen.exit_code == 1
    assert "1 flagged, which fresh seeds must confirm" in screen.stdout
    (command,) = json.loads(flagged.read_text())["commands"]
    assert command in screen.stdout

    early = bench("compare", base, new, "--stage", 2, "--flagged", flagged)
    assert early.exit_code == 1
    early = bench("compare", base, new, "--stage", 2, "--flagged", flagged, "--format", "json")
    assert "flagged, and no fresh seed has been run" in early.stdout

    write(make(replace(WORLD, methods=("hinge",), **truth), range(5, 10), 2), new)
    confirmed = bench("compare", base, new, "--stage", 2, "--flagged", flagged)
    assert confirmed.exit_code == 1
    assert confirmed.stdout.startswith("1 of 3 cells worse")

    innocent = sets("innocent", seeds=5, draw=2, **truth)
    write(make(replace(WORLD, methods=("hinge",)), range(5, 10), 2), innocent)
    assert bench("compare", base, innocent, "--stage", 2, "--flagged", flagged).exit_code == 0


@pytest.mark.parametrize("early", [0, 1])
def test_stage_2_passes_nothing_that_stage_1_could_not_judge(bench, base, sets, tmp_path, early):
    """Of lsgan there is nothing yet, or a single seed, when stage 1 looks; then it turns out to be ten times as bad."""
    truth = {"effects": {"hinge": math.log(1.4), "lsgan": math.log(10.0)}}
    new, flagged = sets(seeds=5, draw=2, methods=("nsgan", "hinge"), **truth), tmp_path / "flagged.json"
    write(make(replace(WORLD, methods=("lsgan",), **truth), early, 2), new)
    assert bench("compare", base, new, "--stage", 1, "--flagged", flagged).exit_code == 1
    write(make(replace(WORLD, methods=("hinge",)), range(5, 10), 2), new)  # which acquit it
    write(make(replace(WORLD, methods=("lsgan",), **truth), 5, 2), new)
    late = bench("compare", base, new, "--stage", 2, "--flagged", flagged, "--allow-missing")
    assert late.exit_code == 1
    assert "Unseen: stage 1 has not judged it: run --stage 1 again (1)." in late.stdout


def test_a_file_of_before_stage_1_said_what_it_lets_pass_can_be_read(bench, base, sets, tmp_path):
    new, flagged = sets(seeds=5, draw=2), tmp_path / "flagged.json"
    bench("compare", base, new, "--stage", 1, "--flagged", flagged)
    document = json.loads(flagged.read_text())
    assert len(document.pop("passed")) == 3
    flagged.write_text(json.dumps(document))
    assert bench("compare", base, new, "--stage", 2, "--flagged", flagged).exit_code == 0


def test_fresh_seeds_of_a_folder_of_results_folders_go_where_the_cell_is(bench, base, tmp_path):
    """Not into the folder that holds them all: once it has records itself, the folders in it are not read."""
    new = tmp_path / "new"
    for place, methods in (("some", ("nsgan", "hinge")), ("others", ("lsgan",))):
        truth = {"hinge": math.log(1.4), "lsgan": math.log(1.5)}
        write(make(replace(WORLD, methods=methods, effects=truth), 10, 2), new / place)
    flagged = tmp_path / "flagged.json"
    bench("compare", base, new, "--stage", 1, "--flagged", flagged)
    said = [shlex.split(command) for command in json.loads(flagged.read_text())["commands"]]
    places = {words[words.index("--method") + 1]: words[words.index("--results") + 1] for words in said}
    assert places == {"hinge": str(new / "some"), "lsgan(a=0, b=1, c=1)": str(new / "others")}
    first = bench("compare", "nowhere", new).stderr
    assert f"merge {new}/others {new}/some --into results/local/united, then python -m bench baseline freeze" in first


def test_the_commands_of_the_screen_run_exactly_the_fresh_seeds(bench, tmp_path):
    """Planned by the program itself, so that the trials of the command and of the records are the same."""
    overrides = {"methods": ["nsgan", "hinge + r1(gamma=1)"], "workloads": ["digits", "ring8"], "steps": 40}
    suite = load_suite("quick", overrides | {"evaluate_every": 20, "seeds": 5, "batch_size": 32})
    made_up = {record.spec.seed: record for record in make(replace(WORLD, methods=("nsgan",)), 5, 0)}
    for name, factor in (("old", 1.0), ("new", 2.0)):
        records = []
        for trial in expand(suite):
            like = made_up[trial.spec.seed]
            metrics = {**like.metrics, "distance": like.metrics["distance"] * factor, "modes": 8.0 / factor}
            metrics |= {"high_quality": 0.9, "high_quality_ceiling": 0.99}
            times = {"started_at": like.started_at, "finished_at": like.finished_at}
            records.append(make_record(trial, 0, Outcome(status="ok", metrics=metrics, cost=like.cost, **times)))
        write(records, tmp_path / name)
    flagged = tmp_path / "flagged.json"
    assert bench("compare", tmp_path / "old", tmp_path / "new", "--stage", 1, "--flagged", flagged).exit_code == 1
    document = json.loads(flagged.read_text())
    assert len(document["cells"]) == 4
    planned = {}
    for command in document["commands"]:
        words = subprocess.run(
            ["bash", "-c", f"for word in {command}; do printf '%s\\0' \"$word\"; done"],
            capture_output=True, text=True, check=True,
        ).stdout.split("\0")[:-1]  # fmt: skip
        assert words[:4] == ["python", "-m", "bench", "run"]
        result = bench(*words[3:], "--dry-run")
        assert result.exit_code == 0
        planned |= {
            line.split()[2 if "to run" in line else 1]: "to run" in line for line in result.stdout.splitlines()[1:-1]
        }
    recorded = {record.trial_id for record in Store(tmp_path / "new").records()}
    assert {name for name, fresh in planned.items() if not fresh} == recorded
    assert len([name for name, fresh in planned.items() if fresh]) == 4 * 5
