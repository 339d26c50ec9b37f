import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from executed_tasks import finished, run
from processes import alive, wait_until

from bench.events import Progress
from bench.execution.inline import InlineExecutor
from bench.execution.interface import Executor, Finished, Started, Task
from bench.execution.local import LocalExecutor
from bench.execution.worker import OUTCOME_FILE
from bench.store.record import Outcome

MakeTask = Callable[..., Task]


@pytest.fixture(params=["local", "inline"])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    made: Executor = LocalExecutor(2) if request.param == "local" else InlineExecutor()
    yield made
    made.close()


@pytest.fixture
def local() -> Iterator[LocalExecutor]:
    with LocalExecutor(2) as made:
        yield made


def test_both_executors_tell_start_progress_and_outcome(executor: Executor, make_task: MakeTask) -> None:
    task = make_task()
    messages = run(executor, task)
    assert [type(message) for message in messages] == [Started, Progress, Finished]
    (end,) = finished(messages)
    assert end.task == task
    assert not end.lost
    assert end.outcome.status == "ok"
    assert end.outcome.environment is not None
    assert end.outcome.environment.threads == task.options.threads
    assert (task.artifacts / "samples.png").read_bytes() == task.trial.id.encode()


def test_twins_agree(make_task: MakeTask) -> None:
    fields = []
    for executor in (InlineExecutor(), LocalExecutor(1)):
        (end,) = finished(run(executor, make_task()))
        executor.close()
        outcome = end.outcome
        fields.append((outcome.status, outcome.metrics["distance"], outcome.history, outcome.stability))
    assert fields[0] == fields[1]


def test_exception_becomes_an_outcome_and_the_log_has_the_traceback(executor: Executor, make_task: MakeTask) -> None:
    task = make_task("break")
    (end,) = finished(run(executor, task))
    assert end.outcome.status == "error"
    assert end.outcome.message == "RuntimeError: the flux capacitor is empty"
    assert not end.lost
    log = Path(task.log).read_text()
    assert "Traceback" in log
    assert "fake_training.py" in log


def test_unknown_trainer_is_an_error_outcome(executor: Executor, make_task: MakeTask) -> None:
    (end,) = finished(run(executor, make_task(trainer="no_such_module:train")))
    assert end.outcome.status == "error"
    assert "no_such_module" in end.outcome.message


def test_prints_go_to_the_log_and_not_into_the_protocol(local: LocalExecutor, make_task: MakeTask) -> None:
    task = make_task("print")
    (end,) = finished(run(local, task))
    assert end.outcome.status == "ok"
    log = Path(task.log).read_text()
    assert "a library talks to stdout" in log
    assert "and so does a child of it" in log


def test_threads_are_given_to_the_child(local: LocalExecutor, make_task: MakeTask) -> None:
    (end,) = finished(run(local, make_task(threads=3)))
    assert end.outcome.metrics["threads"] == 3.0


