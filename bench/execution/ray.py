"""Attempts on the machines of a Ray cluster: spec in, outcome, artifacts and checkpoints out, all through Ray.

No file system is shared, and this machine alone writes. The campaign's process never speaks to Ray itself: see
`ray_gateway`. A process on a node is supervised as one on this machine is: see `ray_node`.
"""

import contextlib
import importlib.util
import os
import queue
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

import msgspec

from bench.common.threads import thread_variables
from bench.execution.children import search_path
from bench.execution.interface import ExecutorLostError, Finished, Message, Resources, Task
from bench.execution.listening import CappedLog, Listener
from bench.execution.ray_account import Account
from bench.execution.ray_messages import WAITING, Declined, FromGateway, Ready, Room, Settings
from bench.execution.worker import GRACE_SECONDS

ADDRESS_VARIABLE: Final = "RAY_ADDRESS"

_SHORT_TEMPORARY: Final = "/tmp"  # noqa: S108 - the folder in it has a name that nobody can foresee
_LONGEST_FOLDER: Final = 35
"""Bytes of the name of a folder, to which Ray adds 68 for a socket: Linux allows 107, and macOS 103."""

ANSWER_SECONDS: Final = 300.0
"""A cluster that has not answered by then is none. Ray may try for ever, where something else listens."""


