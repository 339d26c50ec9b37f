"""Attempts as subprocesses of this machine, one for each or for several, each under a supervising thread of its own.

Process pools do not survive a killed worker; here a lost process costs the attempt it was at. The timeout is real: the
whole process group is stopped. A child ends with its parent: it watches its stdin, which nobody else holds.
"""

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

import msgspec

from bench.common.endings import how_it_ended
from bench.events import Progress
from bench.execution.children import child_environment, on_its_one_device
from bench.execution.descriptors import workers_with_room
from bench.execution.forking import ForkedProcess, Process, Template, template_of
from bench.execution.interface import Announcement, Concluded, Finished, Message, Place, Started, Task
from bench.execution.listening import CappedLog, Listener
from bench.execution.placement import Placement
from bench.execution.worker import GRACE_SECONDS, OUTCOME_FILE, now, write_log
from bench.store.record import Outcome, Status
from bench.training.run_options import RunOptions


class LocalExecutor:
    """Runs up to `workers` attempts at once, each in a subprocess.

    Args:
        workers: how many processes there are at a time; fewer where this process may not open so many files.
        places: where they run, evenly; by default on the device that the tasks name, its first GPU for `cuda`.
        warm: what a template imports that workers are forked from (see `template`), or such a template, which goes on
            after this executor; without, each is started anew.
    """

    backlog = 0

    def __init__(
        self, workers: int, places: Sequence[Place] = (Place(),), *, warm: Sequence[str] | Template = ()
    ) -> None:
        if workers < 1:
            raise ValueError(f"workers must be at least 1, not {workers}")
        self._workers = workers_with_room(workers)
        self._wanted = workers
        self._placement = Placement(places)
        self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="supervisor")
        self._messages: queue.SimpleQueue[Message | BaseException | None] = queue.SimpleQueue()
        self._outstanding = 0
        self._lock = threading.Lock()
        self._running: set[Process] = set()
        self._cancelled = False
        self._template = warm if isinstance(warm, Template) else None
        self._warm = () if isinstance(warm, Template) else warm
        self._owns_template = not isinstance(warm, Template)

    @property
    def workers(self) -> int:
        return self._workers

    @property
    def notes(self) -> Sequence[str]:
        """What is to be said of it."""
        if self._workers == self._wanted:
            return ()
        return (
            f"{self._workers} at a time and not {self._wanted}: this process may open no more files; "
            "raise `ulimit -n` for more workers",
        )

    def submit(self, *tasks: Task) -> None:
        self._outstanding += len(tasks)
        self._pool.submit(self._supervise, tasks)

    def messages(self) -> Iterator[Message]:
        while self._outstanding:
            message = self._messages.get()
            if message is None:
                return
            if isinstance(message, BaseException):
                raise message
            if isinstance(message, Finished):
                self._outstanding -= 1
            yield message

    def cancel(self) -> None:
        with self._lock:
            self._cancelled = True
            running = list(self._running)
        self._pool.shutdown(wait=False, cancel_futures=True)
        _stop(running)
        self._messages.put(None)

    def close(self) -> None:
        self.cancel()
        if self._template is not None and self._owns_template:
            self._template.close()  # first, since a supervisor may wait for it to be warm
            self._template = None
        self._pool.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _supervise(self, tasks: Sequence[Task]) -> None:
        try:
            with self._placement.place() as place:
                self._attempt(tasks, place)
        except BaseException as error:
            # Nobody looks into a pool's futures: without this the reader of messages would wait for ever.
            self._messages.put(error)
            raise

    def _attempt(self, tasks: Sequence[Task], place: Place, note: str = "") -> None:
        """Run one process to its end and tell what became of its attempts, unless it was cancelled.

        Of a process that has to be stopped nobody knows which task it hangs in: those that are open run again alone.
        """
        log = _prepare(tasks, note)
        process = self._launch(tasks[0].options, place)
        if process is None:
            return
        for task in tasks:
            self._messages.put(Started(task=task, place=place.name))
        told = _Told(tasks)
        limit = sum(task.options.timeout_seconds for task in tasks)
        with process:
            timed_out = self._follow(process, tasks, told, limit, log)
            with self._lock:
                self._running.discard(process)
                cancelled = self._cancelled
        if cancelled:
            return
        if told.last is not None:
            self._messages.put(told.last)
        open_ = list(told.open_tasks.values())
        if timed_out and len(open_) > 1:
            what = f"its process of {len(tasks)} trials was stopped after {limit / 60:g} minutes; it runs alone now"
            for task in open_:
                self._attempt([task], place, f"[{now()}] {what}\n")
            return
        for task in open_:
            self._messages.put(_conclude(task, process.wait(), told.announcement, limit if timed_out else None))

    def _launch(self, options: RunOptions, place: Place) -> Process | None:
        environment = child_environment(options, place)
        template = self._warm_template(options)
        # Under the lock, so that `cancel` sees every process that is there and none is started after it.
        with self._lock:
            if self._cancelled:
                return None
            process: Process | None = None if template is None else template.fork(environment)
            if process is None:
                process = subprocess.Popen(
                    # -P: the working directory is searched only where the parent searches it.
                    [sys.executable, "-P", "-m", "bench.execution.worker"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    env=environment,
                    start_new_session=True,
                )
            self._running.add(process)
            return process

    def _warm_template(self, options: RunOptions) -> Template | None:
        """Return the template, once it is warm; None where there is none. It has the threads of the first task."""
        with self._lock:
            if self._template is None and self._warm and not self._cancelled:
                self._template = template_of(self._warm, child_environment(options, Place()))
            template = self._template
        return template if template is not None and template.is_warm() else None

    def _follow(
        self,
        process: Process,
        tasks: Sequence[Task],
        told: "_Told",
        limit: float,
        log: Path,
    ) -> bool:
        """Feed the tasks to the process, and pass on what it tells until it has ended; say whether it was stopped."""
        assert process.stdin is not None
        listener = Listener(process, lambda line: self._take(line, told), CappedLog(log))
        with contextlib.suppress(BrokenPipeError):  # it died at once; its exit status says more
            os.write(process.stdin.fileno(), msgspec.json.encode([on_its_one_device(task) for task in tasks]) + b"\n")
        timed_out = False
        try:
            process.wait(limit)
        except subprocess.TimeoutExpired:
            timed_out = True
            _stop([process])
        _signal_group(process, signal.SIGKILL)  # whatever it had started and left behind
        listener.finish()
        return timed_out

    def _take(self, line: bytes, told: "_Told") -> bool:
        """Pass a line on; say whether it was one of ours, since a fork of the child may print among them."""
        try:
            message = msgspec.json.decode(line, type=Announcement | Progress | Concluded)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return False
        if isinstance(message, Announcement):
            told.announcement = told.announcement or message
        elif isinstance(message, Concluded):
            task = told.open_tasks.pop(message.trial_id, None)
            if task is not None:
                end = Finished(task=task, outcome=message.outcome or _outcome(task), lost=message.lost)
                if told.open_tasks:
                    self._messages.put(end)
                else:
                    told.last = end
        else:
            self._messages.put(message)
        return True


class _Told:
    """What a process has told so far."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self.announcement: Announcement | None = None
        self.open_tasks = {task.trial.id: task for task in tasks}
        """Those of which no outcome is there."""
        self.last: Finished | None = None
        """The end of the last one; it is passed on once the process has ended, and its log is whole."""


def _stop(processes: Iterable[Process]) -> None:
    """Ask all to end, then end those that have not: after a time, or at once where this is interrupted (Ctrl-C)."""
    processes = list(processes)
    for process in processes:
        _signal_group(process, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    try:
        for process in processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline - time.monotonic()))
    finally:
        for process in processes:
            if process.poll() is None:
                _signal_group(process, signal.SIGKILL)


def _signal_group(process: Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # all of it has ended
        os.killpg(process.pid, number)
    process.send_signal(number)  # it may have left its group; of one that has ended, this does nothing


def _prepare(tasks: Sequence[Task], note: str) -> Path:
    """Make the folders of the tasks and return the log that their process writes to, which the others' logs name."""
    for task in tasks:
        Path(task.scratch).mkdir(parents=True, exist_ok=True)
        Path(task.log).parent.mkdir(parents=True, exist_ok=True)
        Path(task.log).unlink(missing_ok=True)
        if note:
            write_log(task, note)
    first, *others = tasks
    for task in others:
        write_log(task, f"ran in one process with {first.trial.id}: what it printed is in {Path(first.log).name}\n")
    return Path(first.log)


def _outcome(task: Task) -> Outcome:
    return msgspec.json.decode((Path(task.scratch) / OUTCOME_FILE).read_bytes(), type=Outcome)


def _conclude(task: Task, code: int, announcement: Announcement | None, limit: float | None) -> Finished:
    """Read the outcome of a process that has ended; where it left none, write one in its name.

    `limit` is that of a process which was stopped, in seconds.
    """
    if (Path(task.scratch) / OUTCOME_FILE).exists():  # whatever happened afterwards, while the interpreter shut down
        return Finished(task=task, outcome=_outcome(task))
    if limit is not None:
        return _without_outcome(task, "timeout", f"stopped after {limit / 60:g} minutes", announcement)
    return _without_outcome(task, "error", f"the process was lost: {_how_it_ended(code)}", announcement)


def _how_it_ended(code: int) -> str:
    if code == ForkedProcess.LOST:
        return "nobody saw how it ended, as the process that it was forked from was lost, too"
    return how_it_ended(code) + (" and left no outcome" if code >= 0 else "")


def _without_outcome(task: Task, status: Status, message: str, announcement: Announcement | None) -> Finished:
    write_log(task, f"[{now()}] {message}\n")
    outcome = Outcome(
        status=status,
        message=message,
        environment=announcement.environment if announcement else None,
        commit=announcement.commit if announcement else None,
        started_at=announcement.started_at if announcement else now(),
        finished_at=now(),
    )
    return Finished(task=task, outcome=outcome, lost=status == "error")
