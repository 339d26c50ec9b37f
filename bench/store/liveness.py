"""Signs of life: which of the campaigns that have written into a results folder still run, on whatever machine.

    ROOT/claims/<campaign>.alive    who it is; touched every few seconds, locked as long as its process lives

A campaign is dead at once where its file is gone, or where its process was on this machine and has let go of the lock,
which the operating system does however a process ends. Anywhere else it is dead once its file has not been touched for
the length of a lease. That is counted by the watcher's own clock that only runs forward, from when it first saw the
file as it is: no two clocks are ever compared, so that none of them may be wrong, or jump.
"""

import contextlib
import fcntl
import os
import secrets
import socket
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

import msgspec
from msgspec import Struct

from bench.common.clock import SYSTEM, Clock
from bench.files.regular import UnusableFileError, open_regular
from bench.files.writing import partial_file

BEAT_SECONDS: Final = 15.0

LEASE_SECONDS: Final = 150.0
"""Ten beats. Shares of other machines may show a change a minute late."""

FORGOTTEN_SECONDS: Final = 86400.0
"""After so long by the folder's own clock, what another machine's campaign has left is tidied away."""

_LONGEST: Final = 4096
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


class Holder(Struct, frozen=True, kw_only=True):
    """A campaign, as others are told of it."""

    campaign: str
    host: str = ""
    pid: int = 0
    boot: str = ""
    """Of the machine since it was started: the same for all that can see each other's locks."""
    started_at: str = ""

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}" if self.host else f"campaign {self.campaign}"


class SignOfLife:
    """This campaign's own sign, given while the context is open, and its eye on those of the others."""

    def __init__(
        self,
        folder: Path,
        *,
        beat: float = BEAT_SECONDS,
        lease: float = LEASE_SECONDS,
        clock: Clock = SYSTEM,
    ) -> None:
        self.folder = folder
        self.holder = Holder(
            campaign=secrets.token_hex(6),
            host=socket.gethostname(),
            pid=os.getpid(),
            boot=_boot(),
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        self._beat = beat
        self._lease = lease
        self._clock = clock
        self._seen: dict[str, tuple[object, float]] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._give_signs, name="sign-of-life", daemon=True)
        self._file = -1

    def __enter__(self) -> Self:
        """Begin to give signs; OSError where that cannot be."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self._path(self.holder.campaign)
        # It is locked before it has its name: nobody sees it without its lock, and takes it for a dead one's.
        with partial_file(path, ending=".tmp") as partial:
            self._file = os.open(partial, os.O_RDWR | getattr(os, "O_CLOEXEC", 0))
            try:
                os.write(self._file, msgspec.json.encode(self.holder))
                with contextlib.suppress(OSError):  # no locks here: the lease alone decides
                    fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                partial.rename(path)
            except OSError:
                os.close(self._file)
                raise
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        with contextlib.suppress(OSError):
            self._path(self.holder.campaign).unlink(missing_ok=True)
        os.close(self._file)

    def lives(self, campaign: str) -> bool:
        """Say whether a campaign runs, or may: one of another machine is given the length of a lease."""
        if campaign == self.holder.campaign:
            return True
        if is_dead_for_sure(self.folder, campaign):
            return False
        try:
            state = self._path(campaign).stat().st_mtime_ns
        except OSError:
            state = -1
        return not self.is_unchanged(campaign, state)

    def is_unchanged(self, what: str, state: object) -> bool:
        """Say whether something has been in the same state for the length of a lease, whenever it was looked at."""
        before, since = self._seen.get(what, (None, 0.0))
        if before != state:
            self._seen[what] = (state, self._clock())
            return False
        return self._clock() - since >= self._lease

    def forget_the_dead(self) -> None:
        """Remove the signs of campaigns that are dead for sure, or silent for a day."""
        here = os.fstat(self._file).st_mtime
        for path in self.folder.glob("*.alive"):
            if path.stem == self.holder.campaign:
                continue
            with contextlib.suppress(OSError):  # another campaign is tidying too
                if not self.lives(path.stem) or here - path.lstat().st_mtime > FORGOTTEN_SECONDS:
                    path.unlink()

    def _give_signs(self) -> None:
        while not self._clock.wait(self._ended, self._beat):
            with contextlib.suppress(OSError):  # whoever cannot give signs is thought dead, which costs work twice
                os.utime(self._file)

    def _path(self, campaign: str) -> Path:
        return self.folder / f"{campaign}.alive"


def read_holder(folder: Path, campaign: str) -> Holder:
    """Return what a campaign has said of itself in the folder of claims, which may be no more than its name."""
    try:
        with open_regular(folder / f"{campaign}.alive", links=False) as file:
            holder = _decoded(file.read(_LONGEST))
    except UnusableFileError:
        holder = None
    return holder or Holder(campaign=campaign)


def is_dead_for_sure(folder: Path, campaign: str) -> bool:
    """Say, at one look, whether a campaign has ended: its sign is gone, or its process was here and let go of it."""
    try:
        with open_regular(folder / f"{campaign}.alive", links=False) as file:
            holder = _decoded(file.read(_LONGEST))
            return holder is not None and holder.boot == _boot() != "" and _is_unlocked(file.fileno())
    except UnusableFileError:
        return not os.path.lexists(folder / f"{campaign}.alive")


def _decoded(content: bytes) -> Holder | None:
    try:
        return msgspec.json.decode(content, type=Holder)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def _is_unlocked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(file, fcntl.LOCK_UN)
    except OSError:  # it is locked, or there are no locks here to tell by
        return False
    return True


def _boot() -> str:
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except (OSError, UnicodeError):
        return ""
