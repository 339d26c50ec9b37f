"""Workers that are forked from a warm process: alone, as those that are started, and with the same bits."""

import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
from executed_tasks import finished, run
from processes import alive, parent_of, wait_until
from small_trials import toy_trial

from bench.events import Progress
from bench.execution import template
from bench.execution.forking import Template
from bench.execution.interface import Started, Task
from bench.execution.local import LocalExecutor
from bench.execution.template import WARM_MODULES, is_possible, send
from bench.store import environment
from bench.training.run_options import RunOptions

pytestmark = pytest.mark.skipif(not is_possible(), reason="this system forks no workers")

MakeTask = Callable[..., Task]
LIGHT = ("bench.execution.worker",)
"""Enough for trainers without torch."""


@pytest.fixture
def warm() -> Iterator[LocalExecutor]:
    with LocalExecutor(2, warm=LIGHT) as made:
        yield made


def test_workers_are_forked_and_end_as_others_do(warm: LocalExecutor, make_task: MakeTask) -> None:
    tasks = [make_task("tell-parent", seed) for seed in range(3)]
    ends = finished(run(warm, *tasks))
    assert [end.outcome.status for end in ends] == ["ok"] * 3
    parents = {end.outcome.message for end in ends}
    assert len(parents) == 1, "all of one template"
    assert parents != {str(os.getpid())}
    for task in tasks:
        assert (task.artifacts / "samples.png").read_bytes() == task.trial.id.encode()


def test_workers_are_of_the_code_that_their_template_has_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """A campaign takes hours. Whatever is committed meanwhile, its workers are forks of one process."""
    environment.commit.cache_clear()
    environment.program.cache_clear()
    environment.installed_version.cache_clear()
    monkeypatch.setattr(environment, "revision_of", lambda _: "c0ffee")
    monkeypatch.setattr(template.gc, "freeze", lambda: None)
    monkeypatch.setattr(template, "_serve", socket.socket.close)
    executor, link = socket.socketpair()
    with executor:
        template.main([str(link.detach()), *LIGHT])
    monkeypatch.setattr(environment, "revision_of", lambda _: "decade")
    monkeypatch.setattr(environment, "version", lambda _: "99.0")
    try:
        assert environment.commit() == environment.program() == "c0ffee"
        assert environment.environment("cpu", 1).versions["torch"] != "99.0"
    finally:
        environment.commit.cache_clear()
        environment.program.cache_clear()


@pytest.mark.slow
def test_a_worker_has_the_environment_of_its_own_task(warm: LocalExecutor, make_task: MakeTask) -> None:
    (one,) = finished(run(warm, make_task("tell-device", device="cuda:1")))
    assert one.outcome.message == "cuda among 1"
    (other,) = finished(run(warm, make_task("tell-device", 1)))
    assert other.outcome.message == "cpu among None", "nothing is left of the one before"


def test_a_worker_that_is_killed_costs_its_own_trial_alone(warm: LocalExecutor, make_task: MakeTask) -> None:
    ends = finished(run(warm, make_task("die"), make_task("break", 1), make_task("plain", 2), make_task("plain", 3)))
    found = {end.task.trial.spec.seed: (end.outcome.status, end.lost) for end in ends}
    assert found == {0: ("error", True), 1: ("error", False), 2: ("ok", False), 3: ("ok", False)}
    (killed,) = (end for end in ends if end.lost)
    assert "killed by SIGKILL" in killed.outcome.message, "how it ended is known"


@pytest.mark.parametrize("modules", [(), LIGHT], ids=["started", "forked"])
@pytest.mark.parametrize("minutes", [1e9, 1e308])
def test_a_limit_that_no_clock_can_hold_is_none(make_task: MakeTask, modules: tuple[str, ...], minutes: float) -> None:
    with LocalExecutor(1, warm=modules) as executor:
        (end,) = finished(run(executor, make_task(timeout_minutes=minutes)))
    assert end.outcome.status == "ok"


