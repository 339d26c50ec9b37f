"""The one orchestrator, and the Python API of a run: trials in, events out, records in the store.

    from pathlib import Path

    from bench import campaign, plan
    from bench.config.suite import load_suite
    from bench.execution.local import LocalExecutor
    from bench.store.journal import Store
    from bench.training.run_options import RunOptions

    trials = plan.expand(load_suite("smoke", {"seeds": 2}))
    workers, threads = campaign.divide(len(trials), None, "cpu")
    store = Store(Path("results/local"))
    for event in campaign.run(trials, LocalExecutor(workers), store, RunOptions(threads=threads)):
        print(event)

Nothing else writes to the store. Running the same trials again does only what has no conclusive record.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from bench.common.clock import SYSTEM, Clock
from bench.config.trial import Trial
from bench.events import (
    CampaignFinished,
    CampaignStarted,
    CampaignStopping,
    Event,
    NotKept,
    Progress,
    RecordDisagrees,
    TrialFinished,
    TrialRetried,
    TrialStarted,
)
from bench.execution.interface import TRAINER, Executor, Finished, Message, Started, Task
from bench.files.places import as_text
from bench.files.writing import reason
from bench.plan import pending
from bench.store.checkpoints import remove_checkpoints
from bench.store.claims import Claims
from bench.store.environment import cpu_limit, usable_cpus
from bench.store.journal import Store
from bench.store.record import INFRASTRUCTURE_STATUSES, Outcome, is_out_of_memory, make_record
from bench.store.rescue import Rescue
from bench.store.sharing import SharedPlan, place_of
from bench.training.run_options import RunOptions

PROGRESS_PER_SECOND: Final = 1000
"""Of all trials together: this process is told no more than it can show. Each takes some microseconds of it."""


def divide(planned: int, workers: int | None, device: str, gpus: int = 1) -> tuple[int, int]:
    """Divide this machine's CPUs among the attempts that run at once. Return the workers, and the threads of each.

    A function of the machine and of the whole plan, never of what is still to be done: a resumed run would otherwise
    have other threads, and with them other rounding, than one that was not interrupted.

    Args:
        planned: processes of the whole plan.
        workers: how many are to run at once; `None` for one on each CPU that a container may keep busy, or one on
            each GPU.
        device: `cpu`, `cuda` or `cuda:N`.
        gpus: how many of them are used.

    Raises:
        ValueError: fewer than one worker.
    """
    if workers is not None and workers < 1:
        raise ValueError(f"workers must be at least 1, not {workers}")
    cpus = usable_cpus()
    if workers is None and device == "cpu":
        cpus = min(cpus, cpu_limit() or cpus)
    wanted = workers or (cpus if device == "cpu" else gpus)
    used = max(1, min(wanted, planned))
    return used, max(1, cpus // used)


def run(
    trials: Sequence[Trial],
    executor: Executor,
    store: Store,
    options: RunOptions = RunOptions(),  # noqa: B008 - it is frozen
    *,
    trainer: str = TRAINER,
    clock: Clock = SYSTEM,
) -> Iterator[Event]:
    """Run what the store has no conclusive record of, record it, and tell what happens.

    A trial whose process is lost gets one more attempt; the lost attempt is recorded too, with status `error` and the
    signal named. One that found no memory beside others is tried again in a process of at most half as many, and so on
    down to one alone; all these attempts are recorded, and so is the last, if there is still no memory. The executor is
    closed when the stream ends, however it ends: closing the generator or interrupting it (Ctrl-C) stops all work at
    once, and only what was in flight is lost. Before an interrupt goes on, `CampaignStopping` tells of it.

    Args:
        trials: the whole plan, in the order in which it is to be worked off.
        executor: serves this campaign alone.
        store: where the records go.
        options: where and how trials run; its threads are those that `divide` gives.
        trainer: what trains, as `module:function` with the signature of `bench.execution.training.train`.
        clock: by which times are told, others' signs of life are judged, and it is waited for them.

    Raises:
        RecordError: the store holds a file that is no usable record.
        StoreError: nothing can be written into the store, which is said before anything is trained; or, at the end, a
            record could not be, and lies elsewhere.
    """
    started = clock()
    store.check_writable()
    checkpoints = store.checkpoints if options.checkpoint_dir is None else Path(options.checkpoint_dir)
    at_once = executor.workers * options.trials_per_process
    options = msgspec.structs.replace(
        options,
        checkpoint_dir=str(checkpoints),
        progress_seconds=max(options.progress_seconds, at_once / PROGRESS_PER_SECOND),
    )
    # The executor is closed first: no process is left that writes to the scratch folder when that is removed.
    with contextlib.ExitStack() as until_the_end:
        claims, scratch = until_the_end.enter_context(place_of(store, clock))
        until_the_end.enter_context(contextlib.closing(executor))
        todo = pending(trials, store, options.inception, options.also_in)
        recorded = len(trials) - len(todo)
        remove_checkpoints(checkpoints, {trial.id for trial in trials} - {trial.id for trial, _ in todo})
        yield CampaignStarted(
            planned=len(trials), recorded=recorded, workers=executor.workers, results=as_text(store.root)
        )

        def task_of(trial: Trial, attempt: int) -> Task:
            return Task(
                trial=trial,
                attempt=attempt,
                scratch=str(scratch / f"{trial.id}.{attempt}"),
                log=str(store.log_path(trial.id, attempt)),
                options=options,
                trainer=trainer,
            )

        plan = SharedPlan(groups(todo, options.trials_per_process), claims, store, clock=clock)
        handler = _MessageHandler(executor, store, claims, task_of, clock)
        try:
            yield from _work_off(plan, executor, handler)
        except KeyboardInterrupt:
            yield CampaignStopping()
            raise
        statuses = handler.statuses
        yield CampaignFinished(
            finished=len(statuses),
            failed=sum(status != "ok" for status in statuses),
            seconds=clock() - started,
        )
        handler.rescue.complain()


def _work_off(plan: SharedPlan, executor: Executor, handler: "_MessageHandler") -> Iterator[Event]:
    """Have the executor do what no other campaign is at, and wait for what another is at."""
    while True:
        yield from handler.fill(plan)
        if handler.is_busy:
            for message in executor.messages():
                yield from handler.handle(message)
                yield from handler.fill(plan)
        if handler.is_busy or not plan.is_waited_for:  # busy: the executor was cancelled
            return
        yield from plan.wait()


def groups(todo: Sequence[tuple[Trial, int]], size: int) -> list[list[tuple[Trial, int]]]:
    """Return trials with their attempts in groups of at most `size`: of one workload and precision, in their order."""
    filling: dict[object, list[tuple[Trial, int]]] = {}
    result: list[list[tuple[Trial, int]]] = []
    for trial, attempt in todo:
        shared = (trial.spec.workload, trial.spec.precision)
        if shared not in filling or len(filling[shared]) == size:
            filling[shared] = []
            result.append(filling[shared])
        filling[shared].append((trial, attempt))
    return result


class _Company:
    """Tasks that were given to one process."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self.size = len(tasks)
        self.open_tasks = {task.trial.id for task in tasks}
        """The trials that have not ended."""
        self.crowded: list[Task] = []
        """The next attempts of those that found no memory beside the others."""


