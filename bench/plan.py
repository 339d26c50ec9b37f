"""From a suite to the ordered list of its trials, with every default written out, and those that are still to run."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import losses
from bench import data
from bench.config.protocol import PROTOCOL_VERSION
from bench.config.suite import Suite
from bench.config.trial import DiscriminatorNorm, Network, Optimizer, Spec, Trial, controlled_optimizer
from bench.config.workload import Budget, Workload
from bench.extractors.inception_weights import InceptionPlan
from bench.extractors.judge_weights import misses
from bench.extractors.on_demand import train_if_lacking
from bench.extractors.weight_files import Weights
from bench.extractors.workload_extractor import measured_in, planned_component
from bench.methods import part_components
from bench.store.journal import Store, latest_attempts
from bench.store.record import Record
from bench.training.version import components
from losses import Method


def expand(
    suite: Suite, data_dir: Path | None = None, on_progress: data.OnProgress | None = None, *, fetch: bool = True
) -> list[Trial]:
    """Return the suite's trials, seed by seed, so that after each seed all methods have the same number of runs.

    Args:
        suite: what is asked for.
        data_dir: where data lies whose content no workload pins, as in `data.resolve`. Other data is not read.
        on_progress: called while such data is read, and while a classifier is trained.
        fetch: whether such data may be downloaded, and a missing classifier trained. Otherwise the trials that need it
            are placeholders: they have another id, and cannot be run.

    Raises:
        DataError: data that a workload does not pin is not there or cannot be read.
        ValueError: a workload or method is unknown, or named twice, in any spelling or folder; a method has no recipe,
            on the paper track; it is not well defined under BatchNorm, unless the suite allows it; it cannot run on the
            data of the workload or with the batch size; features are asked for whose weights are not installed.
    """
    workloads = [data.workload(name) for name in suite.workloads]
    # An alias is trained, recorded and ranked under the name of what it stands for.
    methods = [losses.get(str(losses.game(expression).resolved)) for expression in suite.methods]
    _refuse_repetition("workload", suite.workloads, [workload.name for workload in workloads])
    _refuse_repetition("method", suite.methods, [str(method) for method in methods])
    workloads = [
        measured_in(data.resolve(workload.name, data_dir, on_progress, fetch=fetch), suite.features)
        for workload in workloads
    ]
    _refuse_repeated_data(suite.workloads, workloads)
    if fetch:
        for workload in workloads:
            train_if_lacking(workload, data_dir, on_progress)
    return [
        _trial(suite, workload, method, seed)
        for seed in range(suite.seeds)
        for workload in workloads
        for method in methods
    ]


def budget_of(suite: Suite, workload: Workload) -> Budget:
    """Return how many steps a suite trains on a workload, and how often it evaluates."""
    quick = workload.quick if suite.budget == "quick" else None
    own = quick or Budget(steps=workload.steps, evaluate_every=workload.evaluate_every)
    steps = suite.steps or own.steps
    # The last step is evaluated in any case: a longer interval is the same trial.
    return Budget(steps=steps, evaluate_every=min(suite.evaluate_every or own.evaluate_every, steps))


def use_losses_of(files: Iterable[Path]) -> None:
    """Register the losses of Python files, in this process and in those that train.

    Raises:
        ValueError: a file is not there or cannot be imported.
    """
    for path in files:
        losses.registry.import_file(path)
        losses.plugins.name_file(path)


def shard_of(trials: Sequence[Trial], part: int, count: int) -> list[Trial]:
    """Return one of so many parts of a plan: every `count`-th trial, beginning with the `part`-th, counted from 1.

    Every trial is in exactly one part, and the parts are equally long but for one trial.

    Raises:
        ValueError: there are fewer trials than parts, so that this one is empty.
    """
    chosen = list(trials[part - 1 :: count])
    if not chosen:
        raise ValueError(f"part {part} of {count} is empty: there are {len(trials)} trials; ask for fewer parts")
    return chosen


def pending(
    trials: Iterable[Trial], store: Store, inception: InceptionPlan | None = None, also_in: Sequence[Weights] = ()
) -> list[tuple[Trial, int]]:
    """Return the trials without a conclusive record, in their order, each with the number of its next attempt.

    A trial that timed out or broke, and has no result, is tried again. One whose loss failed is not, since that is its
    result. If FID is required, or the numbers of other judges, a trial whose record has none, or has them with other
    weights, is tried again too.
    """

    def lacks(record: Record) -> bool:
        workload = data.workload(record.spec.workload)
        if inception is not None and inception.misses(workload, record):
            return True
        return any(misses(weights, workload, record) for weights in also_in)

    records = store.records(histories=False)
    latest = {record.trial_id: record for record in latest_attempts(records)}
    # A lost attempt after a result has a number, too.
    numbers = {record.trial_id: record.attempt + 1 for record in records}
    todo = []
    for trial in trials:
        record = latest.get(trial.id)
        if record is None or record.is_lost or lacks(record):
            todo.append((trial, numbers.get(trial.id, 0)))
    return todo


def _trial(suite: Suite, workload: Workload, method: Method, seed: int) -> Trial:
    d_norm = _d_norm(suite, workload, method)
    budget = budget_of(suite, workload)
    recipe = _recipe(suite, method)
    ill_defined = d_norm == "bn" and method.batch_norm == "invalid"
    if ill_defined and not suite.allow_invalid:
        raise ValueError(_why_invalid(method))
    batch_size = (recipe.batch_size if recipe else None) or suite.batch_size
    _refuse_unfit(method, workload, batch_size)
    spec = Spec(
        protocol_version=PROTOCOL_VERSION,
        track=suite.track,
        method=str(method),
        method_name=method.name,
        workload=workload.name,
        data_hash=workload.content_hash,
        network=Network(
            name=workload.network,
            width=workload.width,
            channels=workload.channels,
            image_size=workload.image_size,
            latent_size=workload.latent_size,
            d_norm=d_norm,
        ),
        optimizer=_optimizer(recipe, workload),
        critic_steps=recipe.critic_steps if recipe else 1,
        batch_size=batch_size,
        steps=budget.steps,
        evaluate_every=budget.evaluate_every,
        samples=suite.samples or workload.samples,
        precision=suite.precision,
        seed=seed,
        allow_invalid=ill_defined,
    )
    return Trial(spec=spec, components=_components(workload) | part_components(method))


def _recipe(suite: Suite, method: Method) -> losses.Recipe | None:
    """Return the method's own recipe on the paper track, and none on the controlled one."""
    if suite.track == "controlled":
        return None
    if method.recipe is None:
        raise ValueError(f"{str(method)!r} has no published recipe; run it on the controlled track: track=controlled")
    return method.recipe


