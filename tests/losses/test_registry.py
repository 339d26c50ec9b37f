"""Registration, listing, descriptions, and the entry points of other packages."""

import subprocess
import sys
from dataclasses import dataclass, fields
from typing import ClassVar

import pytest
from torch import Tensor

import losses
from losses import registry

PARTS = sorted(registry.parts())


def make_objective(name: str, docstring: str = "") -> type[losses.Objective]:
    @dataclass(frozen=True)
    class Made(losses.Objective):
        __doc__ = docstring

        def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
            return fake_logits.mean() - real_logits.mean()

        def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
            return -fake_logits.mean()

    return losses.register(name)(Made)


def test_names_are_sorted_and_by_kind() -> None:
    assert {"bce_ns", "hinge", "mmd_rq"} < set(losses.names("objective"))
    assert {"gp1", "lecam", "msgan"} < set(losses.names("regularizer"))
    assert {"diffaug", "pack", "topk"} < set(losses.names("transform"))
    assert {"weight_clip", "spectral_norm", "ttur"} < set(losses.names("constraint"))
    kinds = ("objective", "regularizer", "transform", "constraint")
    assert sorted(name for kind in kinds for name in losses.names(kind)) == sorted(registry.parts())
    assert all(losses.names(kind) == sorted(losses.names(kind)) for kind in kinds)
    everything = losses.names()
    assert everything == sorted(set(everything))
    assert {"hinge", "wgan-gp", "weight_clip"} <= set(everything)


@pytest.mark.parametrize("name", PARTS)
def test_every_part_is_a_final_frozen_dataclass_described_by_its_docstring(name: str) -> None:
    part = registry.part(name)
    assert part.__final__
    assert part.__dataclass_params__.frozen
    found = losses.describe(name, part.kind)
    assert (found.name, found.kind) == (name, part.kind)
    assert found.summary
    assert found.formula
    assert "arXiv:" in found.citation
    assert found.batch_norm.startswith(f"{part.batch_norm}: ")
    assert [(p.name, p.type, p.default) for p in found.parameters] == [
        (spec.name, spec.type.__name__, spec.default) for spec in fields(part)
    ]
    assert all(parameter.meaning for parameter in found.parameters)
    assert name in str(found)


@pytest.mark.parametrize("name", losses.names("method"))
def test_every_method_is_described(name: str) -> None:
    found = losses.describe(name)
    assert found.kind == "method"
    assert found.expression == str(losses.get(name))
    assert found.recipe == losses.get(name).recipe
    assert found.citation == losses.get(name).citation
    assert found.expression in str(found)


def test_a_revision_is_shown_once_there_has_been_one(monkeypatch: pytest.MonkeyPatch) -> None:
    part = registry.part("hinge")
    monkeypatch.setattr(part, "revision", 1)
    found = losses.describe("hinge", "objective")
    assert found.revision == 1
    assert "revision" not in str(found)
    monkeypatch.setattr(part, "revision", 12)
    assert "  revision    12" in str(losses.describe("hinge", "objective")).splitlines()


def test_a_description_reads_well_in_a_terminal() -> None:
    lines = str(losses.describe("wgan-gp")).splitlines()
    assert lines[0] == "wgan-gp (method)"
    assert "  expression  wasserstein + gp1(weight=10, target=1, every=1)" in lines
    assert "  formula     L_D = E b - E a" in lines
    assert "              L_G = -E b" in lines
    assert any(line.startswith("  BatchNorm   invalid: ") for line in lines)
    assert losses.describe("hinge", "objective").kind == "objective"


def test_describe_names_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"unknown name 'hing' \(did you mean \"hinge\"\?\)"):
        losses.describe("hing")
    with pytest.raises(ValueError, match=r"unknown constraint 'hinge'.*; known: critic_steps, grad_norm,"):
        losses.describe("hinge", "constraint")
    with pytest.raises(ValueError, match=r"expected a name, got Method: write it as text, 'wgan'"):
        losses.describe(losses.get("wgan"))
    with pytest.raises(ValueError, match=r"expected a name, got NoneType: write it as text, 'hinge'"):
        losses.describe(None)


@pytest.mark.usefixtures("scratch_registry")
@pytest.mark.parametrize(
    ("docstring", "message"),
    [
        ("", "needs a summary and the sections Formula, BatchNorm, Source"),
        ("Sum.\n\nFormula:\n    x\n\nSource:\n    y\n", "needs a summary and the sections"),
        ("Sum.\n\nFormula:\n    x\n\nBatchNorm:\n    degraded: z\n\nSource:\n    y\n", "start with 'ok: '"),
        ("Sum.\n\nFormula:\n\nBatchNorm:\n    ok: z\n\nSource:\n    y\n", "needs a summary and the sections"),
    ],
)
def test_a_docstring_of_another_shape_is_refused(docstring: str, message: str) -> None:
    make_objective("made", docstring)
    with pytest.raises(ValueError, match=message):
        losses.describe("made")


