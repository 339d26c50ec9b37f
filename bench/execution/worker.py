"""What runs in the child process: one attempt, or a pack of them, from tasks to outcomes.

The protocol: one line of JSON on stdin, the list of tasks, several of them in a pack; lines of JSON on stdout, an
`Announcement`, then `Progress`, and `Concluded` for each task of a pack; the outcomes as files, `outcome.json` in the
scratch folder of each task, or with `Concluded` where that cannot be written. Stdin stays open as long as the parent
lives.
"""

import contextlib
import importlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NoReturn

import msgspec

from bench.common.errors import first_line
from bench.config.protocol import INCEPTION
from bench.events import Progress
from bench.execution.device import accelerator_name
from bench.execution.interface import Announcement, Concluded, Task
from bench.files.writing import replace_whole
from bench.store.environment import commit, environment
from bench.store.record import Environment, Outcome

OUTCOME_FILE: Final = "outcome.json"

_MESSAGE_LENGTH: Final = 300

Trainer = Callable[..., Outcome]
"""`train(trial, *, data_dir, device, threads, artifacts, emit) -> Outcome`, as `bench.training.trainer.train`; with
`inception` too, where FID is to be measured, and `capture`, where steps are to be replayed."""


def run_task(task: Task, emit: Callable[[Progress], None]) -> Outcome:
    """Run one attempt here. Whatever training raises becomes an outcome, and its traceback goes to the log."""
    started_at = now()
    task.artifacts.mkdir(parents=True, exist_ok=True)
    try:
        outcome: Outcome = find_trainer(task.trainer)(
            task.trial,
            artifacts=task.artifacts,
            emit=emit,
            # Said only where it is wanted, as is a capture: a trainer of one's own need not know of it.
            **({} if task.inception is None else {"inception": task.inception}),
            **_place_of(task),
        )
    except Exception as error:  # noqa: BLE001 - any failure is this attempt's result, not the program's
        outcome = _failed(task, error, started_at)
    return _placed(outcome, task)


def run_pack(pack: Sequence[Task], emit: Callable[[Progress], None]) -> Iterator[tuple[Task, Outcome]]:
    """Run attempts that share this process; yield each with its outcome as it ends. One alone runs by `run_task`."""
    if len(pack) == 1:
        yield pack[0], run_task(pack[0], emit)
        return
    started_at = now()
    waiting = dict(enumerate(pack))
    first = pack[0]
    for task in pack:
        task.artifacts.mkdir(parents=True, exist_ok=True)
    try:
        ended = find_trainer(first.pack_trainer)(
            [(task.trial, task.artifacts, task.inception) for task in pack],
            emit=emit,
            **_place_of(first),
        )
        for index, outcome in ended:
            task = waiting.pop(index)
            made = _failed(task, outcome, started_at) if isinstance(outcome, Exception) else outcome
            yield task, _placed(made, task)
    except Exception as error:  # noqa: BLE001 - the result of every attempt that had not ended
        for task in waiting.values():
            yield task, _placed(_failed(task, error, started_at), task)


def _place_of(task: Task) -> dict[str, Any]:
    """Return what a trainer is told of where and how it trains: the same for every task of a pack."""
    return {
        "data_dir": None if task.data_dir is None else Path(task.data_dir),
        "device": task.device,
        "threads": task.threads,
        **({"capture": True} if task.capture else {}),
    }


def find_trainer(name: str) -> Callable[..., Any]:
    """Import the function that `module:name` stands for: a `Trainer`, or one for a pack."""
    module, _, function = name.partition(":")
    trainer: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return trainer


def _failed(task: Task, error: Exception, started_at: str) -> Outcome:
    """Return the outcome of an attempt that raised, and write the traceback to its log."""
    write_log(task, "".join(traceback.format_exception(error)))
    return Outcome(status="error", message=one_line(error), started_at=started_at, finished_at=now())


def one_line(error: BaseException) -> str:
    """Return the error's type and the first line of what it says."""
    name, text = type(error).__name__, first_line(error)
    line = name if text == name else f"{name}: {text}"
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
    lines = _claim_stdout()
    pack = msgspec.json.decode(_read_line(sys.stdin.fileno()), type=list[Task])
    threading.Thread(target=_stop_with_parent, args=(sys.stdin.fileno(),), daemon=True).start()
    _send(lines, Announcement(environment=_environment(pack[0]), commit=commit(), started_at=now()))
    for task, outcome in run_pack(pack, lambda progress: _send(lines, progress)):
        unwritten = None if _is_written(task, outcome) else outcome
        if unwritten or len(pack) > 1:  # the end of the process says the same of a task alone
            _send(lines, Concluded(trial_id=task.trial.id, outcome=unwritten))


def _placed(outcome: Outcome, task: Task) -> Outcome:
    """Say where the outcome comes from, unless the trainer has said it."""
    missing: dict[str, Any] = {}
    if outcome.environment is None:
        missing["environment"] = _environment(task)
    if outcome.commit is None:
        missing["commit"] = commit()
    return msgspec.structs.replace(outcome, **missing)


def _environment(task: Task) -> Environment:
    found = environment(task.device, task.threads, accelerator_name(task.device))
    if task.inception is None:
        return found
    # After the fingerprint, which says what the training and its timings depend on.
    return msgspec.structs.replace(found, versions={**found.versions, INCEPTION: task.inception.label})


def _claim_stdout() -> int:
    """Keep stdout for the protocol: everybody else's prints go to stderr, which is the log. Return its descriptor."""
    sys.stdout.flush()
    own = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return own


def _send(descriptor: int, message: Announcement | Progress | Concluded) -> None:
    line = msgspec.json.encode(message) + b"\n"
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
    _die()


def _die() -> NoReturn:
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpgrp(), signal.SIGKILL)
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
