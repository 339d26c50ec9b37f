"""The commands a user types, in processes of their own: run, kill, run again, read."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from own_loss import OWN

from bench.store.journal import Store

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
PLAN = (
    *("run", "--suite", "smoke", "--workload", "ring8", "--workload", "digits", "--seeds", "1", "--steps", "12"),
    *("--set", "evaluate_every=6", "--set", "samples=300"),
)
TRIALS = 2 * 2


def command(*arguments: str, results: Path) -> list[str]:
    return [sys.executable, "-m", "bench", *arguments, "--results", str(results)]


def bench(*arguments: str, results: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments, results=results), capture_output=True, text=True, cwd=ROOT, check=False)


def deterministic(results: Path) -> dict[str, object]:
    return {
        record.trial_id: (record.attempt, record.status, record.metrics, record.history, record.stability)
        for record in Store(results).records()
    }


def kill_after_first_trial(results: Path) -> None:
    with subprocess.Popen(
        command(*PLAN, "--progress", "json", results=results),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if json.loads(line)["type"] == "trial-finished":
                break
        process.send_signal(signal.SIGKILL)


def ranking(results: Path) -> list[list[object]]:
    columns = ("method", "rank", "score", "score_low", "score_high", "failures")
    answer = json.loads(bench("leaderboard", "--format", "json", results=results).stdout)
    return [[row[column] for column in columns] for table in answer["tables"] for row in table["rows"]]


def test_the_same_command_after_sigkill_gives_the_records_of_an_uninterrupted_run(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    uninterrupted = bench(*PLAN, results=whole)
    assert uninterrupted.returncode == 0, uninterrupted.stderr
    assert "report:" in uninterrupted.stdout

    kill_after_first_trial(broken)
    kept = deterministic(broken)
    assert 1 <= len(kept) < TRIALS, "the kill came in the middle"
    resumed = bench(*PLAN, results=broken)
    assert resumed.returncode == 0, resumed.stderr
    assert f"{TRIALS - len(kept)} of {TRIALS} trials to run" in resumed.stderr

    assert deterministic(broken) == deterministic(whole)
    assert len(deterministic(whole)) == TRIALS
    assert ranking(broken) == ranking(whole) != []

    again = bench(*PLAN, results=broken)
    assert f"0 of {TRIALS} trials to run" in again.stderr or f"{TRIALS} recorded" in again.stderr
    assert len(deterministic(broken)) == TRIALS


def test_a_loss_of_the_users_own_trains_in_its_own_process_like_the_shipped_one(tmp_path: Path) -> None:
    path = tmp_path / "my_losses.py"
    path.write_text(OWN)
    arguments = ("run", "--suite", "smoke", "--method", "hinge", "--method", "own_hinge", "--losses", str(path))
    done = bench(*arguments, results=tmp_path / "results")
    assert done.returncode == 0, done.stderr
    hinge, own = sorted(Store(tmp_path / "results").records(), key=lambda record: record.spec.method)
    assert (hinge.spec.method, own.spec.method) == ("hinge", "own_hinge")
    assert hinge.metrics == own.metrics
    (table,) = json.loads(bench("leaderboard", "--format", "json", results=tmp_path / "results").stdout)["tables"]
    assert {row["method"] for row in table["rows"]} == {"hinge", "own_hinge"}
