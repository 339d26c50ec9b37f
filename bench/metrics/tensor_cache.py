"""A cache of tensors on disk. One process measures while others wait, and what is read is checked."""

import logging
from collections.abc import Callable, Collection
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from bench.data.cache import wait_for
from bench.extractors.digest import digest
from bench.files.writing import replace_whole

Tensors = dict[str, Tensor]

_log = logging.getLogger(__name__)


def device_key(device: torch.device) -> str:
    """Return what a device is called in the names of files: two models of GPU give other last bits."""
    return f"cuda {torch.cuda.get_device_name(device)}" if device.type == "cuda" else device.type


def once(path: Path, names: Collection[str], build: Callable[[], Tensors]) -> Tensors:
    """Return the tensors in a file, or build them and write them there.

    Args:
        path: of the file. Its name must contain everything that the tensors depend on.
        names: of all tensors.
        build: computes them; called by one process at a time. It returns contiguous tensors on the CPU.

    A damaged file is built again, with a warning. A cache that cannot be written costs time, but ends no run.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = wait_for(path.with_name(f".{path.stem}.lock"), f"measuring the data for {path.name}")
    except OSError as error:
        stored = _read(path, names)
        if stored is None:
            _log.warning("measurements of the data cannot be kept in %s (%s)", path.parent, error)
            stored = build()
        return stored
    with lock:
        stored = _read(path, names)
        if stored is None:
            stored = build()
            _write(path, stored)
        return stored


def _read(path: Path, names: Collection[str]) -> Tensors | None:
    """Return the tensors in the file; None if there is no file or it is damaged."""
    if not path.is_file():
        return None
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except (OSError, safetensors.SafetensorError) as error:
        _log.warning("%s cannot be read (%s); it is built again", path, error)
        return None
    if set(tensors) != set(names) or digest(tensors) != metadata.get("sha256"):
        _log.warning("%s is damaged; it is built again", path)
        return None
    return tensors


def _write(path: Path, tensors: Tensors) -> None:
    try:
        replace_whole(path, safetensors.torch.save(tensors, {"sha256": digest(tensors)}))
    except OSError as error:
        _log.warning("measurements of the data cannot be kept in %s (%s)", path.parent, error)
