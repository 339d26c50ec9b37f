"""The file of a checkpoint: a line of JSON that says whose it is, and after it what torch has saved.

The line has SHA-256 of the whole file, computed with zeros in its own place. Whatever is cut off, changed or made by
somebody else is noticed before anything of it is used, and nothing in it is ever executed: it is read with
`weights_only`.
"""

import hashlib
from io import BufferedRandom, BufferedReader
from pathlib import Path
from typing import IO, Any, Final, cast

import msgspec
import torch
from msgspec import Struct

from bench.common.errors import is_memory_error
from bench.files.regular import UnusableFileError, open_regular
from bench.files.writing import partial_file

FORMAT: Final = 1

_NO_DIGEST: Final = "0" * 64
_LONGEST_HEAD: Final = 4096
_PIECE: Final = 2**20

State = dict[str, Any]
"""What `torch.load` reads with `weights_only`: tensors, numbers and texts in dicts, lists and tuples."""


class UnusableCheckpointError(ValueError):
    """A checkpoint cannot be gone on from. The message has no path, and goes on where one ends."""


class Origin(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of what and by what a checkpoint is. Training goes on from no other, since its bits would be of two makers."""

    trial_id: str
    engine: str
    """`ENGINE_VERSION` of the program."""
    commit: str | None
    """Of the program, and its source where that is of no commit: `bench.store.environment.program`."""
    fingerprint: str
    """Of the machine, as in a record's environment."""


class _Head(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    checkpoint: int
    origin: Origin
    sha256: str


def write(path: Path, origin: Origin, state: State) -> int:
    """Write a checkpoint in the place of the one before; return its bytes.

    Nothing is copied on the way, so that the peak of memory is the training's.

    Raises:
        OSError: it cannot be written; the one before is as it was.
    """
    head = _Head(checkpoint=FORMAT, origin=origin, sha256=_NO_DIGEST)
    path.parent.mkdir(parents=True, exist_ok=True)
    with partial_file(path, ending=".tmp") as partial:
        with partial.open("r+b") as file:
            digesting = _Digesting(file)
            digesting.write(_line(head))
            torch.save(state, cast("IO[bytes]", digesting))
            digesting.finish()
            size = file.tell()
            file.seek(0)
            file.write(_line(msgspec.structs.replace(head, sha256=digesting.digest.hexdigest())))
        partial.replace(path)
    return size


def read(path: Path, origin: Origin, device: torch.device) -> State | None:
    """Read a checkpoint; None where there is none.

    Args:
        path: of the file.
        origin: what it must be of.
        device: takes the tensors that were on one; those of the host stay there.

    Raises:
        UnusableCheckpointError: it is not whole, or of something else. A lack of memory is raised as it is.
    """
    if not path.exists():
        return None
    try:
        with open_regular(path, links=False) as file:
            _check(file, origin)
            loaded = torch.load(
                file, weights_only=True, map_location=lambda storage, tag: _placed(storage, tag, device)
            )
    except UnusableFileError as error:
        raise UnusableCheckpointError(str(error)) from error
    except UnusableCheckpointError:
        raise
    except Exception as error:
        if is_memory_error(error):
            raise
        # Its digest is right, and still it is no checkpoint: torch has many ways to say so.
        raise UnusableCheckpointError(f"holds something else ({type(error).__name__})") from error
    if not isinstance(loaded, dict):
        raise UnusableCheckpointError(f"holds something else ({type(loaded).__name__})")
    return loaded


def _check(file: BufferedReader, origin: Origin) -> None:
    """Check what the file is of and whether it is whole; leave it where torch's part begins."""
    line = file.readline(_LONGEST_HEAD)
    try:
        head = msgspec.json.decode(line, type=_Head)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise UnusableCheckpointError("is damaged") from error
    if head.checkpoint != FORMAT:
        raise UnusableCheckpointError(f"is of format {head.checkpoint}, and this program reads {FORMAT}")
    for name in Origin.__struct_fields__:
        saved, expected = getattr(head.origin, name), getattr(origin, name)
        if saved != expected:
            raise UnusableCheckpointError(f"is of the {_WORDS[name]} {saved}, and this is {expected}")
    digest = hashlib.sha256(_line(msgspec.structs.replace(head, sha256=_NO_DIGEST)))
    while piece := file.read(_PIECE):
        digest.update(piece)
    if line != _line(msgspec.structs.replace(head, sha256=digest.hexdigest())):
        raise UnusableCheckpointError("is damaged")
    file.seek(len(line))


_WORDS: Final = {"trial_id": "trial", "engine": "engine", "commit": "program", "fingerprint": "machine"}


def _line(head: _Head) -> bytes:
    return msgspec.json.encode(head) + b"\n"


def _placed(storage: Any, tag: str, device: torch.device) -> Any:  # noqa: ANN401 - torch's types differ from what it does
    return storage if tag == "cpu" else storage.to(device=device)


class _Digesting:
    """A file that digests what is written to it. An error waits until torch, which does not expect one, is done."""

    def __init__(self, file: BufferedRandom) -> None:
        self._file = file
        self.digest = hashlib.sha256()
        self._error: OSError | None = None

    def write(self, piece: bytes | memoryview) -> int:
        if self._error is None:
            try:
                self._file.write(piece)
                self.digest.update(piece)
            except OSError as error:
                self._error = error
        return len(piece)

    def flush(self) -> None:
        """Torch calls it in the end; the file is flushed when it is closed."""

    def finish(self) -> None:
        """Raise what went wrong; OSError."""
        if self._error is not None:
            raise self._error