@pytest.mark.usefixtures("scratch_registry")
def test_parameters_and_entries_of_the_docstring_must_agree() -> None:
    @losses.register("made")
    @dataclass(frozen=True)
    class Made(losses.Constraint):
        """Sum.

        Formula:
            x

        Parameters:
            d: wrong name.

        BatchNorm:
            ok: fine.

        Source:
            arXiv:1
        """

        c: float = 1.0

        def wrap(self, discriminator: object) -> object:
            return discriminator

        def after_step(self, discriminator: object) -> None:
            return

    with pytest.raises(ValueError, match=r"in the order of the fields: c; it has d$"):
        losses.describe("made")


@pytest.mark.usefixtures("scratch_registry")
def test_a_registered_part_is_found_and_usable_at_once() -> None:
    make_objective("made")
    assert "made" in losses.names("objective")
    assert str(losses.get("made + r1")) == "made + r1(gamma=10, every=1)"


@pytest.mark.usefixtures("scratch_registry")
def test_registration_refuses_what_it_cannot_name_or_build() -> None:
    with pytest.raises(ValueError, match=r"the name 'hinge' is taken by losses\.objectives\.hinge\.Hinge"):
        make_objective("hinge")
    with pytest.raises(ValueError, match="expected lower_snake_case"):
        make_objective("My-Loss")
    with pytest.raises(TypeError, match="not a frozen dataclass"):
        losses.register("thing")(object)

    class Bare(losses.Objective):
        pass

    with pytest.raises(TypeError, match="not a frozen dataclass"):
        losses.register("bare")(Bare)

    @dataclass(frozen=True)
    class Demanding(losses.Constraint):
        c: float

    with pytest.raises(ValueError, match="demanding: the parameter 'c' has no default"):
        losses.register("demanding")(Demanding)


@pytest.mark.usefixtures("scratch_registry")
@pytest.mark.parametrize("name", ["wgan", "r3gan", "san"])
def test_a_part_cannot_take_the_name_of_a_method_which_would_be_trained_in_its_place(name: str) -> None:
    before = str(losses.get(name))
    with pytest.raises(ValueError, match=f"the name '{name}' is taken by the method of that name"):
        make_objective(name)
    assert str(losses.get(name)) == before


@pytest.mark.parametrize("kind", ["objectives", "penalty", "Objective"])
def test_a_kind_that_there_is_not_is_no_empty_list(kind: str) -> None:
    with pytest.raises(ValueError, match=rf"unknown kind '{kind}'.*: objective, regularizer, transform, constraint"):
        losses.names(kind)
    with pytest.raises(ValueError, match="unknown kind"):
        losses.describe("hinge", kind)


@pytest.mark.usefixtures("scratch_registry")
@pytest.mark.parametrize("phase", ["critic", "Generator", None])
def test_a_term_that_would_act_in_no_phase_is_refused(phase: str | None) -> None:
    """It would be due in no update, and the method be trained without it."""

    @losses.register("lost")
    @dataclass(frozen=True)
    class Lost(losses.Regularizer):
        every: int = losses.parameter(1, ge=1)

        def __call__(self, context: losses.Context) -> Tensor:
            return context.real_logits.mean()

    if phase is not None:
        Lost.phase = phase
    told = "no phase" if phase is None else f"the phase '{phase}'"
    with pytest.raises(ValueError, match=f'lost has {told}: write `phase: ClassVar = "generator"`, or'):
        losses.get("hinge + lost")


POSTPONED = """
from __future__ import annotations

from dataclasses import dataclass

import losses


@losses.register("postponed")
@dataclass(frozen=True)
class Postponed(losses.InputTransform):
    scale: float = losses.parameter(2.0, gt=0)
    times: int = losses.parameter(1)
    inward: bool = losses.parameter(True)

    def __call__(self, images, context, role):
        return self.scale * images
"""


@pytest.mark.usefixtures("scratch_registry")
def test_a_part_may_be_written_under_postponed_annotations() -> None:
    """Its fields then know the names of their types alone."""
    exec(POSTPONED, {"__name__": __name__})
    assert str(losses.get("hinge + postponed(3, inward=False)")) == "hinge + postponed(scale=3, times=1, inward=False)"
    for wrong, told in (("scale=-1", "more than 0"), ("times=1.5", "expected an int"), ("inward=1", "True or False")):
        with pytest.raises(ValueError, match=told):
            losses.get(f"hinge + postponed({wrong})")


