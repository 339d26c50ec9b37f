"""From a suite to the ordered list of its trials, with every default written out, and what of it is still to be done.

`python -m bench.plan` writes the index of the loss library, `bench/config/methods.json`, and its version beside it;
`list` and `verify` read them without importing torch. Run it after adding a loss.
"""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec

import losses
from bench import data
from bench.atlas.families import family_of, family_of_method
from bench.config.protocol import CONTROLLED_BETAS, CONTROLLED_LEARNING_RATE, PROTOCOL_VERSION
from bench.config.suite import Suite
from bench.config.trial import PART, DiscriminatorNorm, Network, Optimizer, Spec, Trial, content_version
from bench.config.workload import Budget, Workload
from bench.metrics import prepare, trained
from bench.metrics.inception_weights import InceptionPlan
from bench.store.journal import Store
from bench.store.record import INFRASTRUCTURE_STATUSES
from bench.training.version import components
from losses import Kind, Method
from losses.revisions import parts_within, revision_of

_LIBRARY: Final = f"{losses.__name__}."
_KINDS: Final[tuple[Kind, ...]] = ("method", "objective", "regularizer", "transform", "constraint")


def controlled(learning_rate: float = CONTROLLED_LEARNING_RATE) -> Optimizer:
    """Return the controlled track's optimiser: the same for every method on a workload."""
    return Optimizer(name="adam", lr_generator=learning_rate, lr_discriminator=learning_rate, betas=CONTROLLED_BETAS)


def expand(
    suite: Suite, data_dir: Path | None = None, on_progress: data.OnProgress | None = None, *, fetch: bool = True
) -> list[Trial]:
    """Return the suite's trials, seed by seed: after each seed every method has as many runs as the others.

    Args:
        suite: what is asked for.
        data_dir: where data lies whose content no workload pins, as in `data.resolve`; the other data is not read.
        on_progress: is told how the reading of such data gets on, and the training of a classifier.
        fetch: whether such data may be downloaded, and a classifier trained that a workload is measured in and lacks.
            Otherwise its trials stand for those that there will be: they have another id, and cannot be run.

    Raises:
        DataError: data that a workload does not pin is not there or cannot be read.
        ValueError: an unknown workload or method; one that is named twice, in whatever spelling; a method that has no
            recipe, on the paper track; one that is not well defined under BatchNorm, unless the suite allows it; one
            that cannot run on the workload's data or with the batch size.
    """
    workloads = [data.workload(name) for name in suite.workloads]
    # An alias is trained, recorded and ranked under the name of what it stands for.
    methods = [losses.get(str(losses.game(expression).resolved)) for expression in suite.methods]
    _refuse_repetition("workload", suite.workloads, [workload.name for workload in workloads])
    _refuse_repetition("method", suite.methods, [str(method) for method in methods])
    workloads = [data.resolve(workload.name, data_dir, on_progress, fetch=fetch) for workload in workloads]
    if fetch:
        for workload in workloads:
            prepare.train_if_lacking(workload, data_dir, on_progress)
    return [
        _trial(suite, workload, method, seed)
        for seed in range(suite.seeds)
        for workload in workloads
        for method in methods
    ]


def use_losses_of(files: Iterable[Path]) -> None:
    """Make the losses that Python files register known by name, here and in the processes that train.

    Raises:
        ValueError: a file that is not there or cannot be imported.
    """
    for path in files:
        losses.plugins.import_file(path)
        losses.plugins.name_file(path)


def pending(trials: Iterable[Trial], store: Store, inception: InceptionPlan | None = None) -> list[tuple[Trial, int]]:
    """Return the trials without a conclusive record, in their order, each with the number of the attempt to make.

    A trial that timed out or broke is tried again; one whose loss failed is not, since that is its result. Where FID is
    required, so is one whose record has none, or has it with other weights.
    """
    latest = store.latest(histories=False)
    todo = []
    for trial in trials:
        record = latest.get(trial.id)
        if record is None:
            todo.append((trial, 0))
        elif record.status in INFRASTRUCTURE_STATUSES or (
            inception is not None and inception.misses(data.workload(trial.spec.workload), record)
        ):
            todo.append((trial, record.attempt + 1))
    return todo


