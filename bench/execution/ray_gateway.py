"""The process that speaks to a Ray cluster for a campaign: tasks in on stdin, messages out on stdout, files to places.

It is a process of its own since Ray ends the process that has lost its head node, prints where it likes and sets
handlers of signals. It ends with its parent, whose end it sees on stdin, and Ray then ends all that it has started.

A node that is lost costs what its processes have done since their last checkpoints: those are kept here, and their
trials go on elsewhere. That is no attempt of theirs: it says nothing of the trial.
"""

import contextlib
import os
import queue
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

import msgspec
import ray

from bench.events import Progress
from bench.execution import ray_freight, ray_node, ray_versions
from bench.execution.interface import Finished, Resources, Started, Task
from bench.execution.ray_cluster import DeclinedError, at_most, check_versions, connect, ray_options, room, usable
from bench.execution.ray_messages import (
    WAITING,
    Begun,
    Declined,
    Ended,
    Kept,
    Lacks,
    Ready,
    Refused,
    Room,
    Settings,
    Told,
    encoded,
    from_node,
)
from bench.execution.worker import GRACE_SECONDS, claim_stdout, now, one_line, send, write_log
from bench.files.writing import reason, replace_whole
from bench.store.checkpoints import checkpoint_path
from bench.store.record import Outcome

MOST_LOSSES: Final = 10
"""So many nodes may be lost under a process before its trials count as lost."""

_LOOK_SECONDS: Final = 0.2
_COUNT_SECONDS: Final = 5.0


class Flight:
    """A process on its way: its tasks, of which those that have no outcome are open."""

    def __init__(self, tasks: Sequence[Task], losses: int = 0) -> None:
        self.open_tasks = {task.trial.id: task for task in tasks}
        self.losses = losses
        """How many nodes have been lost under it."""
        self.notes: dict[str, str] = {}
        """What is to be said of a trial, by its id, once it has begun."""
        self.stream: Any = None
        """Ray's generator of what the node says."""

    @property
    def tasks(self) -> list[Task]:
        return list(self.open_tasks.values())