class RayExecutor:
    """Runs attempts on a cluster, as many at once as it has room for, also on nodes that join later.

    Args:
        address: of the cluster, as Ray takes it (`auto`, `10.0.0.1:6379`); without one, and without $RAY_ADDRESS, a
            cluster of this machine alone is started, and ended with the executor.
        device: `auto`, `cpu` or `cuda`, of the nodes.
        resources: what each process takes; on `cuda` one GPU unless it says how much.
        workers: how many processes there are at most.

    Raises:
        ValueError: the cluster cannot be reached, its nodes have other versions, or Ray is not installed.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        device: str = "auto",
        resources: Resources = Resources(),  # noqa: B008 - it is frozen
        workers: int | None = None,
    ) -> None:
        if importlib.util.find_spec("ray") is None:
            raise ValueError("--executor ray needs Ray, which is not installed: pip install 'gan-loss-bench[ray]'")
        if device not in ("auto", "cpu", "cuda"):
            raise ValueError(f"a cluster has devices cpu and cuda, and gives each process a GPU, not {device!r}")
        self._outstanding = 0
        self._most = workers
        self._closed = False
        self._account = Account()
        self._messages: queue.SimpleQueue[FromGateway | BaseException | None] = queue.SimpleQueue()
        address = address or os.environ.get(ADDRESS_VARIABLE, "")
        if address.startswith("ray://"):
            raise ValueError(
                f"Ray's client ({address}) is not supported: start `run` on a node of the cluster, and give --address "
                "HOST:PORT or auto"
            )
        self._folder = _short_folder()
        self._log = self._folder / "gateway.log"
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "bench.execution.ray_gateway"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(address),
            start_new_session=True,
        )
        self._listener = Listener(self._process, self._take, CappedLog(self._log))
        self._waiter = threading.Thread(target=self._await_end, daemon=True)
        self._waiter.start()
        folder = str(self._folder / "ray")
        self._send(Settings(address=address, folder=folder, device=device, resources=resources, workers=workers))
        try:
            self._ready = self._answer(address)
            self._room = self._ready.workers
        except BaseException:
            self.close()
            raise

    def _answer(self, address: str) -> Ready:
        try:
            said = self._messages.get(timeout=ANSWER_SECONDS)
        except queue.Empty:
            where = address or "of this machine"
            raise ValueError(f"the cluster {where} has not answered for {ANSWER_SECONDS / 60:g} minutes") from None
        if isinstance(said, Ready):
            self._account.take(said)
            return said
        if isinstance(said, BaseException):
            raise said
        lost = f"the cluster {address or 'of this machine'} cannot be used, and its gateway is lost: "
        raise ValueError(said.why if isinstance(said, Declined) else lost + self._account.sentence(self._log))

    @property
    def device(self) -> str:
        """`cpu` or `cuda`: what the cluster has, where that was to be found out."""
        return self._ready.device

    @property
    def notes(self) -> list[str]:
        """What the user should know of the cluster."""
        return self._ready.notes

    @property
    def workers(self) -> int:
        """How many processes there is room for, as far as it is known: nodes come and go."""
        return max(1, self._room)

    @property
    def backlog(self) -> int:
        return WAITING if self._most is None else min(WAITING, max(0, self._most - self.workers))

    def submit(self, *tasks: Task) -> None:
        self._outstanding += len(tasks)
        self._account.submitted(tasks)
        self._send(list(tasks))

    def messages(self) -> Iterator[Message]:
        while self._outstanding:
            message = self._messages.get()
            if message is None:
                if self._closed:
                    return
                raise ExecutorLostError(
                    f"the cluster was lost, and its gateway with it: {self._account.sentence(self._log)}"
                )
            if isinstance(message, BaseException):
                raise message
            assert not isinstance(message, Ready | Declined), "it was said before"
            self._account.take(message)
            if isinstance(message, Room):
                self._room = message.workers
                continue
            if isinstance(message, Finished):
                self._outstanding -= 1
            yield message

    def cancel(self) -> None:
        """Stop everything: Ray ends what runs for the gateway, and that ends with its stdin.

        The gateway is ended after a time, or at once where this is interrupted (Ctrl-C).
        """
        if self._closed:
            return
        self._closed = True
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(GRACE_SECONDS)
        finally:
            if self._process.poll() is None:
                with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
                    os.killpg(self._process.pid, signal.SIGKILL)
            self._messages.put(None)

    def close(self) -> None:
        try:
            self.cancel()
        finally:
            self._waiter.join()
            for pipe in (self._process.stdout, self._process.stderr):
                assert pipe is not None
                pipe.close()
            shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(self, message: object) -> None:
        assert self._process.stdin is not None
        line = memoryview(msgspec.json.encode(message) + b"\n")
        try:
            while line:
                line = line[os.write(self._process.stdin.fileno(), line) :]
        except BrokenPipeError:  # it has ended: whoever reads its messages is told
            return

    def _take(self, line: bytes) -> bool:
        try:
            self._messages.put(msgspec.json.decode(line, type=FromGateway))
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return False
        self._account.heard()
        return True

    def _await_end(self) -> None:
        self._account.ended(self._process.wait())
        with contextlib.suppress(ProcessLookupError):  # all of it has ended
            os.killpg(self._process.pid, signal.SIGKILL)  # what it had started and left behind, as when it was starting
        try:
            self._listener.finish()
        except BaseException as error:  # noqa: BLE001 - raised where the messages are read
            self._messages.put(error)
        self._messages.put(None)


def _short_folder() -> Path:
    """Make a temporary folder in which the sockets of a cluster have room for their names, where there is one."""
    folder = Path(tempfile.mkdtemp(prefix="ray-"))
    if len(os.fsencode(folder)) <= _LONGEST_FOLDER:
        return folder
    try:
        shorter = Path(tempfile.mkdtemp(prefix="ray-", dir=_SHORT_TEMPORARY))
    except OSError:  # Ray says what is too long, and by how much
        return folder
    folder.rmdir()
    return shorter


def _environment(address: str) -> dict[str, str]:
    """Return the gateway's environment: the search path of this process, and safe settings for a cluster of its own."""
    environment = {"RAY_USAGE_STATS_ENABLED": "0", **os.environ, **thread_variables(1), **search_path()}
    if not address or address.startswith(("127.0.0.1:", "localhost:")):
        # Else Ray replaces the loopback address by another one of this machine, where nobody listens, and waits there.
        environment["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    if not address:
        environment |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        environment.pop(ADDRESS_VARIABLE, None)
    return environment
