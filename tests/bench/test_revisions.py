"""What is trained again when one loss is mended: the methods that contain it, and nobody else's.

A part is mended here by raising its revision, as whoever changes its numbers does.
"""

import dataclasses
from pathlib import Path

import msgspec
import pytest
from torch import Tensor

import losses
from bench import campaign, data, plan
from bench.config.suite import Suite
from bench.config.trial import Trial, part_versions
from bench.events import TrialStarted
from bench.execution.inline import InlineExecutor
from bench.methods import everything, refuse_changed_parts
from bench.statistics.ranking import rank
from bench.store.journal import Store
from bench.store.record import Record
from bench.training.build import prepare_process
from bench.training.run_options import RunOptions
from losses import Method, registry
from losses.fusion import fused
from losses.objectives.hinge import Hinge
from losses.objectives.relativistic import Average, Paired
from losses.revisions import lineage, parts_within, revision_of

PARTS = sorted(registry.parts())


@pytest.fixture(scope="module")
def methods() -> dict[str, Method]:
    """Every method that is trained under its own name, and every part alone beside the reference's objective."""
    return {name: losses.get(name).resolved for name in everything()}


@pytest.fixture(scope="module")
def trials(methods: dict[str, Method]) -> dict[str, Trial]:
    planned = plan.expand(Suite(name="all", methods=list(methods), workloads=["digits"], seeds=1))
    return dict(zip(methods, planned, strict=True))


def ids(methods: dict[str, Method], trials: dict[str, Trial]) -> dict[str, str]:
    """The ids that the trials have now; all but the components of the parts stays as it was planned."""
    found = {}
    for name, method in methods.items():
        shared = {key: value for key, value in trials[name].components.items() if not key.startswith("loss:")}
        components = shared | plan.part_components(method)
        found[name] = msgspec.structs.replace(trials[name], components=components).id
    return found


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name, identity in before.items() if after[name] != identity}


def test_a_plan_names_the_revisions_of_its_own_parts_and_of_no_other(
    methods: dict[str, Method], trials: dict[str, Trial]
) -> None:
    for name, method in methods.items():
        assert part_versions(trials[name].components) == {
            part.name: str(revision_of(type(part))) for part in method.parts
        }
    assert ids(methods, trials) == {name: trial.id for name, trial in trials.items()}


