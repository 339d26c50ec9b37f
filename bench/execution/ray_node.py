"""What runs on a node of a cluster, as a Ray task: a process of tasks under the local executor, told from there.

The process that trains is a child of its own, as on one machine, so that timeouts, logs and lost processes are as
there. It is forked from a warm process that lives as long as Ray's own process, through many tasks.
"""

import functools
import os
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import msgspec

from bench.common.threads import thread_variables
from bench.events import Progress
from bench.execution import ray_versions
from bench.execution.children import search_path
from bench.execution.forking import Template, template_of
from bench.execution.interface import Finished, Place, Started, Task
from bench.execution.local import LocalExecutor
from bench.execution.ray_messages import Begun, Ended, FromNode, Kept, Lacks, Need, Parcel, Refused, Told, encoded
from bench.execution.ray_stock import Stock, unpack_losses
from bench.execution.template import WARM_MODULES
from bench.files.writing import replace_whole
from bench.store.checkpoints import checkpoint_path
from bench.store.scratch import temporary_scratch

PROGRESS_SECONDS: Final = 1.0
"""A trial's progress crosses the network no more often."""

_program = functools.cache(ray_versions.program)


def attempt(content: bytes, freight: Mapping[str, Sequence[Any]]) -> Iterator[bytes]:
    """Run the tasks of a parcel; yield what happens, encoded, as it happens.

    Args:
        content: an encoded `Parcel`.
        freight: what it needs, by key: each the only item of a list, since Ray fetches what stands by itself before
            the task begins, and this is to be fetched only where it is lacking.
    """
    for said in _attempt(msgspec.msgpack.decode(content, type=Parcel), freight):
        yield encoded(said)


def _attempt(parcel: Parcel, freight: Mapping[str, Sequence[Any]]) -> Iterator[FromNode]:
    differs = ray_versions.difference(parcel.program, _program())
    if differs:
        yield Refused(why=f"{platform.node()} has {differs}")
        return
    stock = Stock(parcel.tasks[0].options)
    lacking = [need for need in parcel.needs if not stock.has(need)]
    absent = [need.key for need in lacking if need.key not in freight]
    if absent:
        yield Lacks(keys=absent)
        return
    _receive(stock, lacking, freight)
    with temporary_scratch("gan-loss-bench-node-") as scratch:
        yield from _run(parcel, stock, scratch)


def _receive(stock: Stock, lacking: Sequence[Need], freight: Mapping[str, Sequence[Any]]) -> None:
    if not lacking:
        return
    import ray

    for need in lacking:
        stock.add(need, ray.get(freight[need.key][0]))


def _run(parcel: Parcel, stock: Stock, scratch: Path) -> Iterator[FromNode]:
    checkpoints = scratch / "checkpoints"
    for trial_id, content in parcel.checkpoints.items():
        replace_whole(checkpoint_path(checkpoints, trial_id), content)
    environment = {**stock.environment(parcel.needs), **unpack_losses(parcel.losses, scratch / "losses")}
    options = stock.options(parcel.tasks[0].options, parcel.needs, checkpoints)
    tasks = [
        msgspec.structs.replace(
            task,
            scratch=str(scratch / f"{task.trial.id}.{task.attempt}"),
            log=str(scratch / f"{task.trial.id}.{task.attempt}.log"),
            options=options,
        )
        for task in parcel.tasks
    ]
    written = _Checkpoints(checkpoints, tasks)
    told: dict[str, float] = {}
    place = Place(name=platform.node(), environment=environment)
    with closing(LocalExecutor(1, [place], warm=_template(options.threads) or ())) as executor:
        executor.submit(*tasks)
        for message in executor.messages():
            yield from written.since_last_time()
            if isinstance(message, Started):
                yield Begun(trial_id=message.task.trial.id, place=message.place)
            elif isinstance(message, Finished):
                yield _ended(message)
            elif _is_due(message, told):
                yield Told(progress=message)


@functools.cache
def _template(threads: int) -> Template | None:
    """Return what workers of this Ray process are forked from, for all its tasks to come; it ends with the process."""
    return template_of(WARM_MODULES, {**os.environ, **search_path(), **thread_variables(threads)})


def _is_due(progress: Progress, told: dict[str, float]) -> bool:
    """Whether progress is passed on: notes always, the rest now and then."""
    now = time.monotonic()
    if not progress.note and now - told.get(progress.trial_id, -PROGRESS_SECONDS) < PROGRESS_SECONDS:
        return False
    told[progress.trial_id] = now
    return True


def _ended(end: Finished) -> Ended:
    folder, log = end.task.artifacts, Path(end.task.log)
    artifacts = {path.name: path.read_bytes() for path in sorted(folder.iterdir())} if folder.is_dir() else {}
    return Ended(
        trial_id=end.task.trial.id,
        outcome=end.outcome,
        lost=end.lost,
        artifacts=artifacts,
        log=log.read_bytes() if log.exists() else b"",
    )


class _Checkpoints:
    """Notices new checkpoints of tasks."""

    def __init__(self, folder: Path, tasks: Sequence[Task]) -> None:
        self._paths = {task.trial.id: checkpoint_path(folder, task.trial.id) for task in tasks}
        self._seen = {trial_id: _state(path) for trial_id, path in self._paths.items()}

    def since_last_time(self) -> Iterator[Kept]:
        for trial_id, path in self._paths.items():
            state = _state(path)
            if state is not None and state != self._seen[trial_id]:
                self._seen[trial_id] = state
                yield Kept(trial_id=trial_id, content=path.read_bytes())


def _state(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_ino
