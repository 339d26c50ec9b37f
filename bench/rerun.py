"""Train some recorded trials again, and compare what comes out with what was recorded.

Which ones is drawn by the digest of all records: whoever publishes cannot know before everything is written, and
everybody draws the same. Of n drawn trials none is forged with the probability C(N - F, n)/C(N, n) where F of N are: 14
of 200 find a fifth that is forged with 96 %.

On an equal fingerprint (`bench.store.environment`) every number must be equal to the last bit. On another machine
training goes its own way after some steps, and only the untrained generator can be held to what was recorded. Where
versions differ nothing is trained here; `recipe` says how it is done with the code that made the record.
"""

import hashlib
import math
import re
import shlex
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import msgspec

import losses
from bench import data
from bench.config.commands import quoted
from bench.config.protocol import PROTOCOL_VERSION
from bench.config.trial import Trial, canonical_json
from bench.config.workload import folder_name, in_folder
from bench.events import Progress
from bench.execution.interface import TRAINER, Executor, Finished, Task
from bench.execution.local import LocalExecutor
from bench.files.places import resolved
from bench.methods import part_components
from bench.statistics.current import renamed
from bench.store.journal import differing_fields, latest_attempts
from bench.store.record import Environment, History, Record, make_record
from bench.training.run_options import RunOptions
from bench.training.version import components

BEGINNING_TOLERANCE: Final = 0.01
"""By how much the distance of an untrained generator may differ among machines, relatively. Only its rounding does."""

Verdict = Literal["same", "differs", "elsewhere", "not compared"]


@dataclass(frozen=True)
class Compared:
    """What became of one drawn trial."""

    record: Record
    verdict: Verdict
    """`elsewhere`: it ran on another machine, and what can be compared fits."""
    words: str


def drawn(records: Iterable[Record], count: int) -> list[Record]:
    """Return so many trials' last attempts, of those that have a result, in the order in which they are drawn."""
    latest = sorted(latest_attempts(records), key=lambda record: record.trial_id)
    digest = hashlib.sha256(b"".join(hashlib.sha256(canonical_json(record)).digest() for record in latest)).digest()
    results = [record for record in latest if not record.is_lost]
    results.sort(key=lambda record: hashlib.sha256(digest + record.trial_id.encode()).digest())
    return results[:count]