def method_index() -> list[dict[str, str]]:
    """Return the index of the loss library: of each method and part its name, kind, summary, formula and the like.

    Methods come first; an `expression` is the canonical spelling of a method, and empty for a part; a `revision` is a
    part's, and empty for a method.
    """
    described = [losses.describe(name, kind) for kind in _KINDS for name in losses.names(kind)]
    return [
        {
            "name": each.name,
            "kind": each.kind,
            "summary": each.summary,
            "expression": each.expression or "",
            "formula": each.formula,
            "citation": each.citation,
            "alias_of": each.alias,
            "revision": "" if each.kind == "method" else str(each.revision),
            "family": _family(each.name, each.kind),
        }
        for each in described
    ]


def _family(name: str, kind: Kind) -> str:
    """Return the name of the atlas page that explains a name; empty for what other packages register."""
    meant = losses.get(name) if kind == "method" else losses.registry.part(name)
    try:
        return (family_of_method(meant) if isinstance(meant, Method) else family_of(meant)).page
    except ValueError:  # the page is the other package's to write
        return ""


def index_path() -> Path:
    """Return where the index is kept."""
    return Path(__file__).parent / "config" / "methods.json"


def encode_index() -> bytes:
    """Return what the index file must contain."""
    return msgspec.json.format(msgspec.json.encode(method_index()), indent=2) + b"\n"


def version_path() -> Path:
    """Return where the version of the loss library is kept."""
    return Path(__file__).parent / "config" / "losses.version"


def encode_version() -> bytes:
    """Return what the version file must contain."""
    return f"{losses.VERSION}\n".encode()


def _trial(suite: Suite, workload: Workload, method: Method, seed: int) -> Trial:
    d_norm = _d_norm(suite, workload, method)
    quick = workload.quick if suite.budget == "quick" else None
    budget = quick or Budget(steps=workload.steps, evaluate_every=workload.evaluate_every)
    steps = suite.steps or budget.steps
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
        steps=steps,
        # The last step is evaluated in any case: a longer interval is the same trial.
        evaluate_every=min(suite.evaluate_every or budget.evaluate_every, steps),
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
        return controlled(workload.learning_rate)
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
    known = trained.known(workload.extractor, workload.content_hash)
    extractor = known.component if known else f"{workload.extractor}:{trained.UNTRAINED}"
    return components(workload, losses.VERSION, extractor)


def part_components(method: Method) -> dict[str, str]:
    """Name every part within a method by what its numbers are a function of.

    That is its revision, or, for a part that this library does not ship, the content of its file; a part that has no
    file either, because it was typed in, is known by its revision too.
    """
    found = {}
    for part in parts_within(method):
        path = None if part.__module__.startswith(_LIBRARY) else losses.plugins.file_of(part.__module__)
        version = content_version(path.read_bytes()) if path else str(revision_of(part))
        found[f"{PART}{part.name}"] = version
    return found


def _refuse_repetition(what: str, spellings: Sequence[str], meanings: Sequence[str]) -> None:
    first: dict[str, str] = {}
    for spelling, meaning in zip(spellings, meanings, strict=True):
        if meaning in first:
            both = " and ".join(dict.fromkeys(repr(each) for each in (first[meaning], spelling)))
            raise ValueError(f"{what} {both}: the same one twice ({meaning}); name it once")
        first[meaning] = spelling


def main() -> None:
    """Write the index file and the version file."""
    for path, content in ((index_path(), encode_index()), (version_path(), encode_version())):
        path.write_bytes(content)
        sys.stdout.write(f"wrote {path}\n")


if __name__ == "__main__":
    main()
