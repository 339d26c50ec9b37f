"""Tensors kept on disk: measured once, by one process while others wait, and checked whenever they are read."""

import hashlib
import logging
import os
import tempfile
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final

import safetensors
import safetensors.torch
from filelock import FileLock, Timeout
from torch import Tensor

Tensors = dict[str, Tensor]

_PATIENCE_SECONDS: Final = 3.0
"""So long another process may be busy before it is said what is being waited for."""

_log = logging.getLogger(__name__)


def once(path: Path, names: Collection[str], build: Callable[[], Tensors]) -> Tensors:
    """Return the tensors of these names that the file keeps, or build them and keep them there.

    Args:
        path: of the file. Whatever the tensors depend on has to be in its name.
        names: of the tensors, all of them.
        build: measures them; called by one process at a time. It returns contiguous tensors on the CPU.

    What is not what was written is built again, with a warning. A cache that cannot be written costs time, never a run.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = _acquire(path)
    except OSError as error:
        _log.warning("what is measured of the data cannot be kept in %s (%s)", path.parent, error)
        return build()
    with lock:
        stored = _read(path, names)
        if stored is None:
            stored = build()
            _write(path, stored)
        return stored


def _acquire(path: Path) -> FileLock:
    lock = FileLock(path.with_name(f".{path.stem}.lock"))
    try:
        lock.acquire(timeout=_PATIENCE_SECONDS)
    except Timeout:
        _log.warning("another process is measuring the data for %s; waiting for it", path.name)
        lock.acquire()
    return lock


def _digest(tensors: Tensors) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {[*tensor.shape]}\n".encode())
        digest.update(tensor.numpy().data)
    return digest.hexdigest()


def _read(path: Path, names: Collection[str]) -> Tensors | None:
    """Return what the file keeps; None where there is none, or where it is not what was written."""
    if not path.is_file():
        return None
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except (OSError, safetensors.SafetensorError) as error:
        _log.warning("%s cannot be read (%s); it is built again", path, error)
        return None
    if set(tensors) != set(names) or _digest(tensors) != metadata.get("sha256"):
        _log.warning("%s is damaged; it is built again", path)
        return None
    return tensors


def _write(path: Path, tensors: Tensors) -> None:
    """Write the file whole or not at all."""
    try:
        handle, partial = tempfile.mkstemp(prefix=f".{path.stem}.", dir=path.parent)
        os.close(handle)
        try:
            safetensors.torch.save_file(tensors, partial, {"sha256": _digest(tensors)})
            Path(partial).replace(path)
        finally:
            Path(partial).unlink(missing_ok=True)
    except OSError as error:
        _log.warning("what is measured of the data cannot be kept in %s (%s)", path.parent, error)