def rerun(
    records: Sequence[Record],
    *,
    first_evaluation: bool = False,
    data_dir: Path | None = None,
    images: Path | None = None,
    made: Mapping[str, Record] | None = None,
    executor: Callable[[], Executor] = lambda: LocalExecutor(1),
    trainer: str = TRAINER,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Iterator[Compared]:
    """Train each trial again as it was trained, one after the other, and compare it with its record.

    Args:
        records: those to train again; see `drawn`.
        first_evaluation: whether to stop at the first evaluation of a trained generator, and compare up to there.
        data_dir: the folder of downloaded data sets; `None` for the default one.
        images: the folder of the images of trials that ran on a folder of images; `None` for the one they name.
        made: what was trained again elsewhere, by trial id: it is taken instead of training here.
        executor: makes what trains one trial.
        trainer: as in `bench.campaign.run`.
        on_progress: is told how a trial gets on.
    """
    for record in records:
        elsewhere = (made or {}).get(record.trial_id)
        if elsewhere is not None:
            yield compared(record, elsewhere)
            continue
        why_not = hindrance(record)
        if why_not:
            yield Compared(record, "not compared", why_not)
            continue
        trial = placed(record, images).trial
        if first_evaluation:
            trial = shortened(trial)
        with tempfile.TemporaryDirectory(prefix="rerun-") as scratch:
            yield compared(record, _train(record, trial, Path(scratch), data_dir, executor(), trainer, on_progress))


def hindrance(record: Record) -> str:
    """Say what keeps this program from training a record's trial as it was trained; nothing where nothing does."""
    if record.environment is None:
        return "does not say where it ran"
    if record.protocol_version != PROTOCOL_VERSION:
        return f"follows protocol {record.protocol_version}, and this program trains {PROTOCOL_VERSION}"
    try:
        workload = data.workload(record.spec.workload)
        method = losses.get(record.spec.method)
    except ValueError as error:
        return f"cannot be trained here: {error}"
    planned = components(workload, losses.VERSION, record.components.get("extractor"))
    planned |= part_components(method)
    for name, version in sorted(planned.items()):
        recorded = record.components.get(name, "")
        if version and recorded != version:
            return f"is of {name} {recorded or 'no version'}, and this program trains {version}"
    return ""


def placed(record: Record, images: Path | None) -> Record:
    """Return a record with the folder of its images called by where they lie here, if it ran on such a folder."""
    name = record.spec.workload
    if images is None or folder_name(name) is None:
        return record
    return renamed(record, data.workload(in_folder(name, str(images))).name)


def shortened(trial: Trial) -> Trial:
    """Return the trial that ends with the first evaluation of a trained generator. Until there it is the same.

    No stream, no rate and no evaluation depends on how many steps there are.
    """
    return msgspec.structs.replace(trial, spec=msgspec.structs.replace(trial.spec, steps=trial.spec.evaluate_every))


def _train(
    record: Record,
    trial: Trial,
    scratch: Path,
    data_dir: Path | None,
    executor: Executor,
    trainer: str,
    on_progress: Callable[[Progress], None],
) -> Record:
    assert record.environment is not None, "it was asked whether the trial can be trained"
    task = Task(
        trial=trial,
        attempt=record.attempt,
        scratch=str(scratch / "scratch"),
        log=str(scratch / "log"),
        options=RunOptions(
            device=record.environment.device,
            threads=record.environment.threads,
            data_dir=None if data_dir is None else str(resolved(data_dir)),
        ),
        trainer=trainer,
    )
    try:
        executor.submit(task)
        for message in executor.messages():
            if isinstance(message, Finished):
                return make_record(trial, record.attempt, message.outcome)
            if isinstance(message, Progress):
                on_progress(message)
    finally:
        executor.close()
    raise AssertionError("an executor tells how every task ended")


def compared(record: Record, again: Record) -> Compared:
    """Compare a record with the same trial trained again, whole or up to its first evaluation."""
    if again.is_lost or not again.history.evaluations:
        why = f"ended in status {again.status} when it was trained again: {again.message}"
        return Compared(record, "not compared", why)
    # What is written is rounded to what JSON has, and a number that is not finite is nothing there.
    again = msgspec.json.decode(msgspec.json.encode(again), type=Record)
    again = renamed(again, record.spec.workload)  # the same images, wherever they lay
    until = again.history.evaluations[-1].step
    where = "" if until == record.spec.steps else f" up to step {until:,}"
    if _fingerprint(record.environment) != _fingerprint(again.environment):
        return _loosely(record, again, where)
    if again.spec == record.spec:
        differing = differing_fields(record, again)
    else:
        differing = [] if _beginning(record.history, again.history) == again.history else ["history"]
    if differing:
        what = ", ".join(differing)
        return Compared(record, "differs", f"gives other numbers{where} when it is trained again: {what}")
    return Compared(record, "same", f"has every number to the last bit{where}")


def _fingerprint(environment: Environment | None) -> str:
    return environment.fingerprint if environment is not None else ""


def _beginning(history: History, of: History) -> History:
    """Return as much of a history as another one has."""
    blocks = len(of.training.get("step", []))
    return History(
        evaluations=history.evaluations[: len(of.evaluations)],
        training={name: values[:blocks] for name, values in history.training.items()},
    )


def _loosely(record: Record, again: Record, where: str) -> Compared:
    """Compare with a run on another kind of machine."""
    primary = "sliced_w2" if "sliced_w2" in again.history.evaluations[0].metrics else "fd"
    recorded = [evaluation.metrics.get(primary) for evaluation in record.history.evaluations]
    trained = [evaluation.metrics.get(primary) for evaluation in again.history.evaluations]
    first, other = recorded[0] if recorded else None, trained[0]
    if first is None or other is None or not math.isclose(first, other, rel_tol=BEGINNING_TOLERANCE):
        return Compared(record, "differs", f"begins at a distance of {other}, and was recorded with {first}")
    index = min(len(recorded), len(trained)) - 1
    last = f"{recorded[index]} was recorded, {trained[index]} is found{where}"
    return Compared(record, "elsewhere", f"begins alike on another kind of machine; then bits differ: {last}")


def recipe(records: Iterable[Record], folder: Path, count: int) -> list[str]:
    """Return the commands that train records again with the commits that made them, and compare `count` of them."""
    by_commit: dict[str, list[Record]] = {}
    for record in records:
        commit = (record.commit or "").removesuffix("-dirty")
        # A record says whatever somebody has written there, and the lines are pasted into a shell.
        by_commit.setdefault(commit if _COMMIT.fullmatch(commit) else "", []).append(record)
    lines = []
    whole = resolved(folder)
    for commit, made in sorted(by_commit.items()):
        if not commit:
            lines.append(f"# {len(made)} of them do not name the commit that made them")
            continue
        if any((record.commit or "").endswith("-dirty") for record in made):
            lines.append(f"# some of {commit[:12]} ran with changes that were not committed: they may differ")
        tree = f"../rerun-{commit[:12]}"
        files = " ".join(quoted(f"{whole}/records/{record.trial_id}.{record.attempt}.json") for record in made)
        lines += [
            f"git worktree add {tree} {commit}",
            f"(cd {tree} && PYTHONPATH=. python -c {shlex.quote(_SCRIPT)} {files})",
            f"python -m bench verify {quoted(str(folder))} --rerun {count} --reruns {tree}/reruns",
        ]
    return lines


_COMMIT: Final = re.compile(r"[0-9a-f]{7,64}")

_SCRIPT: Final = """
import sys
from pathlib import Path
from bench import campaign
from bench.execution.local import LocalExecutor
from bench.store.journal import Store, read_record
try:
    from bench.training.run_options import RunOptions
    chosen = lambda **place: {"options": RunOptions(**place)}
except ImportError:
    chosen = dict
for path in map(Path, sys.argv[1:]):
    record = read_record(path)
    place = chosen(threads=record.environment.threads, device=record.environment.device)
    for event in campaign.run([record.trial], LocalExecutor(1), Store(Path("reruns")), **place):
        print(event)
"""
"""The records' own code trains them, so that their ids are kept. It works with every version of the Python API: where
`run` has no options yet, it is given what is chosen as arguments of `run`."""
