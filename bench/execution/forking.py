"""The executor's end of the template: it has workers forked, and hands them out as if they had been started.

See `template` for what is forked from, and why that is safe.
"""

import contextlib
import logging
import os
import queue
import selectors
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import IO, Final, Self

import msgspec

from bench.execution.template import LARGEST_PACKET, Ended, Fork, Forked, Ready, Refused, is_possible, receive, send

_READY_SECONDS: Final = 120.0
_ANSWER_SECONDS: Final = 30.0

_log = logging.getLogger(__name__)


class ForkedProcess:
    """A worker that the template has forked: what `subprocess.Popen` is for one that was started.

    `returncode` is `LOST` where the template has died, so that nobody can say how this one has ended.
    """

    LOST: Final = 2**31 - 1

    def __init__(self, pid: int, handle: int, stdin: IO[bytes], stdout: IO[bytes], stderr: IO[bytes]) -> None:
        self.pid = pid
        self._handle = handle
        self.stdin, self.stdout, self.stderr = stdin, stdout, stderr
        self.returncode: int | None = None
        self._ended = threading.Event()

    def ended(self, code: int) -> None:
        """Take the news that it has ended."""
        if self.returncode is None:
            self.returncode = code
        self._ended.set()

    def end_with_handle(self) -> None:
        """Wait for the end without the template, which cannot tell of it any more."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._handle, selectors.EVENT_READ)
            selector.select()
        self.ended(self.LOST)

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        # A time that no clock can hold, as of a limit that is meant to be none, would be an error.
        if not self._ended.wait(None if timeout is None else min(timeout, threading.TIMEOUT_MAX)):
            raise subprocess.TimeoutExpired("worker", timeout or 0.0)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, number)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for pipe in (self.stdout, self.stderr, self.stdin):
            pipe.close()
        self.wait()
        os.close(self._handle)


Process = subprocess.Popen[bytes] | ForkedProcess


class Template:
    """A template of this executor, which is started at once and is warm some seconds later."""

    def __init__(self, modules: Sequence[str], environment: Mapping[str, str]) -> None:
        self._warm = threading.Event()
        self._answers: queue.SimpleQueue[tuple[Forked | Refused, list[int]]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._asking = threading.Lock()
        self._workers: dict[int, ForkedProcess] = {}
        self._ended_early: dict[int, int] = {}
        self._why_not = ""
        self._is_over = False
        self._link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - this very program
                [sys.executable, "-P", "-m", "bench.execution.template", str(theirs.fileno()), *modules],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=dict(environment),
                start_new_session=True,
            )
        self._reader = threading.Thread(target=self._read, name="template", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def is_warm(self) -> bool:
        """Wait until workers can be forked; say whether they can."""
        return self._warm.wait(_READY_SECONDS) and not self._why_not

    def fork(self, environment: Mapping[str, str]) -> ForkedProcess | None:
        """Return a new worker with an environment; None where there can be none."""
        with self._asking:  # answers have no address
            return self._fork(environment)

    def close(self) -> None:
        """Let the template end; its workers are nobody's business here."""
        self._why_not = self._why_not or "it is closed"
        self._process.kill()  # it has nothing to lose
        self._process.wait()
        self._reader.join()
        self._link.close()

    def _fork(self, environment: Mapping[str, str]) -> ForkedProcess | None:
        packet = msgspec.json.encode(Fork(environment=dict(environment)))
        if self._why_not or len(packet) > LARGEST_PACKET:
            return None
        (their_in, stdin), (stdout, their_out), (stderr, their_err) = os.pipe(), os.pipe(), os.pipe()
        theirs = (their_in, their_out, their_err)
        answer: Forked | Refused
        try:
            send(self._link, packet, theirs)
            answer, handles = self._answers.get(timeout=_ANSWER_SECONDS)
        except (OSError, queue.Empty) as error:
            answer, handles = Refused(why=f"it does not answer ({type(error).__name__})"), []
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        if isinstance(answer, Refused):
            self._give_up(answer.why)
            for descriptor in (stdin, stdout, stderr):
                os.close(descriptor)
            return None
        pipes = (os.fdopen(stdin, "wb", 0), os.fdopen(stdout, "rb", 0), os.fdopen(stderr, "rb", 0))
        worker = ForkedProcess(answer.pid, handles[0], *pipes)
        with self._lock:
            code = self._ended_early.pop(worker.pid, None)
            is_alone = code is None and self._is_over
            if code is None and not is_alone:
                self._workers[worker.pid] = worker
        if code is not None:
            worker.ended(code)
        elif is_alone:  # the template has died since it answered
            self._watch(worker)
        return worker

    def _watch(self, worker: ForkedProcess) -> None:
        threading.Thread(target=worker.end_with_handle, daemon=True).start()

    def _read(self) -> None:
        """Take what the template tells until it has ended."""
        while True:
            packet, handles = self._packet()
            if not packet:
                break
            message = msgspec.json.decode(packet, type=Ready | Forked | Refused | Ended)
            if isinstance(message, Ready):
                self._warm.set()
            elif isinstance(message, Ended):
                self._end(message)
            elif self._warm.is_set():
                self._answers.put((message, handles))
            elif isinstance(message, Refused):
                self._give_up(message.why)
        self._give_up("it has ended")
        self._answers.put((Refused(why="it has ended"), []))
        self._warm.set()
        with self._lock:
            self._is_over = True
            left = list(self._workers.values())
            self._workers.clear()
        for worker in left:
            self._watch(worker)

    def _packet(self) -> tuple[bytes, list[int]]:
        try:
            return receive(self._link)
        except OSError:
            return b"", []

    def _end(self, message: Ended) -> None:
        with self._lock:
            worker = self._workers.pop(message.pid, None)
            if worker is None:  # its `fork` has not come so far
                self._ended_early[message.pid] = message.code
        if worker is not None:
            worker.ended(message.code)

    def _give_up(self, why: str) -> None:
        if not self._why_not:
            self._why_not = why
            _log.info("workers are started one by one: they cannot be forked from a template (%s)", why)


def template_of(modules: Sequence[str], environment: Mapping[str, str]) -> Template | None:
    """Start a template, where this system can have one."""
    return Template(modules, environment) if modules and is_possible() else None
