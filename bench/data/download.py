"""Downloads from the addresses that torchvision and torch-fidelity list, checked against their hashes."""

import hashlib
import http.client
import os
import shlex
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Final

from bench.data.family import DataError, OnProgress
from bench.files.regular import UnusableFileError, open_regular
from bench.files.writing import partial_file

OFFLINE_VARIABLE: Final = "GAN_LOSS_BENCH_OFFLINE"
"""Any value but 0 or the empty string switches downloads off."""

_BLOCK: Final = 1 << 16


def why_not() -> str:
    """Return why nothing may be downloaded; an empty string if it may."""
    switched_off = os.environ.get(OFFLINE_VARIABLE, "0") not in ("", "0")
    return f"downloads are switched off by ${OFFLINE_VARIABLE}" if switched_off else ""


def fetch(addresses: Sequence[str], md5: str, target: Path, on_progress: OnProgress | None) -> None:
    """Download one file from the first address that has it.

    Raises:
        OSError: no address has the file of that MD5, or it cannot be written.
    """
    failures = []
    for address in addresses:
        try:
            _fetch(address, hashlib.md5(usedforsecurity=False), md5, target, on_progress)
        except OSError as error:
            failures.append(f"{address}: {error}")
        else:
            return
    raise OSError("; ".join(failures))


def fetch_sha256(address: str, prefix: str, target: Path, on_progress: OnProgress | None) -> None:
    """Download one file whose SHA-256 begins with `prefix`.

    Raises:
        OSError: the address does not have it, or it cannot be written.
    """
    _fetch(address, hashlib.sha256(), prefix, target, on_progress)


def _fetch(address: str, digest: "hashlib._Hash", expected: str, target: Path, on_progress: OnProgress | None) -> None:
    """Download a file under a temporary name and rename it once it is whole, so that no reader sees half of it.

    `digest` is an empty hash. That of the file must begin with `expected`.
    """
    with partial_file(target) as partial:
        with partial.open("wb") as file:
            try:
                _receive(address, file, digest, target.name, on_progress)
            except http.client.HTTPException as error:  # an answer that is cut short, or none: no OSError by itself
                raise OSError(f"{address} broke off: {error!r}") from error
        actual = digest.hexdigest()
        if not actual.startswith(expected):
            what = digest.name.upper().replace("SHA", "SHA-")
            raise OSError(f"{address} sent something else: {what} {actual}, expected {expected}")
        partial.replace(target)


def _receive(address: str, file: IO[bytes], digest: "hashlib._Hash", name: str, on_progress: OnProgress | None) -> None:
    # The addresses are torchvision's own.
    with urllib.request.urlopen(address, timeout=30) as response:  # noqa: S310
        total = int(response.headers.get("Content-Length") or 0)
        while block := response.read(_BLOCK):
            file.write(block)
            digest.update(block)
            if on_progress is not None:
                on_progress(f"fetching {name}", file.tell(), total)


def md5_of(path: Path) -> str:
    """Return the MD5 sum of a file.

    Raises:
        DataError: it is no regular file, or cannot be read.
    """
    try:
        with open_regular(path) as file:
            return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    except (UnusableFileError, OSError) as error:
        raise DataError(f"{path} {error}. Delete it, or put the file itself there.") from error


def by_hand(name: str, data_dir: Path) -> str:
    """Return the shell command by which torchvision downloads one of its data sets."""
    code = f"import torchvision; torchvision.datasets.{name}({str(data_dir)!r}, download=True)"
    return f"python -c {shlex.quote(code)}"