@pytest.mark.parametrize("name", PARTS)
def test_a_mended_part_changes_the_ids_of_the_methods_that_contain_it_and_no_other(
    name: str, methods: dict[str, Method], trials: dict[str, Trial], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = ids(methods, trials)
    part = registry.part(name)
    monkeypatch.setattr(part, "revision", part.revision + 1)
    found = changed(before, ids(methods, trials))
    assert found == {each for each, method in methods.items() if any(part.name == name for part in method.parts)}
    # An objective that is an alias is trained under the other name, so that nobody contains it.
    assert bool(found) == (not losses.describe(name, part.kind).alias)


@pytest.mark.parametrize("base", [Paired, Average])
def test_mending_what_a_family_derives_from_mends_the_family(
    base: type, methods: dict[str, Method], trials: dict[str, Trial], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = ids(methods, trials)
    monkeypatch.setattr(base, "revision", 2)
    found = changed(before, ids(methods, trials))
    assert found == {name for name, method in methods.items() if isinstance(method.objective, base)}
    assert len(found) >= 3


def test_every_raise_along_the_line_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    rp = registry.part("rp_bce")
    monkeypatch.setattr(rp, "revision", 3)
    assert revision_of(rp) == 3
    monkeypatch.setattr(Paired, "revision", 2)
    assert revision_of(rp) == 4, "a part that was mended before its base is mended once more with it"
    assert revision_of(registry.part("rp_ls")) == 2
    assert revision_of(registry.part("ra_ls")) == 1


def test_what_all_share_changes_every_id(
    methods: dict[str, Method], trials: dict[str, Trial], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(losses, "VERSION", "99")
    planned = plan.expand(Suite(name="all", methods=list(methods), workloads=["digits"], seeds=1))
    assert not {trial.id for trial in planned} & {trial.id for trial in trials.values()}


def test_a_fused_objective_has_the_revision_of_the_plain_one(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = losses.get("hinge + r1")
    made = dataclasses.replace(plain, objective=fused(plain.objective, backend="eager"))
    assert [part.name for part in parts_within(made)] == ["hinge", "r1"]
    monkeypatch.setattr(Hinge, "revision", 7)
    assert plan.part_components(made) == plan.part_components(plain)
    assert plan.part_components(made)["loss:hinge"] == "7"


@pytest.mark.parametrize("name", PARTS)
def test_the_spelling_has_every_parameter_so_that_a_new_default_is_another_trial(name: str) -> None:
    part = registry.part(name)
    method = losses.get(name if part.kind == "objective" else f"bce_ns + {name}")
    written = next(term for term in str(method).split(" + ") if term.partition("(")[0] == name)
    values = [word.partition("=")[0] for word in written.rstrip(")").partition("(")[2].split(", ") if word]
    assert values == [spec.name for spec in dataclasses.fields(part)]


@pytest.mark.parametrize("track", ["controlled", "paper"])
def test_the_ids_of_the_catalogue_survive_the_disk(track: str) -> None:
    names = [name for name in losses.names("method") if not losses.describe(name).alias]
    suite = Suite(name="all", methods=names, workloads=["digits"], seeds=1, track=track, allow_invalid=True)
    for trial in plan.expand(suite):
        assert msgspec.json.decode(msgspec.json.encode(trial), type=Trial).id == trial.id


@pytest.fixture
def scratch_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_parts", dict(registry.parts()))
    monkeypatch.setenv("GAN_LOSS_BENCH_LOSSES", "")


DERIVED = """
from dataclasses import dataclass
import losses
from losses.objectives.hinge import Hinge

@losses.register("my_hinge")
@dataclass(frozen=True)
class MyHinge(Hinge):
    def generator(self, fake_logits, real_logits=None):
        return 2 * super().generator(fake_logits, real_logits)
"""


@pytest.mark.usefixtures("scratch_registry")
def test_a_loss_of_ones_own_brings_along_the_revision_of_what_it_derives_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "derived.py"
    path.write_text(DERIVED)
    plan.use_losses_of([path])
    own = losses.get("my_hinge + r1")
    assert [each.name for each in lineage(type(own.objective))] == ["my_hinge", "hinge"]
    monkeypatch.setattr(Hinge, "revision", 1)
    versions = part_versions(plan.part_components(own))
    assert list(versions) == ["my_hinge", "hinge", "r1"]
    assert (versions["hinge"], len(versions["my_hinge"])) == ("1", 16)
    monkeypatch.setattr(Hinge, "revision", 2)
    assert part_versions(plan.part_components(own)) == {**versions, "hinge": "2"}


@pytest.mark.usefixtures("scratch_registry")
def test_a_file_that_has_changed_since_the_plan_trains_nothing_under_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "derived.py"
    path.write_text(DERIVED)
    monkeypatch.setattr("bench.methods._FIRST_SEEN", {})
    plan.use_losses_of([path])
    suite = Suite(name="own", methods=["nsgan", "my_hinge + r1"], workloads=["ring8"], seeds=1)
    trials = plan.expand(suite)
    path.write_text(DERIVED.replace("2 * super", "3 * super"))
    for trial in trials:  # this process has read the file before, and trains what it planned
        refuse_changed_parts(trial)
    monkeypatch.setattr("bench.methods._FIRST_SEEN", {})  # as in a process that starts now
    refuse_changed_parts(trials[0])
    with pytest.raises(ValueError, match=r"the loss 'my_hinge', .* has changed since the trial was planned"):
        prepare_process(trials[1], RunOptions(device="cpu", threads=1))


def made(**members: object) -> type:
    return dataclasses.dataclass(frozen=True)(type("Made", (Hinge,), members))


@pytest.mark.usefixtures("scratch_registry")
@pytest.mark.parametrize("wrong", [0, -1, True, "2", 1.5])
def test_a_revision_is_a_whole_number_from_one(wrong: object) -> None:
    with pytest.raises(ValueError, match="made_up: expected revision to be a whole number of at least 1, not "):
        losses.register("made_up")(made(revision=wrong))
    assert losses.register("made_up")(made(revision=2)).name == "made_up"


@pytest.mark.usefixtures("scratch_registry")
def test_a_revision_is_no_hyper_parameter() -> None:
    with pytest.raises(ValueError, match=r"made_up: revision is not a hyper-parameter: declare it as .*ClassVar"):
        losses.register("made_up")(made(revision=2, __annotations__={"revision": int}))


# --- from the plan to the table ------------------------------------------------------------------------------------


LAZY = "hinge + r1(gamma=1, every=2)"
FEW_STEPS = Suite(
    name="few",
    methods=["nsgan", "hinge", LAZY, "wgan-gp"],
    workloads=["ring8"],
    seeds=2,
    steps=8,
    evaluate_every=4,
    samples=200,
)


def trained(store: Store) -> list[Trial]:
    """Run what is missing of the suite; return what was trained."""
    events = campaign.run(plan.expand(FEW_STEPS), InlineExecutor(), store)
    return [event.trial for event in events if isinstance(event, TrialStarted)]


def mend(monkeypatch: pytest.MonkeyPatch) -> None:
    """Change what hinge computes, and say so."""
    plain = Hinge.discriminator

    def halved(self: Hinge, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return 0.5 * plain(self, real_logits, fake_logits)

    monkeypatch.setattr(Hinge, "discriminator", halved)
    monkeypatch.setattr(Hinge, "revision", Hinge.revision + 1)


@pytest.mark.slow
def test_after_one_loss_is_mended_its_methods_alone_are_trained_again_and_one_table_ranks_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def first_loss(record: Record) -> float:
        value = record.history.training["discriminator_loss"][0]
        assert value is not None
        return value

    store = Store(tmp_path)
    assert trained(store) == plan.expand(FEW_STEPS)
    assert trained(store) == []
    before = {record.trial_id: record for record in store.records()}

    mend(monkeypatch)
    again = trained(store)
    assert [(trial.spec.seed, trial.spec.method_name) for trial in again] == [
        (seed, method) for seed in (0, 1) for method in ("hinge", LAZY)
    ]
    assert trained(store) == []

    after = {record.trial_id: record for record in store.records()}
    assert len(after) == len(before) + 4
    assert {name: after[name] for name in before} == before, "no record was touched"

    (board,) = rank(after.values(), {"ring8": data.workload("ring8")})
    assert {(row.method, row.cells_done, row.cells_counting) for row in board.scored} == {
        (method, 2, 2) for method in ("nsgan", "hinge", LAZY, "wgan-gp")
    }
    assert board.superseded == 4
    standing = {name.removesuffix(".0") for name in board.record_ids}
    assert standing == {
        name for name in after if name not in before or not before[name].spec.method.startswith("hinge")
    }
    for trial in again:  # and the numbers that stand there are those of the mended loss
        (replaced,) = (each for each in before.values() if each.spec == trial.spec)
        assert first_loss(after[trial.id]) < 0.9 * first_loss(replaced)
