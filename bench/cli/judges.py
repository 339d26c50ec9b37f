"""`--also-in`: which judges beside Inception look at the images of each trial, and with which weights."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click
from click.shell_completion import CompletionItem

from bench.cli.options import usage_errors
from bench.cli.values import from_home
from bench.cli.voice import say
from bench.common.names import did_you_mean
from bench.config.judges import BESIDE_INCEPTION, OFFICIAL_WEIGHTS
from bench.config.protocol import INCEPTION

if TYPE_CHECKING:
    from bench.config.trial import Trial
    from bench.data import OnProgress
    from bench.extractors.inception_weights import InceptionPlan
    from bench.extractors.weight_files import Weights
    from bench.store.journal import Store
    from bench.training.run_options import RunOptions

Command = TypeVar("Command", bound=Callable[..., object])


@dataclass(frozen=True)
class JudgeChoice:
    """A judge, and the file of its weights where the user names one."""

    name: str
    file: Path | None


def also_in_option(command: Command) -> Command:
    """Add `--also-in`, which may be given once for each judge."""
    option = click.option(
        "--also-in",
        multiple=True,
        callback=_choices,
        shell_complete=_complete,
        metavar="NAME[=FILE]",
        help="FD, KD, precision and recall in clip-vit-b-32 or vgg16 at the end of each trial. FILE holds the weights "
        "that torch-fidelity uses; without it they are downloaded (354 and 553 MB). Can be repeated.",
    )
    return option(command)


def _choices(_context: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> tuple[JudgeChoice, ...]:
    """Read each `NAME[=FILE]`."""
    choices: dict[str, JudgeChoice] = {}
    for text in given:
        name, equals, file = text.partition("=")
        if name == INCEPTION:
            raise click.UsageError(f"--also-in {name}: --inception require measures FID, KID and IS in Inception")
        if name not in BESIDE_INCEPTION:
            known = f"{did_you_mean(name, BESIDE_INCEPTION)}; there are {', '.join(BESIDE_INCEPTION)}"
            raise click.UsageError(f"--also-in: unknown network {name!r}{known}")
        if equals and not file:
            raise click.UsageError(f"--also-in {text}: the name of the file is missing")
        if name in choices:
            raise click.UsageError(f"--also-in {name} is given twice: records have its numbers with one file")
        with usage_errors():
            choices[name] = JudgeChoice(name, Path(from_home(file)) if equals else None)
    return tuple(choices.values())


def _complete(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in BESIDE_INCEPTION if name.startswith(incomplete)]


def workloads_of(trials: "Iterable[Trial]") -> list[str]:
    """Return the names of the workloads of trials, each once."""
    return list(dict.fromkeys(trial.spec.workload for trial in trials))


def chosen_weights(
    choices: Sequence[JudgeChoice], workloads: Sequence[str], report: "OnProgress | None", *, fetch: bool = True
) -> "tuple[Weights, ...]":
    """Return the weights of the judges that a user has chosen; download those that are not there and not named.

    Args:
        choices: as given.
        workloads: those of the whole plan.
        report: is told how a download gets on.
        fetch: whether there may be a download. Without, weights that are not there are those that it would give.

    Raises:
        click.UsageError: weights cannot be used, or there is nothing to measure.
    """
    from bench import data
    from bench.extractors import weight_files
    from bench.extractors.judge_weights import SOURCES

    if choices and not any(data.workload(name).has_single_images for name in workloads):
        raise click.UsageError(
            f"--also-in {choices[0].name}: {', '.join(workloads)} has no training set of images to measure against; "
            "leave it out"
        )
    weights = []
    for choice in choices:
        source = SOURCES[choice.name]
        with usage_errors():
            if choice.file is not None:
                weights.append(weight_files.identify(choice.file, source))
            elif fetch or weight_files.cached_path(source).is_file():
                weights.append(weight_files.fetch(source, report))
            else:
                weights.append(weight_files.Weights(path="", sha256=OFFICIAL_WEIGHTS[choice.name], network=choice.name))
    return tuple(weights)


def lost_numbers(
    todo: "Iterable[Trial]", store: "Store", inception: "InceptionPlan | None", others: "Sequence[Weights]"
) -> list[str]:
    """Say which judges have looked at trials that run again, and do not look at them now: the last attempt counts."""
    from bench import data
    from bench.report.formatting import plural
    from bench.training.run_options import RunOptions

    options = RunOptions(inception=inception, also_in=tuple(others))
    lost: Counter[str] = Counter()
    records = store.latest(histories=False) if options.all_weights else {}
    for trial in todo:
        record = records.get(trial.id)
        if record is not None:
            looking = {weights.network for weights in options.judges(data.workload(trial.spec.workload))}
            lost.update(set(record.judges) - looking)
    return [
        f"{plural(count, 'trial')} with numbers in {name} will run again without them, and the last attempt counts; "
        f"add {'--inception require' if name == INCEPTION else f'--also-in {name}'} to keep both"
        for name, count in sorted(lost.items())
    ]


def measure_real_images(
    options: "RunOptions", workloads: Sequence[str], data_dir: Path | None, report: "OnProgress | None"
) -> None:
    """Measure the real images of these workloads in each judge, and try the weights, before the first trial starts.

    Raises:
        ValueError: the weights cannot be used.
    """
    if not options.all_weights:
        return
    from bench import data
    from bench.metrics.judges import prepare

    tried: set[Weights] = set()
    for name in workloads:
        workload = data.workload(name)
        judges = options.judges(workload)
        if not judges:
            continue
        arrays = data.load(name, data_dir)
        for weights in judges:
            prepare(workload, arrays, weights, options.device, report)
            tried.add(weights)
    for weights in options.all_weights:
        if weights in tried and not weights.official:
            numbers = "FIDs" if weights.network == INCEPTION else f"numbers in {weights.network}"
            say(
                f"{weights.path} is not torch-fidelity's official file: what is measured with it is labeled "
                f"{weights.label}, and cannot be compared with other {numbers}"
            )
