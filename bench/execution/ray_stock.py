"""What a node of a cluster has of what trials need: data, a classifier, weights of judges, the user's losses.

What it has, it uses; what it is sent, it keeps, for all processes and campaigns to come. So each is sent once a node,
and measurements of real images, which lie in the same cache, are made once a node.
"""

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from bench import data
from bench.config.judges import JUDGES
from bench.data import Arrays
from bench.data.cache import hand_over, kept_sets
from bench.execution.ray_messages import LOSSES_VARIABLE, LossFile, Need
from bench.extractors import inception_weights
from bench.extractors.judge_weights import SOURCES
from bench.extractors.weight_files import Source, Weights, cached_path
from bench.files.places import CACHE_VARIABLE, default_cache_dir
from bench.files.regular import UnusableFileError, open_regular
from bench.files.writing import replace_whole
from bench.training.run_options import RunOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

_FOLDERS = {"classifier": "extractors"}
"""Where the cache has what it has of a kind; weights of a judge lie in a folder of its short name."""


class Stock:
    """What this node has, for tasks with these options."""

    def __init__(self, options: RunOptions) -> None:
        """Look where things lie: with a shared file system `--data` names the same folder on all machines."""
        named = options.data_folder
        self._data = named if named is not None and named.is_dir() else data.default_data_dir()
        self._cache = default_cache_dir()

    def has(self, need: Need) -> bool:
        """Whether it is here, with the very content that the trial was planned with."""
        if need.kind == "data":
            return data.is_here(need.name, need.digest, self._data)
        return self._file(need) is not None

    def add(self, need: Need, content: Any) -> None:  # noqa: ANN401 - arrays or bytes, as `ray_freight.content_of` gives
        """Keep what has been sent.

        Raises:
            OSError: it cannot be written.
            ValueError: it is something else.
        """
        if need.kind == "data":
            arrays = Arrays(*content)
            if arrays.content_hash != need.digest:
                raise ValueError(f"what was sent as the data of {need.name} is something else")
            hand_over(kept_sets(self._data), arrays)
            return
        if hashlib.sha256(content).hexdigest() != need.digest:
            raise ValueError(f"what was sent as {need.name} is something else")
        replace_whole(self._own_cache(need) / _folder(need) / need.name, content)

    def environment(self, needs: "Sequence[Need]") -> dict[str, str]:
        """Return the variables of a process that is to find all of it."""
        files = [file for need in needs if need.kind == "classifier" and (file := self._file(need)) is not None]
        return {CACHE_VARIABLE: str(files[0].parents[1] if files else self._cache)}

    def options(self, options: RunOptions, needs: "Sequence[Need]", checkpoints: Path) -> RunOptions:
        """Return the options of a process here, whose checkpoints lie in a folder of this machine."""
        here = {need.kind: file for need in needs if need.kind != "data" and (file := self._file(need)) is not None}

        def placed(weights: Weights) -> Weights:
            file = here.get(JUDGES[weights.network].key)
            return weights if file is None else msgspec.structs.replace(weights, path=str(file))

        plan = options.inception
        return msgspec.structs.replace(
            options,
            data_dir=str(self._data),
            checkpoint_dir=str(checkpoints),
            inception=plan and msgspec.structs.replace(plan, weights=placed(plan.weights)),
            also_in=tuple(map(placed, options.also_in)),
        )

    def _file(self, need: Need) -> Path | None:
        """Return the file that is needed; None where it is not here.

        Another classifier for the same data may lie in the node's own cache, trained there: a trial is identified by
        its weights, so that what is sent lies in a cache of its own.
        """
        files = [cache / _folder(need) / need.name for cache in (self._cache, self._own_cache(need))]
        files += [cached_path(source) for source in _sources() if JUDGES[source.network].key == need.kind]
        return next((file for file in files if _digest(file) == need.digest), None)

    def _own_cache(self, need: Need) -> Path:
        return self._cache / "handed-over" / need.digest[:16]


def _sources() -> list[Source]:
    return [inception_weights.source(), *SOURCES.values()]


def _folder(need: Need) -> str:
    return _FOLDERS.get(need.kind, need.kind)


def _digest(path: Path) -> str:
    try:
        with open_regular(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except UnusableFileError:
        return ""


def unpack_losses(files: "Sequence[LossFile]", folder: Path) -> dict[str, str]:
    """Write the user's files of losses into a folder; return the variables of a process that is to know them.

    Raises:
        ValueError: a file is not what was sent.
    """
    named = []
    for file in files:
        if hashlib.sha256(file.content).hexdigest() != file.sha256:
            raise ValueError(f"{file.name} is not what was sent")
        path = folder / file.name
        replace_whole(path, file.content)
        if file.named:
            named.append(str(path))
    return {LOSSES_VARIABLE: os.pathsep.join(named)}
