"""What runs in the child process: attempts, one or several, from tasks to outcomes.

The protocol: one line of JSON on stdin, the list of tasks; lines of JSON on stdout, an `Announcement`, then `Progress`,
and `Concluded` for each task; the outcomes as files, `outcome.json` in the scratch folder of each task, or with
`Concluded` where that cannot be written. Stdin stays open as long as the parent lives.
"""

import atexit
import contextlib
import importlib
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NoReturn

import msgspec

from bench import data
from bench.common.errors import first_line, is_memory_error
from bench.events import Progress
from bench.execution.device import accelerator_name
from bench.execution.interface import Announcement, Concluded, Finished, NeedsOwnProcess, Task
from bench.execution.memory import account
from bench.files.writing import replace_whole
from bench.store.environment import commit, environment
from bench.store.record import Environment, Outcome
from bench.training.stopping import Stopped

OUTCOME_FILE: Final = "outcome.json"

GRACE_SECONDS: Final = 20.0
"""Between asking a process to end and ending it: in that time it ends its block of steps and keeps what it has."""

_MESSAGE_LENGTH: Final = 300

Trainer = Callable[..., Iterator[tuple[int, Outcome | Exception]]]
"""`train(trials, options, emit)`, as `bench.execution.training.train`."""


def run_tasks(tasks: Sequence[Task], emit: Callable[[Progress], None]) -> Iterator[Finished]:
    """Run attempts in this process; tell of each as it ends.

    Whatever training raises becomes the outcome of the attempts that had not ended, and its traceback goes to their
    logs.
    """
    started_at = now()
    open_tasks = dict(enumerate(tasks))
    for task in tasks:
        task.artifacts.mkdir(parents=True, exist_ok=True)
    try:
        train = find_trainer(tasks[0].trainer)
        for index, made in train([(task.trial, task.artifacts) for task in tasks], tasks[0].options, emit):
            yield _finished(open_tasks.pop(index), made, started_at)
    except Exception as error:  # noqa: BLE001 - any failure is these attempts' result, not the program's
        for task in open_tasks.values():
            yield _finished(task, error, started_at)


def _finished(task: Task, made: Outcome | Exception, started_at: str) -> Finished:
    outcome = _failed(task, made, started_at) if isinstance(made, Exception) else made
    return Finished(task=task, outcome=_placed(outcome, task), lost=isinstance(made, NeedsOwnProcess))


def find_trainer(name: str) -> Trainer:
    """Import the trainer that `module:name` stands for."""
    module, _, function = name.partition(":")
    trainer: Trainer = getattr(importlib.import_module(module), function)
    return trainer


def _failed(task: Task, error: Exception, started_at: str) -> Outcome:
    """Return the outcome of an attempt that raised, and write the traceback to its log."""
    write_log(task, "".join(traceback.format_exception(error)))
    message = shortened(account(error)) if is_memory_error(error) else one_line(error)
    return Outcome(status="error", message=message, started_at=started_at, finished_at=now())


def one_line(error: BaseException) -> str:
    """Return the error's type and the first line of what it says."""
    name, text = type(error).__name__, first_line(error)
    return shortened(name if text == name else f"{name}: {text}")


def shortened(line: str) -> str:
    """Return a line of at most the length that a record's message has."""
    return line if len(line) <= _MESSAGE_LENGTH else f"{line[: _MESSAGE_LENGTH - 3]}..."


def write_log(task: Task, text: str) -> None:
    """Append to the task's log; one that cannot be written costs the log, not the attempt."""
    log = Path(task.log)
    with contextlib.suppress(OSError):
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)


def now() -> str:
    """Return the time in UTC, to the second, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def main() -> None:
    """Run the tasks on stdin."""
    lines = claim_stdout()
    tasks = msgspec.json.decode(_read_line(sys.stdin.fileno()), type=list[Task])
    threading.Thread(target=_stop_with_parent, args=(sys.stdin.fileno(),), daemon=True).start()
    send(lines, Announcement(environment=_environment(tasks[0]), commit=commit(), started_at=now()))
    try:
        for end in run_tasks(tasks, lambda progress: send(lines, progress)):
            unwritten = None if _is_written(end.task, end.outcome) else end.outcome
            send(lines, Concluded(trial_id=end.task.trial.id, outcome=unwritten, lost=end.lost))
    except Stopped:
        _die(signal.SIGTERM)  # as it would have, had it nothing to keep


def leave() -> NoReturn:
    """End this process, all outcomes of which are there, without taking the interpreter apart.

    That would cost a fork of a warm process 0.4 s of CPU: it touches, and so copies, all that is shared. What is
    registered for the exit runs, and so temporary folders are removed; nobody waits for threads that a trial has left.
    """
    atexit._run_exitfuncs()  # as the forks of `multiprocessing` do
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # whoever reads it has ended, or a trial has closed it
            stream.flush()
    os._exit(0)


def _placed(outcome: Outcome, task: Task) -> Outcome:
    """Say where the outcome comes from, unless the trainer has said it."""
    missing: dict[str, Any] = {}
    if outcome.environment is None:
        missing["environment"] = _environment(task)
    if outcome.commit is None:
        missing["commit"] = commit()
    return msgspec.structs.replace(outcome, **missing)


def _environment(task: Task) -> Environment:
    device = task.options.device
    machine = environment(device, task.options.threads, accelerator_name(device))
    judges = task.options.judges(data.workload(task.trial.spec.workload)) if task.options.all_weights else []
    if not judges:
        return machine
    # After the fingerprint, which says what the training and its timings depend on.
    labels = {weights.network: weights.label for weights in judges}
    return msgspec.structs.replace(machine, versions={**machine.versions, **labels})


def claim_stdout() -> int:
    """Keep stdout for the protocol: everybody else's prints go to stderr, which is the log. Return its descriptor."""
    sys.stdout.flush()
    own = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return own


def send(descriptor: int, message: msgspec.Struct) -> None:
    """Write a line of the protocol; where whoever reads it has died, nobody is left to tell.

    Whoever watches stdin ends this process then. An error here would come before that, and cost a trial what it would
    have kept.
    """
    line = msgspec.json.encode(message) + b"\n"
    with contextlib.suppress(BrokenPipeError):
        while line:
            line = line[os.write(descriptor, line) :]


def _read_line(descriptor: int) -> bytes:
    # Not through sys.stdin: its buffer is locked while the thread below waits, and a locked one aborts the exit.
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(descriptor, 65536)
        if not piece:
            raise SystemExit("bench.execution.worker is started by an executor: it reads a task from stdin")
        line += piece
    return line


def _stop_with_parent(descriptor: int) -> None:
    """Wait for the end of stdin, which comes when the parent has died, and then take the whole group along."""
    while os.read(descriptor, 4096):
        pass
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE_SECONDS)
    _die(signal.SIGKILL)


def _die(number: signal.Signals) -> NoReturn:
    """End by a signal, and the group with this process."""
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpgrp(), number)
    os.kill(os.getpid(), number)
    os._exit(1)


def _is_written(task: Task, outcome: Outcome) -> bool:
    """Write the outcome so that it is whole once it is there; say whether it could be, as on a full disk it cannot."""
    try:
        replace_whole(Path(task.scratch) / OUTCOME_FILE, msgspec.json.encode(outcome))
    except OSError as error:
        write_log(task, f"[{now()}] the outcome could not be written ({error}) and was told instead\n")
        return False
    return True


if __name__ == "__main__":
    main()
    leave()
