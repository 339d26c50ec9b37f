"""What a child process says on its two pipes: lines of the protocol to whoever waits for them, all the rest to a log.

A pipe closes when the last process that holds it has ended, and a child may leave others behind that no signal reaches.
So nobody here waits for an end of the pipe once the child has ended: what is there is read, and then it is over.
"""

import contextlib
import os
import selectors
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bench.execution.forking import Process

LARGEST_LOG: Final = 8 * 2**20
"""Bytes of what an attempt prints that are kept from its beginning; of the rest its end is kept."""

LAST_WORDS: Final = 2**16

_LONGEST_LINE: Final = 256 * 2**20
_TICK_SECONDS: Final = 0.2
_DRAIN_SECONDS: Final = 3.0
"""So long is read on after the child's end, where others go on writing."""
_PIECE: Final = 2**16


class CappedLog:
    """A file of what an attempt prints: its beginning, its end, and between them how much was left out."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept = 0
        self._left_out = 0
        self._tail = b""

    def write(self, piece: bytes) -> None:
        room = LARGEST_LOG - self._kept
        if room > 0:
            self._append(piece[:room])
            self._kept += len(piece[:room])
        beyond = piece[max(room, 0) :]
        if beyond:
            tail = self._tail + beyond
            self._tail = tail[-LAST_WORDS:]
            self._left_out += len(tail) - len(self._tail)

    def close(self) -> None:
        if self._left_out:
            self._append(f"\n[{self._left_out:,} bytes are left out here]\n".encode())
        self._append(self._tail)
        self._tail = b""

    def _append(self, piece: bytes) -> None:
        # A log that cannot be written costs the log, not the attempt.
        with contextlib.suppress(OSError), self._path.open("ab") as file:
            file.write(piece)


class Listener:
    """Reads both pipes of a process in a thread of its own."""

    def __init__(self, process: Process, take_line: Callable[[bytes], bool], log: CappedLog) -> None:
        """Begin to listen.

        Args:
            process: with pipes for stdout and stderr.
            take_line: is given each line of stdout, and says whether it is one of the protocol's.
            log: takes what comes on stderr, and the other lines.
        """
        assert process.stdout is not None
        assert process.stderr is not None
        self._lines, self._prints = process.stdout.fileno(), process.stderr.fileno()
        self._take_line = take_line
        self._log = log
        self._buffer = b""
        self._ended = threading.Event()
        self._deadline = float("inf")
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Read what the process has left, now that it has ended; raise what reading has raised."""
        self._deadline = time.monotonic() + _DRAIN_SECONDS
        self._ended.set()
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._listen()
        except BaseException as error:  # noqa: BLE001 - raised again by `finish`
            self._error = error
        finally:
            self._log.close()

    def _listen(self) -> None:
        with selectors.DefaultSelector() as selector:
            for descriptor in (self._lines, self._prints):
                os.set_blocking(descriptor, False)
                selector.register(descriptor, selectors.EVENT_READ)
            while selector.get_map() and time.monotonic() < self._deadline:
                over = self._ended.is_set()
                ready = selector.select(0 if over else _TICK_SECONDS)
                if over and not ready:
                    return
                for key, _ in ready:
                    piece = os.read(key.fd, _PIECE)
                    if not piece:
                        selector.unregister(key.fd)
                    elif key.fd == self._prints:
                        self._log.write(piece)
                    else:
                        self._take(piece)

    def _take(self, piece: bytes) -> None:
        *lines, self._buffer = (self._buffer + piece).split(b"\n")
        for line in lines:
            if not self._take_line(line):
                self._log.write(line + b"\n")
        if len(self._buffer) > _LONGEST_LINE:  # nobody's protocol
            self._log.write(self._buffer)
            self._buffer = b""
