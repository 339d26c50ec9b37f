"""What `run` and `status` say of other campaigns on the same results folder."""

import io
import json

import pytest

from bench.cli import progress
from bench.config.suite import chosen_suite
from bench.events import CampaignStarted, HeldElsewhere, RecordedElsewhere
from bench.plan import expand
from bench.store.claims import Claims
from bench.store.journal import Store
from bench.store.liveness import SignOfLife


@pytest.fixture
def trial(record, workload):
    return record(workload, "nsgan", 0).trial


@pytest.mark.parametrize(
    ("status", "problems", "words"),
    [
        ("ok", 0, "ok"),
        ("nonfinite", 0, "a number stopped being finite"),
        ("error", 1, "stopped by an error"),
        ("timeout", 1, "ran out of time"),
    ],
)
def test_what_another_campaign_has_recorded_counts_as_done_and_its_failures_as_problems(trial, status, problems, words):
    lines = []
    shown = progress.PlainRenderer(lines.append)
    shown.handle(CampaignStarted(planned=4, recorded=1, workers=2, results="results/local"))
    shown.handle(RecordedElsewhere(trial=trial, attempt=0, status=status))
    assert (shown.tally.done, shown.tally.finished, shown.tally.problems) == (2, 0, problems)
    assert lines[-1] == f"[2/4] nsgan on digits, seed 0: {words}, recorded by another campaign"


def test_who_is_at_what_is_said(trial):
    lines = []
    shown = progress.PlainRenderer(lines.append)
    one, two = "process 7 on node1", "process 8 on node2"
    shown.handle(HeldElsewhere(trial_ids=(trial.id,), holders=(one,), waiting=False))
    shown.handle(HeldElsewhere(trial_ids=(trial.id, "b"), holders=(one, two), waiting=False))
    shown.handle(HeldElsewhere(trial_ids=(trial.id,), holders=(one,), waiting=True))
    assert lines == [
        f"{one} is at 1 trial of this plan; the work is shared out",
        f"{one} and {two} are at 2 trials of this plan; the work is shared out",
        f"waiting for 1 trial that {one} is at; Ctrl-C leaves them",
    ]


def test_json_lines_name_the_trial_and_the_holders(trial):
    stream = io.StringIO()
    shown = progress.JsonRenderer(stream)
    shown.handle(RecordedElsewhere(trial=trial, attempt=0, status="ok"))
    shown.handle(HeldElsewhere(trial_ids=(trial.id,), holders=("process 7 on node1",), waiting=True))
    recorded, held = map(json.loads, stream.getvalue().splitlines())
    assert (recorded["type"], recorded["trial_id"]) == ("recorded-elsewhere", trial.id)
    assert held == {
        "type": "held-elsewhere", "trial_ids": [trial.id], "holders": ["process 7 on node1"], "waiting": True,
    }  # fmt: skip


def test_status_says_who_is_at_what_just_now(bench, tmp_path):
    arguments = ("status", "--method", "nsgan", "--workload", "digits", "--seeds", "2", "--results", tmp_path)
    store = Store(tmp_path)
    one, _ = expand(chosen_suite({"methods": ["nsgan"], "workloads": ["digits"], "seeds": 2}))
    with SignOfLife(store.claims) as sign:
        assert Claims(store, sign).take(one.id, 0) is None
        said = bench(*arguments)
        assert said.exit_code == 0
        assert f"1 trial under way: {sign.holder} is at it" in said.stdout
        told = json.loads(bench(*arguments, "--format", "json").stdout)
        assert told["under_way"] == {str(sign.holder): [one.id]}
    assert "under way" not in bench(*arguments).stdout
    assert json.loads(bench(*arguments, "--format", "json").stdout)["under_way"] == {}
