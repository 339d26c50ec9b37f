"""What is said of a gateway that has ended: what the executor itself knows, and only then what was printed."""

import re
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from processes import alive, wait_until

from bench.execution.interface import ExecutorLostError, Finished, Resources, Started, Task
from bench.execution.ray import RayExecutor
from bench.execution.ray_account import Account
from bench.execution.ray_messages import WAITING, Ready, Settings
from bench.store.record import Outcome

MakeTask = Callable[..., Task]
READY = Ready(device="cpu", resources=Resources(), workers=1, notes=[])


def ended(status: str) -> Outcome:
    return Outcome(status=status, started_at="2026-01-01T00:00:00+00:00", finished_at="2026-01-01T00:00:00+00:00")


class Clock:
    """A clock that stands still."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_its_end_its_silence_and_what_was_under_way_come_before_its_last_words(
    make_task: MakeTask, tmp_path: Path
) -> None:
    clock, log = Clock(), tmp_path / "log"
    account = Account(clock)
    tasks = [make_task(seed=seed) for seed in range(5)]
    account.submitted(tasks)
    account.take(READY)
    for task in tasks[:3]:
        account.take(Started(task=task))
    account.take(Finished(task=tasks[0], outcome=ended("ok")))
    account.heard()
    clock.now += 42.0
    account.ended(1)
    known = "it ended with exit code 1, 42 s after its last message, with 2 running and 2 waiting"
    assert account.sentence(log) == known, "it printed nothing"
    log.write_text("an earlier line\n  the last line  \n\n")
    assert account.sentence(log) == f"{known}. Ray's last words: the last line"


def test_one_that_was_never_connected_is_said_to_be(tmp_path: Path) -> None:
    clock = Clock()
    account = Account(clock)
    clock.now += 3.0
    account.ended(-6)
    known = "it was killed by SIGABRT, 3 s after its start, before it was connected"
    assert account.sentence(tmp_path / "log") == known


def test_a_trial_that_fails_before_it_begins_does_not_wait_any_more(make_task: MakeTask, tmp_path: Path) -> None:
    account = Account(Clock())
    account.submitted([make_task()])
    account.take(READY)
    account.take(Finished(task=make_task(), outcome=ended("error")))
    account.ended(0)
    assert account.sentence(tmp_path / "log").endswith("with 0 running and 0 waiting")


def _untimed(error: BaseException) -> str:
    return re.sub(r"\d+ s after", "N s after", str(error))


def _stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Let a script stand in for the gateway."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'gan-loss-bench[ray]'")
    program = folder / "gateway"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))


def test_the_loss_of_a_gateway_at_work_is_told_with_its_signal(
    make_task: MakeTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = [make_task(seed=seed) for seed in range(3)]
    for name, message in (("ready", READY), ("started", Started(task=tasks[0]))):
        (tmp_path / name).write_bytes(msgspec.json.encode(message) + b"\n")
    at_work = f"read settings; cat {tmp_path}/ready; read one; read two; cat {tmp_path}/started; echo a remark >&2"
    _stand_in(tmp_path, monkeypatch, f"{at_work}; kill -9 $$")
    with RayExecutor("somewhere:1") as executor:
        executor.submit(tasks[0])
        executor.submit(*tasks[1:])
        with pytest.raises(ExecutorLostError) as told:
            list(executor.messages())
    known = "it was killed by SIGKILL (often the system's out-of-memory killer), N s after its last message"
    words = "with 1 running and 2 waiting. Ray's last words: a remark"
    assert _untimed(told.value) == f"the cluster was lost, and its gateway with it: {known}, {words}"


def test_the_loss_of_a_gateway_that_was_to_connect_is_told_with_its_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _stand_in(tmp_path, monkeypatch, "read settings; exit 3")
    with pytest.raises(ValueError, match="cannot be used") as told:
        RayExecutor("somewhere:1")
    known = "and its gateway is lost: it ended with exit code 3, N s after its start, before it was connected"
    assert _untimed(told.value) == f"the cluster somewhere:1 cannot be used, {known}"


def test_ctrl_c_a_second_time_ends_a_gateway_that_does_not_listen_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ready").write_bytes(msgspec.json.encode(READY) + b"\n")
    _stand_in(tmp_path, monkeypatch, f"read settings; cat {tmp_path}/ready; exec sleep 60")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    executor = RayExecutor("somewhere:1")
    gateway = executor._process
    wait = gateway.wait

    def interrupted(timeout: float | None = None) -> int:
        if timeout is None:
            return wait()
        raise KeyboardInterrupt

    monkeypatch.setattr(gateway, "wait", interrupted)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        executor.close()
    assert gateway.returncode == -signal.SIGKILL
    assert time.monotonic() - began < 10.0, "it did not wait for the rest of the time"
    assert list(tmp_path.glob("ray-*")) == [], "its folder is removed"


def test_as_many_processes_are_submitted_as_are_allowed_so_that_a_cluster_grows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ready").write_bytes(msgspec.json.encode(READY) + b"\n")
    _stand_in(tmp_path, monkeypatch, f"read settings; cat {tmp_path}/ready; read end")
    for workers, submitted in ((None, 1 + WAITING), (1, 1), (8, 8), (1000, 1 + WAITING)):
        with RayExecutor("somewhere:1", workers=workers) as executor:
            assert (executor.workers, executor.workers + executor.backlog) == (1, submitted)


def test_rays_client_is_declined_at_once() -> None:
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'gan-loss-bench[ray]'")
    with pytest.raises(ValueError, match=r"^Ray's client \(ray://head:10001\) is not supported"):
        RayExecutor("ray://head:10001")


def test_where_temporary_files_have_long_names_a_cluster_of_this_machine_has_a_folder_with_a_short_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name of a socket has 107 bytes at most, and a scheduler's folder for a job may have half of them."""
    job = tmp_path / "job" / ("1234567" * 8)
    job.mkdir(parents=True)
    (tmp_path / "ready").write_bytes(msgspec.json.encode(READY) + b"\n")
    _stand_in(
        tmp_path, monkeypatch, f"read settings; echo $settings > {tmp_path}/settings; cat {tmp_path}/ready; read end"
    )
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(job))
    with RayExecutor():
        folder = Path(msgspec.json.decode((tmp_path / "settings").read_bytes(), type=Settings).folder)
        assert folder.parent.is_dir()
        assert len(f"{folder}/session_2026-01-01_00-00-00_000000_1234567/sockets/plasma_store") <= 103
        assert list(job.iterdir()) == []
    assert not folder.parent.exists()


def test_what_a_gateway_has_started_ends_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster of this machine alone, of which Ray leaves processes where it is stopped while it starts."""
    (tmp_path / "ready").write_bytes(msgspec.json.encode(READY) + b"\n")
    begin = f"read settings; sleep 60 </dev/null >/dev/null 2>&1 & echo $! > {tmp_path}/pid"
    _stand_in(tmp_path, monkeypatch, f"{begin}; cat {tmp_path}/ready; read end")
    with RayExecutor():
        left = int((tmp_path / "pid").read_text())
        assert alive(left)
    wait_until(lambda: not alive(left), 10)