class _MessageHandler:
    """Turns an executor's messages into records and events."""

    def __init__(
        self, executor: Executor, store: Store, claims: Claims, task_of: Callable[[Trial, int], Task], clock: Clock
    ) -> None:
        self.statuses: list[str] = []
        """Of the trials that have finished, in their order."""
        self._executor = executor
        self._store = store
        self._claims = claims
        self._task_of = task_of
        self._clock = clock
        self.rescue = Rescue(store)
        self._begun: dict[str, float] = {}
        self._retried: set[str] = set()
        self._companies: dict[str, _Company] = {}
        """Of the trials that have not ended."""
        self._processes = 0
        """How many companies that are; it is asked at every message."""

    @property
    def is_busy(self) -> bool:
        """Whether the executor has something to do."""
        return self._processes > 0

    def fill(self, plan: SharedPlan) -> Iterator[Event]:
        """Give every free worker the next trials, which are claimed no sooner than that: the others are for others."""
        while self._processes < self._executor.workers + self._executor.backlog:
            group = plan.next_group()
            if not group:
                break
            self._submit([self._task_of(trial, attempt) for trial, attempt in group])
        yield from plan.events()

    def _submit(self, tasks: Sequence[Task]) -> None:
        """Have tasks run in one process."""
        self._companies.update(dict.fromkeys((task.trial.id for task in tasks), _Company(tasks)))
        self._processes += 1
        self._executor.submit(*tasks)

    def handle(self, message: Message) -> Iterator[Event]:
        if isinstance(message, Progress):
            yield message
        elif isinstance(message, Started):
            self._begun[message.task.trial.id] = self._clock()
            yield TrialStarted(trial=message.task.trial, attempt=message.task.attempt)
        else:
            yield from self._finish(message)

    def _finish(self, message: Finished) -> Iterator[Event]:
        task, outcome = message.task, message.outcome
        trial = task.trial
        again = self._task_of(trial, task.attempt + 1)
        known = self._companies.pop(trial.id, None)
        company = known or _Company([task])  # an executor may tell an end twice
        company.open_tasks.discard(trial.id)
        self._processes -= known is not None and not company.open_tasks
        is_crowded = message.lost and is_out_of_memory(outcome) and company.size > 1
        is_lost = message.lost and not is_crowded and trial.id not in self._retried
        if is_crowded or is_lost:  # before this attempt is recorded: other campaigns see that the trial is on its way
            self._claims.take(trial.id, again.attempt)
        yield from self._keep(task, outcome)
        # Only once all of its company has ended, since until then they have the memory.
        if is_crowded:
            company.crowded.append(again)
            yield self._retry(again, outcome, company.size // 2)
        elif is_lost:
            self._retried.add(trial.id)
            yield self._retry(again, outcome, 1)
            self._submit([again])
        else:
            yield self._ended(task, outcome)
        if not company.open_tasks and company.crowded:
            half = company.size // 2
            for first in range(0, len(company.crowded), half):
                self._submit(company.crowded[first : first + half])
            company.crowded = []

    def _retry(self, again: Task, outcome: Outcome, company: int) -> TrialRetried:
        return TrialRetried(
            trial_id=again.trial.id, attempt=again.attempt, reason=outcome.message, trials_per_process=company
        )

    def _ended(self, task: Task, outcome: Outcome) -> TrialFinished:
        trial = task.trial
        self.statuses.append(outcome.status)
        return TrialFinished(
            trial=trial,
            attempt=task.attempt,
            status=outcome.status,
            message=outcome.message,
            distance=outcome.metrics.get("distance"),
            seconds=(now := self._clock()) - self._begun.pop(trial.id, now),
        )

    def _keep(self, task: Task, outcome: Outcome) -> Iterator[Event]:
        """Keep the artifacts and then the record, so that a record is without them only where they cannot be kept.

        A record that cannot be stored, as on a full disk, goes to a folder among the temporary files.
        """
        record = make_record(task.trial, task.attempt, outcome)
        conclusive = outcome.status not in INFRASTRUCTURE_STATUSES
        first = not self._store.record_path(record.trial_id, record.attempt).exists()
        if conclusive and first and task.artifacts.is_dir():
            try:
                self._store.keep_artifacts(record.trial_id, task.artifacts)
            except OSError as error:
                yield NotKept(trial_id=record.trial_id, what="artifacts", reason=reason(error))
        try:
            appended = self._store.append(record)
        except OSError as error:
            why = reason(error)
            yield NotKept(trial_id=record.trial_id, what="record", reason=why, place=str(self.rescue.take(record, why)))
            return
        self._claims.release(record.trial_id, record.attempt)
        if conclusive:
            remove_checkpoints(Path(task.options.checkpoint_dir or self._store.checkpoints), [record.trial_id])
        if isinstance(appended, list):
            yield RecordDisagrees(trial_id=record.trial_id, fields=tuple(appended))