@pytest.mark.slow
def test_the_child_sees_one_gpu_and_calls_it_cuda(
    local: LocalExecutor, make_task: MakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    (end,) = finished(run(local, make_task("tell-device", device="cuda:1")))
    assert end.outcome.message == "cuda among 5"
    (end,) = finished(run(local, make_task("tell-device", device="cpu", seed=1)))
    assert end.outcome.message == "cpu among 3,5"


def test_killed_child_is_lost_and_the_signal_named(local: LocalExecutor, make_task: MakeTask) -> None:
    dying, living = make_task("die"), make_task(seed=1)
    ends = {end.task.trial.id: end for end in finished(run(local, dying, living))}
    assert ends[dying.trial.id].lost
    assert ends[dying.trial.id].outcome.status == "error"
    assert "SIGKILL" in ends[dying.trial.id].outcome.message
    assert ends[dying.trial.id].outcome.environment is not None, "the announcement says where it ran"
    assert ends[living.trial.id].outcome.status == "ok"


def test_timeout_is_real(local: LocalExecutor, make_task: MakeTask) -> None:
    started = time.monotonic()
    (end,) = finished(run(local, make_task("sleep", timeout_minutes=1 / 60)))
    assert 1.0 <= time.monotonic() - started < 10.0
    assert end.outcome.status == "timeout"
    assert not end.lost


def test_timeout_takes_grandchildren_along(local: LocalExecutor, make_task: MakeTask, tmp_path: Path) -> None:
    run(local, make_task("sleep-with-child", timeout_minutes=2 / 60))
    pids = [int(pid) for pid in (tmp_path / "marker").read_text().split()]
    wait_until(lambda: not any(alive(pid) for pid in pids))


def test_forked_grandchild_that_holds_the_pipe_does_not_hold_the_campaign(
    local: LocalExecutor, make_task: MakeTask, tmp_path: Path
) -> None:
    started = time.monotonic()
    (end,) = finished(run(local, make_task("leave-child")))
    assert time.monotonic() - started < 10.0
    assert end.outcome.status == "ok"
    pid = int((tmp_path / "marker").read_text())
    wait_until(lambda: not alive(pid))


@pytest.mark.slow
def test_as_many_at_once_as_there_are_workers(local: LocalExecutor, make_task: MakeTask) -> None:
    messages = run(local, *(make_task("nap", seed) for seed in range(4)))
    running = most = 0
    for message in messages:
        running += isinstance(message, Started)
        running -= isinstance(message, Finished)
        most = max(most, running)
    assert most == 2
    assert len(finished(messages)) == 4


def test_tasks_may_be_submitted_while_messages_are_read(executor: Executor, make_task: MakeTask) -> None:
    executor.submit(make_task())
    ends = []
    for message in executor.messages():
        if isinstance(message, Finished):
            ends.append(message)
            if len(ends) == 1:
                executor.submit(make_task(seed=1))
    assert [end.task.trial.spec.seed for end in ends] == [0, 1]


def test_cancel_stops_everything_promptly(make_task: MakeTask, tmp_path: Path) -> None:
    executor = LocalExecutor(1)
    for task in (make_task("sleep-with-child"), make_task("sleep", 1)):
        executor.submit(task)
    messages = executor.messages()
    assert isinstance(next(messages), Started)
    marker = tmp_path / "marker"
    wait_until(lambda: marker.exists() and len(marker.read_text().split()) == 2)
    started = time.monotonic()
    executor.cancel()
    rest = list(messages)
    executor.close()
    assert time.monotonic() - started < 5.0
    assert finished(rest) == []
    wait_until(lambda: not any(alive(int(pid)) for pid in marker.read_text().split()))


def test_close_before_anything_ran_and_twice() -> None:
    executor = LocalExecutor(1)
    executor.close()
    executor.close()
    assert list(executor.messages()) == []


def test_workers_must_be_positive() -> None:
    with pytest.raises(ValueError, match="workers must be at least 1"):
        LocalExecutor(0)


def test_failure_of_the_supervisor_reaches_the_reader(
    local: LocalExecutor, make_task: MakeTask, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    local.submit(make_task(scratch=str(tmp_path / "file" / "below")))
    with pytest.raises(NotADirectoryError):
        list(local.messages())


ORPHAN_MAKER = """
import sys
from pathlib import Path
import msgspec
from bench.execution.interface import Task
from bench.execution.local import LocalExecutor
executor = LocalExecutor(1)
executor.submit(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Task))
for message in executor.messages():
    pass
"""


def test_no_orphan_when_the_parent_is_killed(make_task: MakeTask, tmp_path: Path) -> None:
    task_file = tmp_path / "task.json"
    task_file.write_bytes(msgspec.json.encode(make_task("sleep-with-child")))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    marker = tmp_path / "marker"
    with subprocess.Popen([sys.executable, "-c", ORPHAN_MAKER, str(task_file)], env=environment) as parent:
        wait_until(lambda: marker.exists() and len(marker.read_text().split()) == 2)
        pids = [int(pid) for pid in marker.read_text().split()]
        assert all(alive(pid) for pid in pids)
        parent.send_signal(signal.SIGKILL)
    wait_until(lambda: not any(alive(pid) for pid in pids))


def test_a_worker_that_nobody_listens_to_trains_on(make_task: MakeTask) -> None:
    """A parent that dies closes both at once, and a report may come before the end of stdin is seen."""
    tasks = [make_task("nap"), make_task("plain", seed=1)]
    for task in tasks:
        Path(task.scratch).mkdir(parents=True)
    outcomes = [Path(task.scratch) / OUTCOME_FILE for task in tasks]
    with subprocess.Popen(
        [sys.executable, "-m", "bench.execution.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdout.close()
        worker.stdin.write(msgspec.json.encode(tasks) + b"\n")
        worker.stdin.flush()
        assert worker.wait() == 0
    assert [msgspec.json.decode(file.read_bytes(), type=Outcome).status for file in outcomes] == ["ok", "ok"]


def test_worker_without_a_task_says_who_starts_it() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.execution.worker"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 1
    assert "started by an executor" in done.stderr
    assert "Traceback" not in done.stderr