def _optimizer(recipe: losses.Recipe | None, workload: Workload) -> Optimizer:
    if recipe is None:
        return controlled_optimizer(workload.learning_rate)
    return Optimizer(
        name=recipe.optimizer,
        lr_generator=recipe.lr_generator,
        lr_discriminator=recipe.lr_discriminator,
        betas=recipe.betas,
    )


def _d_norm(suite: Suite, workload: Workload, method: Method) -> DiscriminatorNorm:
    if workload.network == "mlp-v1":
        return "none"
    recipe = _recipe(suite, method)
    return recipe.d_norm if recipe else suite.d_norm


def _why_invalid(method: Method) -> str:
    culprits = [part for part in method.parts if part.batch_norm == "invalid"]
    verdict = losses.describe(culprits[0].name, culprits[0].kind).batch_norm
    return (
        f"{method.name!r} is not well defined on a discriminator with BatchNorm: {culprits[0].name} is {verdict} "
        "Choose d_norm ln, none or sn, or set allow_invalid to run it as a labelled variant that is not ranked."
    )


def _refuse_unfit(method: Method, workload: Workload, batch_size: int) -> None:
    """Raise ValueError for what would end every trial of the method in an error."""
    if batch_size % method.pack:
        raise ValueError(
            f"{method.name!r} joins {method.pack} samples to one input, which does not divide the batch of "
            f"{batch_size}: choose another batch_size"
        )
    for part in method.parts:
        if workload.is_toy and "image_shape" in part.needs:
            raise ValueError(
                f"{part.name} works on images, and {workload.name} is made of points: leave one of them out"
            )


def _components(workload: Workload) -> dict[str, str]:
    if workload.extractor is None:
        return components(workload, losses.VERSION)
    return components(workload, losses.VERSION, planned_component(workload))


def _refuse_repeated_data(spellings: Sequence[str], workloads: Sequence[Workload]) -> None:
    """Raise ValueError for folders with the same images, as a link to one is: their trials would have the same ids."""
    contents = [f"{workload.kind} of {workload.content_hash[:16]}" for workload in workloads]
    _refuse_repetition("workload", spellings, contents)


def _refuse_repetition(what: str, spellings: Sequence[str], meanings: Sequence[str]) -> None:
    first: dict[str, str] = {}
    for spelling, meaning in zip(spellings, meanings, strict=True):
        if meaning in first:
            both = " and ".join(dict.fromkeys(map(repr, (first[meaning], spelling))))
            raise ValueError(f"{what} {both}: the same one twice ({meaning}); name it once")
        first[meaning] = spelling