class Gateway:
    """Flies tasks to the nodes of a cluster and tells what comes back."""

    def __init__(self, lines: int, resources: Resources, workers: int | None) -> None:
        self._lines = lines
        self._resources = resources
        self._workers = workers
        self._program = ray_versions.program()
        self._attempt = ray.remote(ray_node.attempt).options(**ray_options(resources))
        self._waiting: deque[Flight] = deque()
        self._flying: list[Flight] = []
        self._freight: dict[str, list[Any]] = {}
        self._without_checkpoint: set[str] = set()
        """The trials of which it has been said that their checkpoints cannot be kept."""
        self._limit = 0
        self._room = at_most(room(resources), workers)
        self._counted = -_COUNT_SECONDS

    def serve(self, submissions: "queue.SimpleQueue[list[Task] | None]") -> None:
        """Work until there is nobody to work for."""
        while True:
            try:
                submitted = submissions.get(timeout=0 if self._flying or self._waiting else _LOOK_SECONDS)
            except queue.Empty:
                self._launch()
                self._listen()
                continue
            if submitted is None:
                return
            self._accept(submitted)

    def _accept(self, tasks: Sequence[Task]) -> None:
        for task in tasks:
            with contextlib.suppress(OSError):  # a log that cannot be written costs the log, not the attempt
                Path(task.log).unlink(missing_ok=True)  # of an attempt that was stopped
        self._waiting.append(Flight(tasks))

    def _launch(self) -> None:
        if time.monotonic() - self._counted >= _COUNT_SECONDS:
            self._count()
        while self._waiting and len(self._flying) < self._limit:
            flight = self._waiting.popleft()
            try:
                parcel = ray_freight.parcel(flight.tasks, self._program, flight.notes.__setitem__)
            except (OSError, ValueError) as error:
                self._fail(flight, one_line(error), lost=False)
                continue
            freight = {need.key: self._freight[need.key] for need in parcel.needs if need.key in self._freight}
            flight.stream = self._attempt.remote(encoded(parcel), freight)
            self._flying.append(flight)

    def _count(self) -> None:
        """See whether nodes have come and gone; say so, since whoever submits keeps as many processes submitted."""
        now_free = at_most(room(self._resources), self._workers)
        if now_free != self._room:
            send(self._lines, Room(workers=now_free))
        self._room = now_free
        self._limit = self._workers or now_free + WAITING
        self._counted = time.monotonic()

    def _listen(self) -> None:
        """Take what the nodes have said, an item of each at most."""
        by_stream = {flight.stream: flight for flight in self._flying}
        if not by_stream:
            return
        streams = list(by_stream)
        ready, _ = ray.wait(streams, num_returns=1, timeout=_LOOK_SECONDS, fetch_local=False)
        if ready and len(streams) > 1:
            ready, _ = ray.wait(streams, num_returns=len(streams), timeout=0, fetch_local=False)
        for stream in ready:
            flight = by_stream[stream]
            try:
                self._hear(flight, ray.get(next(stream)))
            except StopIteration:
                self._land(flight)
                if flight.open_tasks:
                    self._fail(flight, "its node ended without an outcome", lost=True)
            except (ray.exceptions.NodeDiedError, ray.exceptions.WorkerCrashedError) as error:
                self._fly_again(flight, error)
            except (ray.exceptions.ObjectLostError, ray.exceptions.OutOfMemoryError) as error:
                self._freight.clear()  # parts of it may be what was lost; they are put again where they lack
                self._fly_again(flight, error)
            except Exception as error:  # noqa: BLE001 - whatever a node raises is the result of these attempts
                self._land(flight)
                self._fail(flight, f"its node failed: {one_line(error)}", lost=True)

    def _hear(self, flight: Flight, content: bytes) -> None:
        said = from_node(content)
        match said:
            case Begun():
                if said.trial_id in flight.open_tasks:
                    self._begin(flight, flight.open_tasks[said.trial_id], said.place)
            case Told():
                send(self._lines, said.progress)
            case Kept():
                self._keep_checkpoint(flight.open_tasks[said.trial_id], said.content)
            case Ended():
                task = flight.open_tasks.pop(said.trial_id)
                self._keep_files(task, said)
                send(self._lines, Finished(task=task, outcome=said.outcome, lost=said.lost))
            case Lacks():
                self._land(flight)
                self._bring(flight, said.keys)
            case Refused():
                self._land(flight)
                self._fail(flight, said.why, lost=True)

    def _begin(self, flight: Flight, task: Task, place: str) -> None:
        send(self._lines, Started(task=task, place=place))
        note = flight.notes.pop(task.trial.id, "")
        if note:
            send(self._lines, Progress.remark(task.trial, note))

    def _land(self, flight: Flight) -> None:
        if flight in self._flying:
            self._flying.remove(flight)

    def _bring(self, flight: Flight, keys: Sequence[str]) -> None:
        """Put what a node lacks where all nodes can fetch it, and fly again."""
        try:
            needs = ray_freight.needs_of(flight.tasks)
            for key in keys:
                if key not in self._freight:
                    self._freight[key] = [ray.put(ray_freight.content_of(needs[key], flight.tasks))]
        except (OSError, ValueError) as error:
            self._fail(flight, one_line(error), lost=False)
            return
        self._waiting.appendleft(Flight(flight.tasks, flight.losses))

    def _fly_again(self, flight: Flight, error: Exception) -> None:
        """Send what was lost with a node elsewhere, before all that has not begun."""
        self._land(flight)
        if not flight.open_tasks:  # the node had told of all of them
            return
        if flight.losses >= MOST_LOSSES:
            self._fail(flight, f"{flight.losses + 1} nodes were lost under it: {one_line(error)}", lost=True)
            return
        for task in flight.tasks:
            note = f"its node was lost ({type(error).__name__}); it goes on elsewhere"
            write_log(task, f"[{now()}] {note}\n")
            send(self._lines, Progress.remark(task.trial, note))
        self._waiting.appendleft(Flight(flight.tasks, flight.losses + 1))

    def _fail(self, flight: Flight, message: str, *, lost: bool) -> None:
        for task in flight.tasks:
            write_log(task, f"[{now()}] {message}\n")
            outcome = Outcome(status="error", message=message, started_at=now(), finished_at=now())
            send(self._lines, Finished(task=task, outcome=outcome, lost=lost))
        flight.open_tasks.clear()

    def _keep_checkpoint(self, task: Task, content: bytes) -> None:
        if task.options.checkpoint_dir is None:
            return
        try:
            replace_whole(checkpoint_path(Path(task.options.checkpoint_dir), task.trial.id), content)
        except OSError as error:
            if task.trial.id not in self._without_checkpoint:
                self._without_checkpoint.add(task.trial.id)
                send(self._lines, Progress.remark(task.trial, f"its checkpoint cannot be kept ({reason(error)})"))

    def _keep_files(self, task: Task, end: Ended) -> None:
        """Put artifacts and the log where a process of this machine would have put them."""
        try:
            for name, content in end.artifacts.items():
                replace_whole(task.artifacts / Path(name).name, content)
        except OSError as error:
            send(self._lines, Progress.remark(task.trial, f"its artifacts cannot be kept ({reason(error)})"))
        if end.log:
            write_log(task, end.log.decode(errors="backslashreplace"))


def main() -> None:
    """Connect, and serve the campaign on stdin."""
    lines = claim_stdout()
    reader = _Reader(sys.stdin.fileno())
    settings = msgspec.json.decode(reader.line(), type=Settings)
    submissions: queue.SimpleQueue[list[Task] | None] = queue.SimpleQueue()
    is_ready = threading.Event()
    threading.Thread(target=_read, args=(reader, submissions, is_ready), daemon=True).start()
    try:
        notes = connect(settings)
        device, resources, missing = usable(settings)
        check_versions(resources)
    except DeclinedError as error:
        send(lines, Declined(why=str(error)))
        _leave(0)
    gateway = Gateway(lines, resources, settings.workers)
    free = at_most(room(resources), settings.workers)
    is_ready.set()
    send(lines, Ready(device=device, resources=resources, workers=free, notes=notes + missing))
    gateway.serve(submissions)
    _leave(0)


class _Reader:
    """Reads lines from a descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._buffer = b""

    def line(self) -> bytes:
        """Return the next line; nothing at the end."""
        while b"\n" not in self._buffer:
            piece = os.read(self._descriptor, 2**16)
            if not piece:
                return b""
            self._buffer += piece
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line


def _read(reader: _Reader, submissions: "queue.SimpleQueue[list[Task] | None]", is_ready: threading.Event) -> None:
    while line := reader.line():
        submissions.put(msgspec.json.decode(line, type=list[Task]))
    submissions.put(None)
    if is_ready.is_set():
        time.sleep(GRACE_SECONDS)  # the other thread may wait for a cluster that is not there any more
    os._exit(1)


def _leave(code: int) -> NoReturn:
    """End the connection, and with it what Ray runs for it."""
    ray.shutdown()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
