"""What trials cannot do without on another machine, found and packed on the machine that submits them."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from bench import data
from bench.config.judges import JUDGES
from bench.config.trial import Trial
from bench.execution.interface import Task
from bench.execution.ray_messages import LossFile, Need, Parcel
from bench.extractors.specs import extractor_names, extractor_spec
from bench.files.neighbors import with_neighbors
from bench.files.regular import UnusableFileError, open_regular, read_regular
from bench.files.writing import reason
from bench.store.checkpoints import checkpoint_path
from bench.training.run_options import RunOptions
from losses.plugins import named_files

_LARGEST_WEIGHTS = 2**30


def parcel(
    tasks: Sequence[Task], program: dict[str, str], note: Callable[[str, str], None] = lambda trial_id, words: None
) -> Parcel:
    """Pack tasks of one process for a node.

    Args:
        tasks: what it is to run.
        program: as `ray_versions.program` says it, of this machine.
        note: is told of a trial, by its id, that it has to do without its checkpoint.

    Raises:
        OSError: the user's file of losses, or a file of weights, cannot be read.
        ValueError: likewise.
    """
    return Parcel(
        tasks=list(tasks),
        program=program,
        needs=list(needs_of(tasks).values()),
        losses=loss_files(named_files()),
        checkpoints=dict(_checkpoints(tasks, tasks[0].options, note)),
    )


def needs_of(tasks: Sequence[Task]) -> dict[str, Need]:
    """Return what tasks of one process need, by key.

    Raises:
        OSError: a file of weights cannot be read.
        ValueError: likewise.
    """
    return {need.key: need for task in tasks for need in _needs(task.trial, tasks[0].options)}


def _needs(trial: Trial, options: RunOptions) -> Iterator[Need]:
    spec = trial.spec
    workload = data.workload(spec.workload)
    if not workload.is_toy:
        yield Need(kind="data", name=spec.workload, digest=spec.data_hash)
    for name in extractor_names(trial.components.get("extractor", "")):
        if extractor_spec(name).trained_here:
            weights = _classifier(name, spec.data_hash)
            yield Need(kind="classifier", name=weights.name, digest=_sha256(_weights(weights)))
    for judge in options.judges(workload):
        yield Need(kind=JUDGES[judge.network].key, name=Path(judge.path).name, digest=judge.sha256)


def content_of(need: Need, tasks: Sequence[Task]) -> object:
    """Return what a node lacks, in a form that Ray carries without a copy: arrays, or the bytes of a file.

    Raises:
        OSError: it cannot be read here.
        ValueError: likewise.
    """
    options = tasks[0].options
    if need.kind == "data":
        arrays = data.load(need.name, options.data_folder, expected=need.digest)
        return [arrays.train, arrays.train_labels, arrays.test, arrays.test_labels]
    if need.kind != "classifier":
        (judge,) = [weights for weights in options.all_weights if JUDGES[weights.network].key == need.kind]
        return _weights(Path(judge.path))
    (path,) = {
        path
        for task in tasks
        for name in extractor_names(task.trial.components.get("extractor", ""))
        if extractor_spec(name).trained_here
        and (path := _classifier(name, task.trial.spec.data_hash)).name == need.name
    }
    return _weights(path)


def _classifier(name: str, data_hash: str) -> Path:
    from bench.extractors.classifier_store import weights_path  # torch, which is not needed for other workloads

    return weights_path(name, data_hash)


def _weights(path: Path) -> bytes:
    return read_regular(path, largest=_LARGEST_WEIGHTS)


def _checkpoints(
    tasks: Iterable[Task], options: RunOptions, note: Callable[[str, str], None]
) -> Iterator[tuple[str, bytes]]:
    """Yield the checkpoints that there are, by trial; of one that cannot be read its trial starts anew."""
    if options.checkpoint_dir is None or not options.checkpoint_minutes:
        return
    for task in tasks:
        path = checkpoint_path(Path(options.checkpoint_dir), task.trial.id)
        if not path.exists():
            continue
        try:
            with open_regular(path, links=False) as file:
                yield task.trial.id, file.read()
        except (UnusableFileError, OSError) as error:
            why = f"cannot be read: {reason(error)}" if isinstance(error, OSError) else str(error)
            note(task.trial.id, f"starts anew: its checkpoint {why}")


def loss_files(named: Sequence[Path]) -> list[LossFile]:
    """Return the user's files of losses with the files beside them that they import, each with its content hash.

    Raises:
        OSError: one cannot be read.
        ValueError: one is not what a Python file is.
    """
    folders = list(dict.fromkeys(path.parent for path in named))
    # Files of one folder lie in one there, too: one that is named may import another, which registers only once.
    members = {member: folders.index(path.parent) for path in named for member in with_neighbors(path)}
    files = []
    for member, number in members.items():
        content = read_regular(member)
        name = f"{number}/{member.relative_to(folders[number]).as_posix()}"
        files.append(LossFile(name=name, content=content, sha256=_sha256(content), named=member in named))
    return files


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
