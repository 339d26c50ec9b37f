"""A warm process that becomes a worker by forking: what takes a worker seconds, importing torch, is done once.

A fork copies one thread. So the template imports and does nothing else: it computes nothing, has no thread of its own
and no CUDA. A library may have threads that it takes down for a fork, as OpenBLAS does; if any is left after one, or
CUDA is initialized, the fork is given up before it has done anything, and workers are started as elsewhere. A worker
has its own session, pipes and environment as if it had been started, and takes nobody along when it dies.

The protocol: packets of JSON on a socket. `Fork` comes with the worker's three pipes; `Forked` or `Refused` answer it,
and `Ended` tells how a worker has ended, which only its parent can know.
"""

import array
import contextlib
import gc
import importlib
import os
import signal
import socket
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

WARM_MODULES: Final = (
    "bench.execution.worker", "bench.execution.training", "torch._dynamo", "matplotlib.figure",
    "matplotlib.backends.backend_agg",
)  # fmt: skip
"""What a worker that trains imports: a step of an optimizer the third one, a picture of points the last two."""

LARGEST_PACKET: Final = 2**17
"""Of the environment; one that is larger is started without a template."""

_TASKS: Final = Path("/proc/self/task")


class Fork(Struct, frozen=True, tag="fork"):
    """Fork a worker with this environment; its stdin, stdout and stderr come along."""

    environment: dict[str, str]


class Ready(Struct, frozen=True, tag="ready"):
    """Everything is imported."""


class Forked(Struct, frozen=True, tag="forked"):
    """A worker is there; a handle on it comes along."""

    pid: int


class Refused(Struct, frozen=True, tag="refused"):
    """No worker can be forked, now or later, and why."""

    why: str


class Ended(Struct, frozen=True, tag="ended"):
    """A worker has ended with this exit code, or by minus this signal."""

    pid: int
    code: int


def is_possible() -> bool:
    """Say whether workers can be forked on this system."""
    return hasattr(os, "fork") and hasattr(os, "pidfd_open") and _TASKS.is_dir()


def main(arguments: Sequence[str]) -> None:
    """Import the modules that are named after the descriptor of the socket, then fork workers until it is closed."""
    descriptor, *modules = arguments
    link = socket.socket(fileno=int(descriptor))
    try:
        for module in modules:
            importlib.import_module(module)
        from bench.store.environment import environment, program

        # What its workers say of the code they run: this code, whatever is committed, edited or upgraded meanwhile.
        program()
        environment("cpu", 1)
    except Exception as error:  # noqa: BLE001 - whatever it is, workers are started without a template
        _send(link, Refused(why=f"{type(error).__name__}: {error}"))
        return
    gc.collect()
    gc.freeze()  # the collector leaves alone, and so shared, what every worker has
    if _serve(link):
        # Here in a worker, with none of the frames that served.
        from bench.execution import worker

        worker.main()
        worker.leave()


def _serve(link: socket.socket) -> bool:
    """Fork on request; return True in a worker, and False in the template once the socket is closed."""
    waker, woken = socket.socketpair()
    for end in (waker, woken):
        end.setblocking(False)
    signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    _send(link, Ready())
    import selectors

    with selectors.DefaultSelector() as selector:
        selector.register(link, selectors.EVENT_READ)
        selector.register(waker, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in selector.select()}
            if waker in ready:
                with contextlib.suppress(BlockingIOError):
                    waker.recv(4096)
                _tell_ends(link)
            if link not in ready:
                continue
            packet, pipes = receive(link)
            if not packet:
                return False
            if _fork(link, msgspec.json.decode(packet, type=Fork), pipes):
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for opened in (link, waker, woken):
                    opened.close()
                return True


def _fork(link: socket.socket, request: Fork, pipes: list[int]) -> bool:
    """Fork a worker; return True in it, once the template has found that it may live."""
    allowed, allow = os.pipe()
    try:
        why = _why_not()
        if why:
            _send(link, Refused(why=why))
            return False
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python warns of threads; they are counted below, when it matters
            pid = os.fork()
        if pid == 0:
            os.close(allow)
            allow = -1
            if os.read(allowed, 1) != b"y":
                os._exit(0)
            _take_place(request.environment, pipes)
            return True
        if len(os.listdir(_TASKS)) > 1:  # noqa: PTH208 - a count
            os.close(allow)
            allow = -1
            os.waitpid(pid, 0)
            _send(link, Refused(why="a library has threads that a fork would lose"))
            return False
        # As its parent has not waited for it, this handle is of no other process that has got its number.
        handle = os.pidfd_open(pid)
        _send(link, Forked(pid=pid), handle)
        os.close(handle)
        os.write(allow, b"y")
        return False
    finally:
        for descriptor in (allowed, allow, *pipes):
            with contextlib.suppress(OSError):
                os.close(descriptor)


def _why_not() -> str:
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return "CUDA is initialized, and does not survive a fork"
    return ""


def _take_place(environment: dict[str, str], pipes: list[int]) -> None:
    """Be what a process is that was started: its own session, pipes and environment."""
    os.setsid()
    for number, pipe in enumerate(pipes):
        os.dup2(pipe, number)
    os.environ.clear()
    os.environ.update(environment)


def _tell_ends(link: socket.socket) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        _send(link, Ended(pid=pid, code=os.waitstatus_to_exitcode(status)))


def _send(link: socket.socket, message: Ready | Forked | Refused | Ended, *descriptors: int) -> None:
    with contextlib.suppress(BrokenPipeError):  # whoever is told has ended, and the workers end with it
        send(link, msgspec.json.encode(message), descriptors)


def send(link: socket.socket, packet: bytes, descriptors: Sequence[int] = ()) -> None:
    """Send a packet, and open files with it."""
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
    link.sendmsg([packet], rights)


def receive(link: socket.socket) -> tuple[bytes, list[int]]:
    """Receive a packet, empty at the end, and the descriptors that come with it."""
    descriptors = array.array("i")
    packet, ancillary, _, _ = link.recvmsg(LARGEST_PACKET, socket.CMSG_SPACE(3 * descriptors.itemsize))
    for level, kind, content in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors.frombytes(content[: len(content) - len(content) % descriptors.itemsize])
    return packet, list(descriptors)


if __name__ == "__main__":
    main(sys.argv[1:])