def test_hyper_parameters_are_checked_and_normalized_in_python_too() -> None:
    part = registry.part("r1")
    assert part(gamma=2) == part(gamma=2.0)
    assert type(part(gamma=2).gamma) is float
    with pytest.raises(ValueError, match=r"r1\(gamma='2'\): expected a float"):
        part(gamma="2")
    with pytest.raises(ValueError, match=r"r1\(every=True\): expected an int"):
        part(every=True)

    @dataclass(frozen=True)
    class Listed(losses.Constraint):
        layers: ClassVar[int] = 3
        chosen: list = ()

        def wrap(self, discriminator: object) -> object:
            return discriminator

        def after_step(self, discriminator: object) -> None:
            return

    with pytest.raises(TypeError, match="a hyper-parameter is an int, a float or a bool"):
        Listed()


class FakeEntryPoint:
    name = "extra"
    value = "extra.losses"

    def __init__(self, *, error: BaseException | None = None) -> None:
        self.error = error
        self.loaded = 0

    def load(self) -> None:
        self.loaded += 1
        if self.error is not None:
            raise self.error
        assert "hinge" in losses.names(), "a plugin may look things up while it is loaded"
        make_objective("made_elsewhere")


@pytest.fixture
def install_plugin(scratch_registry: None, monkeypatch: pytest.MonkeyPatch):
    def install(*plugins: FakeEntryPoint) -> None:
        def entry_points(*, group: str) -> list[FakeEntryPoint]:
            return list(plugins) if group == "gan_loss_bench.losses" else []

        monkeypatch.setattr("importlib.metadata.entry_points", entry_points)
        monkeypatch.setattr(registry, "_plugins_loaded", False)
        monkeypatch.setattr(registry, "_broken", [])

    return install


def test_other_packages_losses_are_loaded_once_at_the_first_look_up(install_plugin) -> None:
    plugin = FakeEntryPoint()
    install_plugin(plugin)
    assert plugin.loaded == 0
    assert losses.get("made_elsewhere + r1").objective.name == "made_elsewhere"
    assert "made_elsewhere" in losses.names()
    assert plugin.loaded == 1


@pytest.mark.parametrize("error", [ImportError("no such module"), SystemExit(3), SyntaxError("what is that")])
def test_a_plugin_that_fails_is_named_once_and_costs_itself_alone(error: BaseException, install_plugin, caplog) -> None:
    broken, good = FakeEntryPoint(error=error), FakeEntryPoint()
    install_plugin(broken, good)
    assert losses.get("made_elsewhere + r1").objective.name == "made_elsewhere"
    assert losses.get("hinge + r1") is not None
    assert [record.message.split(":")[0] for record in caplog.records] == [
        "the losses of the entry point extra (extra.losses) cannot be had"
    ]
    assert (broken.loaded, good.loaded) == (1, 1)
    for unknown in ("made_by_the_broken_one", "hinge + made_by_the_broken_one"):
        with pytest.raises(ValueError, match=r"what these entry points provide cannot be had: extra \(extra.losses\)"):
            losses.get(unknown)


def test_of_a_plugin_that_fails_half_way_nothing_is_kept(install_plugin) -> None:
    """But for what it had imported of another package, whose own entry point would find it imported already."""

    class HalfWay(FakeEntryPoint):
        def load(self) -> None:
            make_objective("half_made").__module__ = "extra.first"
            make_objective("made_by_another").__module__ = "extras.losses"
            super().load()

    install_plugin(HalfWay(error=ImportError("no such module")))
    names = losses.names("objective")
    assert "half_made" not in names
    assert "made_by_another" in names


def test_without_a_broken_plugin_nothing_is_said_of_one(scratch_registry: None) -> None:
    with pytest.raises(ValueError, match="unknown") as caught:
        losses.get("made_by_nobody")
    assert "entry point" not in str(caught.value)


def test_importing_the_library_imports_nothing_heavy_beyond_torch() -> None:
    code = (
        "import sys; import torch; before = set(sys.modules); import losses; print(*sorted(set(sys.modules) - before))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    new = {name.split(".")[0] for name in run.stdout.split()}
    assert "losses" in new
    assert not new & {"numpy", "pandas", "torchvision", "scipy", "sklearn", "bench"}
    assert new <= {"losses", "torch"} | sys.stdlib_module_names