def test_what_a_worker_prints_is_in_its_log(warm: LocalExecutor, make_task: MakeTask) -> None:
    task = make_task("print")
    run(warm, task)
    assert Path(task.log).read_text().splitlines() == ["a library talks to stdout", "and so does a child of it"]


def test_what_a_worker_has_printed_into_a_buffer_is_in_its_log(warm: LocalExecutor, make_task: MakeTask) -> None:
    task = make_task("print-late")
    run(warm, task)
    assert Path(task.log).read_text() == "kept back\n"


@pytest.mark.parametrize("modules", [(), LIGHT], ids=["started", "forked"])
def test_a_thread_that_a_trial_leaves_holds_nobody_and_what_is_due_at_the_exit_is_done(
    make_task: MakeTask, tmp_path: Path, modules: tuple[str, ...]
) -> None:
    began = time.monotonic()
    with LocalExecutor(1, warm=modules) as executor:
        (end,) = finished(run(executor, make_task("leave-thread")))
    assert end.outcome.status == "ok"
    assert time.monotonic() - began < 25, "its thread runs for 40 s"
    assert (tmp_path / "marker").read_text() == "done at the exit"


def test_a_timeout_takes_a_worker_and_its_children_along_and_not_the_template(
    warm: LocalExecutor, make_task: MakeTask, tmp_path: Path
) -> None:
    (end,) = finished(run(warm, make_task("sleep-with-child", timeout_minutes=2 / 60)))
    assert end.outcome.status == "timeout"
    pids = [int(pid) for pid in (tmp_path / "marker").read_text().split()]
    wait_until(lambda: not any(alive(pid) for pid in pids))
    (next_one,) = finished(run(warm, make_task("tell-parent", 1)))
    assert next_one.outcome.message != str(os.getpid()), "forked again"


