"""Several campaigns on one results folder: the work is shared out, and whoever dies leaves nothing that blocks."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from bench.campaign import run
from bench.config.trial import Trial
from bench.config.workload import Workload
from bench.events import (
    CampaignFinished,
    CampaignStarted,
    Event,
    HeldElsewhere,
    Progress,
    RecordedElsewhere,
    TrialFinished,
    TrialStarted,
)
from bench.execution.inline import InlineExecutor
from bench.store import sharing
from bench.store.claims import held
from bench.store.journal import Store
from bench.store.record import Record

FAKE = "fake_training:train"
ROOT = Path(__file__).parents[2]

DRIVER = """
import signal
import sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever starts the tests in the background may ignore it
from pathlib import Path
import msgspec
from bench import campaign
from bench.config.trial import Trial
from bench.execution.inline import InlineExecutor
from bench.execution.local import LocalExecutor
from bench.store.journal import Store
from bench.training.run_options import RunOptions
trials = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=list[Trial])
executor = InlineExecutor() if sys.argv[3] == "inline" else LocalExecutor(1)
print("ready", flush=True)
sys.stdin.readline()
for event in campaign.run(trials, executor, Store(Path(sys.argv[2])), RunOptions(), trainer="fake_training:train"):
    print(type(event).__name__, flush=True)
