"""Children that do not behave: that leave others behind, print without end, or cannot write what they have."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from executed_tasks import finished, run

from bench.execution.interface import Finished, Progress, Started, Task
from bench.execution.listening import LARGEST_LOG, LAST_WORDS, CappedLog
from bench.execution.local import LocalExecutor

MakeTask = Callable[..., Task]


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalExecutor]:
    with LocalExecutor(2) as made:
        yield made
    marker = tmp_path / "marker"
    if marker.exists():  # what has left the session is ended by nobody else
        try:
            os.kill(int(marker.read_text()), signal.SIGKILL)
        except ProcessLookupError:
            return


@pytest.mark.timeout(40)
@pytest.mark.parametrize("method", ["leave-session", "leave-chatter"])
def test_what_left_the_session_and_holds_the_pipes_holds_nobody(
    local: LocalExecutor, make_task: MakeTask, method: str
) -> None:
    started = time.monotonic()
    (end,) = finished(run(local, make_task(method)))
    assert end.outcome.status == "ok"
    assert time.monotonic() - started < 20.0


@pytest.mark.timeout(40)
def test_what_left_the_session_defeats_no_timeout(local: LocalExecutor, make_task: MakeTask) -> None:
    started = time.monotonic()
    (end,) = finished(run(local, make_task("leave-session-and-sleep", timeout_minutes=2 / 60)))
    assert end.outcome.status == "timeout"
    assert time.monotonic() - started < 20.0


@pytest.mark.timeout(40)
def test_what_left_the_session_defeats_no_cancelling(local: LocalExecutor, make_task: MakeTask, tmp_path: Path) -> None:
    local.submit(make_task("leave-session-and-sleep"))
    messages = local.messages()
    assert isinstance(next(messages), Started)
    while not ((tmp_path / "marker").exists() and (tmp_path / "marker").read_text()):
        time.sleep(0.02)
    started = time.monotonic()
    local.close()
    assert time.monotonic() - started < 15.0


def test_a_log_has_its_beginning_and_its_end_and_says_what_is_left_out(
    local: LocalExecutor, make_task: MakeTask
) -> None:
    task = make_task("flood")
    (end,) = finished(run(local, task))
    assert end.outcome.status == "ok"
    written = Path(task.log).read_bytes()
    assert LARGEST_LOG < len(written) < LARGEST_LOG + LAST_WORDS + 100
    assert written.startswith(b"the beginning\n")
    assert written.endswith(b"the end\n")
    assert b" bytes are left out here]" in written


@pytest.mark.parametrize("pieces", [[b"a" * 10], [b"a"] * 30, [b"a" * 30], [b"a" * 12, b"b" * 3, b"c" * 5]])
def test_nothing_is_lost_but_what_is_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pieces) -> None:
    monkeypatch.setattr("bench.execution.listening.LARGEST_LOG", 12)
    monkeypatch.setattr("bench.execution.listening.LAST_WORDS", 5)
    log = CappedLog(tmp_path / "log")
    for piece in pieces:
        log.write(piece)
    log.close()
    whole, written = b"".join(pieces), (tmp_path / "log").read_bytes()
    if len(whole) <= 17:
        assert written == whole
    else:
        assert written == whole[:12] + b"\n[%d bytes are left out here]\n" % (len(whole) - 17) + whole[-5:]


def test_what_is_no_message_goes_to_the_log_and_harms_nobody(local: LocalExecutor, make_task: MakeTask) -> None:
    task = make_task("babble")
    messages = run(local, task)
    (end,) = finished(messages)
    assert end.outcome.status == "ok"
    assert [type(message) for message in messages] == [Started, Progress, Finished]
    assert b"no message\n" in Path(task.log).read_bytes()


def test_an_outcome_that_cannot_be_written_is_told(local: LocalExecutor, make_task: MakeTask) -> None:
    task = make_task("fill-disk")
    (end,) = finished(run(local, task))
    assert end.outcome.status == "ok"
    assert end.outcome.metrics["distance"] is not None
    assert "No space left on device" in Path(task.log).read_text()


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_a_member_that_hangs_costs_the_others_nothing(make_task: MakeTask) -> None:
    """The fake pack trains its last member first, so that one has ended, one hangs, and two have not begun."""
    pack = [make_task("plain", 0), make_task("nonfinite"), make_task("sleep"), make_task("plain", 1)]
    pack = [make_task(task.trial.spec.method, task.trial.spec.seed, timeout_minutes=2 / 60) for task in pack]
    with LocalExecutor(1) as executor:
        executor.submit(*pack)
        ends = finished(list(executor.messages()))
    found = {(end.task.trial.spec.method, end.task.trial.spec.seed): end for end in ends}
    assert len(ends) == len(found) == 4, "everyone ends once"
    assert {key: end.outcome.status for key, end in found.items()} == {
        ("plain", 0): "ok",
        ("plain", 1): "ok",
        ("nonfinite", 0): "nonfinite",
        ("sleep", 0): "timeout",
    }
    assert not any(end.lost for end in ends)
    assert "it runs alone now" in Path(found["plain", 0].task.log).read_text()