def test_where_the_template_dies_its_workers_live_and_the_next_are_started(
    make_task: MakeTask, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with LocalExecutor(1, warm=LIGHT) as executor:
        executor.submit(make_task("tell-parent"))
        (first,) = finished(list(executor.messages()))
        executor.submit(make_task("nap", 1))
        messages = executor.messages()
        assert [type(next(messages)) for _ in range(2)] == [Started, Progress], "it is at work"
        os.kill(int(first.outcome.message), signal.SIGKILL)
        (napped,) = finished(list(messages))
        assert napped.outcome.status == "ok"
        executor.submit(make_task("tell-parent", 2))
        (started,) = finished(list(executor.messages()))
    assert started.outcome.message == str(os.getpid())
    assert caplog.text.count("they cannot be forked from a template (it has ended)") == 1


def test_a_worker_that_dies_after_its_template_is_lost_and_said_to_be(make_task: MakeTask, tmp_path: Path) -> None:
    with LocalExecutor(1, warm=LIGHT) as executor:
        executor.submit(make_task("sleep-with-child"))
        messages = executor.messages()
        assert isinstance(next(messages), Started)
        marker = tmp_path / "marker"
        wait_until(lambda: marker.exists() and len(marker.read_text().split()) == 2)
        worker = int(marker.read_text().split()[0])
        os.kill(parent_of(worker), signal.SIGKILL)
        wait_until(lambda: parent_of(worker) != os.getpid())
        time.sleep(0.2)
        os.kill(worker, signal.SIGKILL)
        (end,) = finished(list(messages))
    assert end.lost
    assert "nobody saw how it ended" in end.outcome.message


@pytest.mark.parametrize(
    ("modules", "why"), [(("no_such_module",), "No module named"), (("threaded_module",), "threads that a fork would")]
)
def test_where_no_fork_is_safe_workers_are_started(
    make_task: MakeTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    modules: tuple[str, ...], why: str,
) -> None:  # fmt: skip
    caplog.set_level(logging.INFO)
    (tmp_path / "threaded_module.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with LocalExecutor(1, warm=(*LIGHT, *modules)) as executor:
        ends = finished(run(executor, make_task("tell-parent"), make_task("tell-parent", 1)))
    assert [(end.outcome.status, end.outcome.message) for end in ends] == [("ok", str(os.getpid()))] * 2
    assert caplog.text.count(why) == 1


def test_nothing_is_left_when_the_executor_is_closed(make_task: MakeTask) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    with LocalExecutor(1, warm=LIGHT) as executor:
        (end,) = finished(run(executor, make_task("tell-parent")))
        template = int(end.outcome.message)
        assert alive(template)
    assert not alive(template)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_whoever_stops_does_not_wait_for_a_template_to_be_warm(
    make_task: MakeTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    importing = tmp_path / "importing"
    (tmp_path / "long_import.py").write_text(
        f"import pathlib, time\npathlib.Path({str(importing)!r}).touch()\ntime.sleep(60)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    executor = LocalExecutor(1, warm=("long_import",))
    executor.submit(make_task())
    wait_until(importing.exists)
    began = time.monotonic()
    executor.close()
    assert time.monotonic() - began < 20, "the import takes a minute"
    assert list(executor.messages()) == [], "nothing has begun"


def test_threads_that_ask_at_once_have_workers_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    delays = iter([0.5, 0.0])

    def slow(*given: Any) -> None:
        send(*given)
        time.sleep(next(delays))  # whoever has asked first looks last for an answer

    template = Template(LIGHT, dict(os.environ))
    try:
        assert template.is_warm()
        monkeypatch.setattr("bench.execution.forking.send", slow)
        with ThreadPoolExecutor(2) as pool:
            workers = [each.result() for each in [pool.submit(template.fork, dict(os.environ)) for _ in range(2)]]
        for worker in workers:
            worker.stdin.close()
            assert worker.wait(15) == 1, "its own pipe has ended, and not another's"
            with worker:
                pass
    finally:
        template.close()


def test_a_template_that_is_closed_before_it_is_warm_is_no_error(make_task: MakeTask) -> None:
    template = Template(WARM_MODULES, dict(os.environ))
    template.close()
    assert not template.is_warm()
    assert template.fork({}) is None


@pytest.mark.slow
def test_what_the_template_imports_leaves_no_thread_that_a_fork_would_lose_whatever_the_number_of_threads() -> None:
    for threads in ("1", "4"):
        names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        template = Template(WARM_MODULES, {**os.environ, **dict.fromkeys(names, threads)})
        try:
            assert template.is_warm()
            worker = template.fork(dict(os.environ))
            assert worker is not None
            worker.stdin.close()
            with worker:
                assert worker.wait(60) == 1, "it was told nothing"
        finally:
            template.close()


# Two threads a process on two cores that other tests share wait for each other: minutes instead of seconds.
TWO = pytest.param(2, marks=pytest.mark.skipif((os.cpu_count() or 1) < 4, reason="needs four cores"))


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, TWO])
def test_a_forked_worker_has_the_bits_of_one_that_was_started(tmp_path: Path, threads: int) -> None:
    found = []
    for name, modules in (("started", ()), ("forked", WARM_MODULES)):
        made = []
        with LocalExecutor(1, warm=modules) as executor:
            for seed in range(2):
                folder = tmp_path / name / str(seed)
                trial = toy_trial(seed=seed, steps=60, evaluate_every=30)
                options = RunOptions(threads=threads)
                task = Task(trial=trial, attempt=0, scratch=str(folder), log=str(folder / "log"), options=options)
                executor.submit(task)
            for end in finished(list(executor.messages())):
                outcome = msgspec.to_builtins(end.outcome)
                files = {path.name: path.read_bytes() for path in end.task.artifacts.iterdir()}
                made.append(
                    ({key: outcome[key] for key in ("status", "message", "metrics", "history", "stability")}, files)
                )
                assert end.outcome.environment is not None
                assert end.outcome.environment.threads == threads
        found.append(made)
    assert found[0] == found[1]
    assert set(found[0][0][1]) == {"generator.safetensors", "samples.png"}