"""


@pytest.fixture
def trials(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, workload: Workload, record: Callable[..., Record]
) -> Callable[..., list[Trial]]:
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "execution"))
    monkeypatch.setenv("FAKE_TRAINING_MARKER", str(tmp_path / "marker"))
    monkeypatch.setattr(sharing, "LOOK_AGAIN_SECONDS", 0.05)
    return lambda method, count: [record(workload, method, seed).trial for seed in range(count)]


@contextmanager
def driven(trials: list[Trial], store: Store, kind: str = "inline") -> Iterator["subprocess.Popen[str]"]:
    """Start a campaign in a process of its own, which waits for a line on stdin before it begins."""
    plan = store.root.with_suffix(".plan.json")
    plan.write_bytes(msgspec.json.encode(trials))
    with subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(plan), str(store.root), kind],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=ROOT,
    ) as process:
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.kill()


def begin(process: "subprocess.Popen[str]") -> None:
    process.stdin.write("\n")
    process.stdin.flush()


def trained(tmp_path: Path) -> list[str]:
    return (tmp_path / "marker").read_text().split()


def in_threads(wanted: list[Trial], store: Store) -> list[Counter[str]]:
    with ThreadPoolExecutor(2) as pool:
        both = [
            pool.submit(
                lambda: Counter(type(event).__name__ for event in run(wanted, InlineExecutor(), store, trainer=FAKE))
            )
            for _ in range(2)
        ]
        return [each.result() for each in both]


def in_processes(wanted: list[Trial], store: Store, kind: str) -> list[Counter[str]]:
    with driven(wanted, store, kind) as one, driven(wanted, store, kind) as other:
        begin(one)
        begin(other)
        told = [Counter(process.stdout.read().split()) for process in (one, other)]
        assert (one.wait(), other.wait()) == (0, 0)
    return told


@pytest.mark.parametrize(
    "kind", ["threads", pytest.param("inline", marks=pytest.mark.slow), pytest.param("local", marks=pytest.mark.slow)]
)
def test_two_campaigns_share_sixty_trials_out_and_do_none_twice(
    trials: Callable[..., list[Trial]], store: Store, tmp_path: Path, kind: str
) -> None:
    wanted = trials("tally", 60)
    told = in_threads(wanted, store) if kind == "threads" else in_processes(wanted, store, kind)
    assert sorted(trained(tmp_path)) == sorted(trial.id for trial in wanted), "each was trained, and none twice"
    shares = [each["TrialFinished"] for each in told]
    assert sum(shares) == 60
    assert min(shares) > 0, "both have worked"
    assert [each["RecordDisagrees"] + each["NotKept"] for each in told] == [0, 0]
    records = store.records()
    assert [(record.status, record.attempt) for record in records] == [("ok", 0)] * 60
    assert {record.trial_id for record in records} == {trial.id for trial in wanted}
    for trial in wanted:
        assert (store.artifacts_dir(trial.id) / "samples.png").read_bytes() == trial.id.encode()
    assert list(store.claims.iterdir()) == [], "nothing is left of it"


def wait_for(path: Path) -> None:
    end = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < end, f"{path} did not come"
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_the_trial_of_a_campaign_that_is_killed_or_stopped_is_taken_over_at_once(
    trials: Callable[..., list[Trial]], store: Store, tmp_path: Path, number: signal.Signals
) -> None:
    wanted = trials("sleep-once", 1)
    with driven(wanted, store) as dying:
        begin(dying)
        wait_for(tmp_path / "marker")
        assert [each.pid for each in held(store).values()] == [dying.pid]
        dying.send_signal(number)
        dying.wait()
    assert list(store.claims.glob("*.claim")), "it could not tidy up"
    assert held(store) == {}, "what it has left holds nothing"
    events = list(run(wanted, InlineExecutor(), store, trainer=FAKE))
    assert [type(event) for event in events] == [
        CampaignStarted,
        TrialStarted,
        Progress,
        TrialFinished,
        CampaignFinished,
    ]
    assert list(store.claims.iterdir()) == []


@pytest.mark.slow
def test_a_campaign_waits_for_what_another_is_at_and_takes_over_if_that_dies(
    trials: Callable[..., list[Trial]], store: Store, tmp_path: Path
) -> None:
    (slow,) = trials("sleep-once", 1)
    (quick,) = trials("plain", 1)
    with driven([slow], store) as other:
        begin(other)
        wait_for(tmp_path / "marker")
        events = []
        for event in run([slow, quick], InlineExecutor(), store, trainer=FAKE):
            events.append(event)
            if isinstance(event, HeldElsewhere) and event.waiting:
                other.send_signal(signal.SIGKILL)
                other.wait()
    held_ = [event for event in events if isinstance(event, HeldElsewhere)]
    assert [(event.trial_ids, event.waiting) for event in held_] == [((slow.id,), False), ((slow.id,), True)]
    assert all(event.holders == (f"process {other.pid} on {socket.gethostname()}",) for event in held_)
    ends = [event for event in events if isinstance(event, TrialFinished)]
    assert [event.trial for event in ends] == [quick, slow], "what is free comes first"


def test_what_another_campaign_records_is_told_and_not_trained(
    trials: Callable[..., list[Trial]], store: Store, tmp_path: Path
) -> None:
    one, two = trials("tally", 2)
    events: list[Event] = []
    for event in run([one, two], InlineExecutor(), store, trainer=FAKE):
        if isinstance(event, CampaignStarted):  # it has its plan, and then somebody else is faster
            list(run([two], InlineExecutor(), store, trainer=FAKE))
        events.append(event)
    assert [event for event in events if isinstance(event, RecordedElsewhere)] == [
        RecordedElsewhere(trial=two, attempt=0, status="ok")
    ]
    assert sorted(trained(tmp_path)) == sorted([one.id, two.id])
    assert isinstance(events[-1], CampaignFinished)
    assert events[-1].finished == 1, "its own"


def test_where_no_claim_can_be_made_trials_run_without(
    trials: Callable[..., list[Trial]], store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    events = []
    for event in run(trials("plain", 2), InlineExecutor(), store, trainer=FAKE):
        events.append(event)
        if isinstance(event, CampaignStarted):
            shutil.rmtree(store.claims)
    assert len([event for event in events if isinstance(event, TrialFinished)]) == 2
    assert len(store.records()) == 2
    assert caplog.text.count("trials are run without") == 1, "it is said once"
