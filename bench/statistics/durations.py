"""How long trials will take on this machine, from the speeds that it has recorded.

    T = sum over trials of (steps * seconds a step + evaluations * samples * seconds a sample + judges + rest) / workers

and no less than the longest trial. A trial's speeds are the medians of recorded trials of the same method on the same
workload, network, batch and precision; where there are none, of the other methods'. What a judge takes is the median
of all trials on the same workload, with as many samples, that it has looked at, whatever their method. With the same
number of threads if there are such records, else with any.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from bench.config.judges import JUDGES
from bench.config.trial import Spec, Trial, evaluation_count
from bench.store.record import Environment, Record
from bench.store.times import moment


@dataclass(frozen=True)
class Speed:
    """What one recorded trial took, in seconds."""

    step: float
    sample: float
    """Of an evaluation."""
    rest: float
    """For starting, reading data and writing; what judges take is none of it."""

    def of(self, spec: Spec) -> float:
        """Return the seconds that a trial takes at this speed."""
        evaluated = evaluation_count(spec, spec.steps) * spec.samples
        return spec.steps * self.step + evaluated * self.sample + self.rest


@dataclass(frozen=True)
class DurationEstimate:
    """How long a plan takes."""

    seconds: float
    """Of the trials whose speed is known."""
    own: int
    """How many of them ran under the same method here before."""
    others: int
    """How many are told by other methods on the same workload."""
    unknown: tuple[str, ...]
    """The workloads that have no recorded speed on this machine."""
    unjudged: tuple[str, ...] = ()
    """The judges that have looked at no such images on this machine."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left out of it."""
        return not self.unknown and not self.unjudged


def estimate_duration(
    trials: Sequence[Trial],
    records: Iterable[Record],
    machine: Environment,
    workers: int,
    judges_of: Callable[[Spec], Sequence[str]] = lambda _: (),
) -> DurationEstimate:
    """Estimate the time that trials take on a machine, `workers` of them at once. Records need no histories.

    `judges_of` returns the names of the judges that are to look at the images of a trial.
    """
    speeds = [(record, speed) for record in records if _same(record.environment, machine) and (speed := _speed(record))]
    same_threads = [(record, speed) for record, speed in speeds if _threads(record) == machine.threads]
    by_method, by_setting = (_Medians(kind, same_threads, speeds) for kind in (_method, _setting))
    looks = _look_times(speeds) | _look_times(same_threads)
    own, others, unknown, unjudged = [], [], dict[str, None](), dict[str, None]()
    for trial in trials:
        looking = 0.0
        for judge in judges_of(trial.spec):
            if (seconds := looks.get(_look(judge, trial.spec))) is None:
                unjudged[judge] = None
            else:
                looking += seconds
        if (speed := by_method.get(trial.spec)) is not None:
            own.append(speed.of(trial.spec) + looking)
        elif (speed := by_setting.get(trial.spec)) is not None:
            others.append(speed.of(trial.spec) + looking)
        else:
            unknown[trial.spec.workload] = None
    known = [*own, *others]
    seconds = max(sum(known) / workers, max(known, default=0.0))
    return DurationEstimate(
        seconds=seconds, own=len(own), others=len(others), unknown=tuple(unknown), unjudged=tuple(unjudged)
    )


def _look(judge: str, spec: Spec) -> Hashable:
    return judge, spec.workload, spec.samples


def _look_times(speeds: Iterable[tuple[Record, Speed]]) -> dict[Hashable, float]:
    """Return the median of the seconds that each judge took for the images of a trial."""
    taken: dict[Hashable, list[float]] = defaultdict(list)
    for record, _ in speeds:
        for judge, seconds in _judging(record).items():
            taken[_look(judge, record.spec)].append(seconds)
    return {key: median(seconds) for key, seconds in taken.items()}


def _judging(record: Record) -> dict[str, float]:
    """Return the seconds of the judges that have looked at a trial's images."""
    seconds = {name: record.cost.get(f"{judge.key}_seconds") for name, judge in JUDGES.items()}
    return {name: known for name, known in seconds.items() if known is not None}


class _Medians:
    """The medians of the speeds of each kind of trial, with the machine's present threads where there are any."""

    def __init__(self, kind: Callable[[Spec], Hashable], *sources: Iterable[tuple[Record, Speed]]) -> None:
        self._kind = kind
        self._speeds: list[dict[Hashable, list[Speed]]] = []
        for source in sources:
            groups: dict[Hashable, list[Speed]] = defaultdict(list)
            for record, speed in source:
                groups[kind(record.spec)].append(speed)
            self._speeds.append(groups)

    def get(self, spec: Spec) -> Speed | None:
        speeds = next((groups[key] for groups in self._speeds if (key := self._kind(spec)) in groups), None)
        if speeds is None:
            return None
        return Speed(*(median(getattr(speed, name) for speed in speeds) for name in ("step", "sample", "rest")))


def _setting(spec: Spec) -> Hashable:
    return spec.workload, spec.network, spec.batch_size, spec.precision


def _method(spec: Spec) -> Hashable:
    return *_setting(spec), spec.method, spec.critic_steps  # type: ignore[misc]


def _same(environment: Environment | None, machine: Environment) -> bool:
    """Whether two places are one kind of machine; releases and threads may differ, as an estimate may err a little."""
    return environment is not None and (environment.device_name, environment.cpu) == (machine.device_name, machine.cpu)


def _threads(record: Record) -> int:
    assert record.environment is not None
    return record.environment.threads


def _speed(record: Record) -> Speed | None:
    """Return what a trial took, or None where that was not recorded; that of one in a pack is the others' too."""
    steps, train = record.stability.get("completed_steps"), record.cost.get("train_seconds")
    if not steps or not train or record.cost.get("pack"):
        return None
    evaluating = record.cost.get("evaluation_seconds") or 0.0
    samples = evaluation_count(record.spec, int(steps)) * record.spec.samples
    wall = _wall_seconds(record) + (record.cost.get("earlier_seconds") or 0.0)
    return Speed(
        step=train / steps,
        sample=evaluating / samples if samples else 0.0,
        rest=max(0.0, wall - train - evaluating - sum(_judging(record).values())),
    )


def _wall_seconds(record: Record) -> float:
    """Return the seconds from start to end; 0 where the times are of another shape."""
    started, finished = moment(record.started_at), moment(record.finished_at)
    return 0.0 if started is None or finished is None else (finished - started).total_seconds()
