"""Ctrl-C once and twice, and memory that runs out on the host."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from processes import alive, wait_until

from bench import campaign
from bench.config.workload import Workload
from bench.events import TrialFinished
from bench.execution.interface import Task
from bench.execution.local import LocalExecutor
from bench.store.claims import held
from bench.store.journal import Store
from bench.store.record import Record

FAKE = "fake_training:train"

DRIVER = """
import signal
import sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever starts the tests in the background may ignore it
from pathlib import Path
import msgspec
from bench.execution.interface import Task
from bench.execution.local import LocalExecutor
with LocalExecutor(1) as executor:
    executor.submit(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Task))
    for message in executor.messages():
        print(type(message).__name__, flush=True)
"""


@pytest.fixture(autouse=True)
def found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "execution"))
    monkeypatch.setenv("FAKE_TRAINING_MARKER", str(tmp_path / "marker"))


def test_ctrl_c_a_second_time_ends_a_worker_that_does_not_listen_at_once(
    tmp_path: Path, workload: Workload, record: Callable[..., Record]
) -> None:
    trial = record(workload, "stubborn", 0).trial
    task = Task(
        trial=trial, attempt=0, scratch=str(tmp_path / "scratch"), log=str(tmp_path / "log"), trainer=FAKE
    )  # fmt: skip
    (tmp_path / "task").write_bytes(msgspec.json.encode(task))
    with subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(tmp_path / "task")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        start_new_session=True,
    ) as driver:
        marker = tmp_path / "marker"
        wait_until(lambda: marker.exists() and marker.read_text().endswith("\n"))
        worker = int(marker.read_text())
        driver.send_signal(signal.SIGINT)
        time.sleep(1.0)
        assert driver.poll() is None, "it gives the worker time to end"
        assert alive(worker)
        began = time.monotonic()
        driver.send_signal(signal.SIGINT)
        driver.wait(15)
        assert time.monotonic() - began < 10.0, "it did not wait for the rest of the time"
    wait_until(lambda: not alive(worker))


@pytest.mark.slow  # tests/bench/cli/test_ending.py does it in its own process
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_run_that_is_asked_to_end_keeps_its_trials_and_says_that_the_work_goes_on(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    plan = ("--suite", "smoke", "--method", "nsgan", "--seeds", "1", "--steps", "1000000", "--progress", "json")
    with subprocess.Popen(
        [sys.executable, "-m", "bench", "run", *plan, "--results", str(tmp_path / "results")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        assert process.stderr is not None
        told = iter(process.stderr.readline, "")
        next(line for line in told if '"type":"progress"' in line and '"step":0,' not in line)
        process.send_signal(number)
        rest = list(told)
        assert process.wait(60) == code
    assert [line[:8] for line in rest if line.startswith("stop")] == ["stopping", "stopped;"]
    assert len(list((tmp_path / "results" / "checkpoints").iterdir())) == 1


def test_a_trial_that_asks_for_more_memory_than_there_is_has_an_error_and_the_others_go_on(
    store: Store, workload: Workload, record: Callable[..., Record]
) -> None:
    """The limit is the process's own, as `ulimit -v` sets it."""
    trials = [record(workload, method, 0).trial for method in ("hog", "plain")]
    events = list(campaign.run(trials, LocalExecutor(1), store, trainer=FAKE))
    ends = {event.trial.spec.method: event for event in events if isinstance(event, TrialFinished)}
    assert ends["plain"].status == "ok"
    assert (ends["hog"].status, ends["hog"].message) == ("error", "out of memory: MemoryError")
    assert held(store) == {}


def memory_group(tmp_path: Path) -> Path:
    group = Path(f"/sys/fs/cgroup/memory/gan-loss-bench-{os.getpid()}")
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(256 * 2**20))
    except OSError as error:
        pytest.skip(f"no group of processes with a limit of memory can be made here: {error}")
    return group


@pytest.mark.slow
def test_a_worker_that_the_system_kills_for_its_memory_is_recorded_and_tried_once_more(
    store: Store, workload: Workload, record: Callable[..., Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = memory_group(tmp_path)
    monkeypatch.setenv("FAKE_TRAINING_GROUP", str(group / "cgroup.procs"))
    try:
        trials = [record(workload, method, 0).trial for method in ("hog-group", "plain")]
        list(campaign.run(trials, LocalExecutor(1), store, trainer=FAKE))
    finally:
        group.rmdir()
    records = [record for record in store.records() if record.spec.method == "hog-group"]
    if records[0].status == "ok":
        pytest.skip("this machine does not hold groups of processes to their limit of memory")
    assert [each.status for each in records] == ["error", "error"]
    assert "SIGKILL (often the system's out-of-memory killer)" in records[0].message
    assert [each.status for each in store.records() if each.spec.method == "plain"] == ["ok"]
