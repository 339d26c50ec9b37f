"""Fused objectives compute what the plain ones do, value and gradient, and say so where they cannot."""

import copy
import os
import pickle
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

import pytest
import torch
from made_logits import logits, objective
from slow_cases import mostly_slow, sampled
from torch import Tensor
from torch._dynamo.backends import registry as registered
from torch.utils._python_dispatch import TorchDispatchMode

import losses
from bench.costs.profiling import outermost_operators
from losses import contract, fusion, registry

OBJECTIVES = losses.names("objective")
SOME = ("bce_ns", "rp_bce", "softmax_gan")
"""One of each shape of graph: by each sample, with powers and exponentials, with means of the batch, in pairs."""
WHERE = ("ordinary", "all far up", "all far down", "far apart", "wrong way round", "both ways")
CONTRACT = (
    *("scalar", "derivative", "signs", "huge logits", "repeated batch", "order"),
    *("generator reads reals as declared", "pairs by broadcasting", "critic", "alias", "description", "no host read"),
)
"""The checks that say what an objective computes. The others are of the class as it is written in a file."""


def made(where: str, outputs: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    a, b = logits(0, outputs=outputs), logits(1, outputs=outputs)
    far = 1e3 * torch.ones_like(a)
    found = {
        "ordinary": (a, b),
        "all far up": (a + far, b + far),
        "all far down": (a - far, b - far),
        "far apart": (a + far, b - far),
        "wrong way round": (a - far, b + far),
        "both ways": (a * 500, b * 500),
    }[where]
    return found[0].to(dtype), found[1].to(dtype)


def derived(loss: Callable[..., Tensor], *given: Tensor) -> list[Tensor | None]:
    """Return the value of a loss, times 3 on the way back, and its gradient by everything that it is given."""
    leaves = [each.clone().requires_grad_() for each in given]
    value = loss(*leaves)
    if not value.requires_grad:
        return [value, *(None for _ in leaves)]
    return [value.detach(), *torch.autograd.grad(3 * value, leaves, allow_unused=True)]


def assert_equal(found: list[Tensor | None], expected: list[Tensor | None], **tolerance: float) -> None:
    for one, other in zip(found, expected, strict=True):
        if one is None or other is None:
            assert one is other, "a gradient by logits that the loss does not depend on is None for both"
        else:
            # The gradient of some losses by far reals is NaN where no training asks for it, in the generator's phase.
            torch.testing.assert_close(one, other, equal_nan=True, **tolerance)


def assert_computes_the_same(
    fused: losses.Objective, plain: losses.Objective, a: Tensor, b: Tensor, **tolerance: float
) -> None:
    assert_equal(derived(fused.discriminator, a, b), derived(plain.discriminator, a, b), **tolerance)
    assert_equal(derived(fused.generator, b, a), derived(plain.generator, b, a), **tolerance)
    # As in a step, where nothing is owed to the reals.
    of_fakes = [derived(lambda x, each=each: each.generator(x, a), b) for each in (fused, plain)]
    assert_equal(*of_fakes, **tolerance)


@pytest.mark.parametrize("name", mostly_slow(OBJECTIVES, fast=SOME))
def test_value_and_gradient_are_the_plain_ones(name: str) -> None:
    plain = objective(name)
    fused = fusion.fused(plain, backend="eager")
    for where in WHERE:
        a, b = made(where, plain.outputs)
        assert_computes_the_same(fused, plain, a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "name", sampled(["bce_ns", "lsgan", "rc_bce", "fgan_kl", "dual_contrastive", "mcgan_cov"], every=3)
)
def test_in_float32_they_are_near(name: str) -> None:
    plain = objective(name)
    a, b = made("ordinary", plain.outputs, torch.float32)
    assert_computes_the_same(fusion.fused(plain, backend="eager"), plain, a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", mostly_slow(["bce_ns", "rc_hinge", "softmax_gan", "mmd_rq"], fast=["bce_ns"]))
def test_they_are_after_torch_has_taken_the_graph_apart(name: str) -> None:
    plain = objective(name)
    a, b = made("ordinary", plain.outputs)
    assert_computes_the_same(fusion.fused(plain, backend="aot_eager"), plain, a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "spelling",
    sampled(["lsgan(a=-1, b=2, c=0.5)", "fgan_kl(saturating=True)", "realness(relativistic=False)"], every=3),
)
def test_parameters_count(spelling: str) -> None:
    plain = objective(spelling)
    a, b = made("ordinary", plain.outputs)
    assert_computes_the_same(fusion.fused(plain, backend="eager"), plain, a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bce_ns", "hinge", "kl_wgan", "ra_ls", "rp_bce", "fgan_js"])
def test_a_fused_class_keeps_the_contract(name: str) -> None:
    made_class = type(fusion.fused(objective(name), backend="eager"))
    found = {finding.check: finding for finding in contract.examine(made_class) if finding.check in CONTRACT}
    assert set(found) == set(CONTRACT)
    assert [each for each in found.values() if each.is_failure] == []


# --- what a fused objective is -------------------------------------------------------------------------------------


def fused_eagerly(method: losses.Method) -> losses.Method:
    return replace(method, objective=fusion.fused(method.objective, backend="eager"))


@pytest.mark.parametrize("name", losses.names("method"))
def test_a_method_with_it_is_spelled_alike_and_asks_for_the_same(name: str) -> None:
    plain = losses.get(name)
    fused = fused_eagerly(plain)
    assert (str(fused), fused.short, fused.name) == (str(plain), plain.short, plain.name)
    for asked in ("needs", "outputs", "needs_real_in_generator", "batch_norm", "pack"):
        assert getattr(fused, asked) == getattr(plain, asked)
    assert str(fused.resolved) == str(plain.resolved)
    assert isinstance(fused.resolved.objective, fusion.FusedObjective)
    assert fused != plain, "their numbers differ in the last digits"
    assert fused == fused_eagerly(plain)


def test_it_is_copied_pickled_and_replaced_as_any_other() -> None:
    fused = fusion.fused(objective("lsgan(a=-1, b=1, c=0)"), backend="eager")
    assert copy.deepcopy(fused) == pickle.loads(pickle.dumps(fused)) == fused
    assert replace(fused, c=0.5).plain == objective("lsgan(a=-1, b=1, c=0.5)")
    assert [spec.name for spec in fields(fused)] == ["a", "b", "c"]
    with pytest.raises(ValueError, match="expected a float"):
        replace(fused, c="0.5")


def test_it_is_fused_once_and_anew_for_another_backend() -> None:
    plain = objective("hinge")
    fused = fusion.fused(fusion.fused(plain, backend="aot_eager"), backend="eager")
    assert fused == fusion.fused(plain, backend="eager")
    assert fused.plain is not fused
    assert fused.plain == plain


def test_what_cannot_be_fused_is_told() -> None:
    with pytest.raises(TypeError, match=r"expected an objective, got Method.*objective=fused"):
        fusion.fused(losses.get("hinge"))
    with pytest.raises(ValueError, match=r"no backend 'inductr' \(did you mean \"inductor\"\?\)"):
        fusion.fused(objective("hinge"), backend="inductr")


# --- in a step ----------------------------------------------------------------------------------------------------


def parameters_gradients(
    method: losses.Method, critic: torch.nn.Module, generator: torch.nn.Module, drawn: dict[str, Any]
) -> list[Tensor | None]:
    """Return both totals, and their gradients by all parameters of the player in turn."""
    found = []
    for player, call in (
        (critic, partial(method.discriminator_loss, critic, drawn["reals"], drawn["fakes"])),
        (generator, partial(method.generator_loss, critic, generator, drawn["latents"], drawn["reals"])),
    ):
        total = call(rng=torch.Generator().manual_seed(3), state={}, step=0).total
        found += [total.detach(), *torch.autograd.grad(total, list(player.parameters()))]
    return found


@pytest.mark.parametrize(
    "name",
    sampled(
        ["hinge", "bce_ns + r1 + r2", "wgan-gp", "r3gan", "rp_bce + msgan", "bce_ns + topk", "kl_wgan + lecam"], every=3
    ),
)
def test_a_step_is_the_same_with_penalties_too(name, smooth_critic, tiny_generator, images, latents) -> None:
    plain = losses.get(name)
    drawn = {"reals": images(1), "fakes": images(2), "latents": latents}
    one, other = (
        parameters_gradients(method, smooth_critic(), tiny_generator(), drawn)
        for method in (plain, fused_eagerly(plain))
    )
    assert_equal(one, other, rtol=1e-12, atol=1e-12)


def test_logits_keep_their_gradient() -> None:
    plain = objective("ra_bce")
    kept = []
    for each in (plain, fusion.fused(plain, backend="eager")):
        weight = torch.ones((), dtype=torch.float64, requires_grad=True)
        a, b = (weight * given for given in made("ordinary", 1))
        a.retain_grad()
        b.retain_grad()
        value = each.discriminator(a, b)
        value.backward(retain_graph=True)
        value.backward()  # a graph that is kept gives its gradient again, and it is added
        kept.append([weight.grad, a.grad, b.grad])
    assert_equal(*kept, rtol=1e-12, atol=1e-12)


def test_without_gradients_there_is_only_a_value() -> None:
    fused = fusion.fused(objective("hinge"), backend="eager")
    a, b = (each.requires_grad_() for each in made("ordinary", 1))
    for mode in (torch.no_grad(), torch.inference_mode()):
        with mode:
            value = fused.discriminator(a, b)
        assert not value.requires_grad
        torch.testing.assert_close(value, fused.plain.discriminator(a, b).detach(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("enabled", [True, False])
def test_autocast_is_off_inside(enabled: bool) -> None:
    fused = fusion.fused(objective("mcgan_cov"), backend="eager")  # it has matrix products, which autocast narrows
    a, b = made("ordinary", fused.outputs, torch.float32)
    expected = derived(fused.plain.discriminator, a, b)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
        found = derived(fused.discriminator, a, b)
    assert_equal(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("by", ["a", "b"])
@pytest.mark.parametrize("name", ["bce_ns", "wasserstein"])
def test_it_is_not_differentiated_twice(name: str, by: str) -> None:
    fused = fusion.fused(objective(name), backend="eager")
    leaves = dict(zip("ab", (each.requires_grad_() for each in made("ordinary", 1)), strict=True))
    first = torch.autograd.grad(fused.discriminator(**renamed(leaves)), list(leaves.values()), create_graph=True)
    with pytest.raises(RuntimeError, match=f"{name} is fused, which gives its gradient once.*`plain`"):
        torch.autograd.grad(first[0].sum() + first[1].sum(), leaves[by], allow_unused=True)


def renamed(leaves: dict[str, Tensor]) -> dict[str, Tensor]:
    return {"real_logits": leaves["a"], "fake_logits": leaves["b"]}


def test_mistakes_are_told_as_by_the_plain_one() -> None:
    fused = fusion.fused(objective("rp_bce"), backend="eager")
    a, b = made("ordinary", 1)
    with pytest.raises(ValueError, match="rp_bce pairs real with fake"):
        fused.discriminator(a, b[:3])
    with pytest.raises(ValueError, match="rp_bce compares with real images"):
        fused.generator(b)


def test_inside_a_function_that_is_compiled_it_is_the_plain_one() -> None:
    fused = fusion.fused(objective("hinge"), backend="eager")
    a, b = made("ordinary", 1)
    whole = torch.compile(lambda a, b: fused.discriminator(2 * a, b), backend="eager", fullgraph=True)
    assert_equal(
        derived(whole, a, b), derived(lambda a, b: fused.plain.discriminator(2 * a, b), a, b), rtol=1e-12, atol=1e-12
    )


def test_under_the_eyes_of_who_counts_operators_it_is_the_plain_one() -> None:
    fused = fusion.fused(objective("hinge"), backend="eager")
    a, b = made("ordinary", 1)
    counts = []
    for each in (fused, fused.plain):
        with CountsOperators() as counting:
            derived(each.discriminator, a, b)
        counts.append(counting.names)
    assert counts[0] == counts[1]
    assert counts[0].count("aten::relu") == 2


class CountsOperators(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, function: Any, types: Any, arguments: Any = (), options: Any = None) -> Any:
        self.names.append(function.name())
        return function(*arguments, **(options or {}))


# --- what is compiled, and when ------------------------------------------------------------------------------------


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[torch.fx.GraphModule]:
    """What torch gives a backend to compile; the backend "counting" takes it as it is."""
    given: list[torch.fx.GraphModule] = []

    def counting(graph: torch.fx.GraphModule, _: object) -> Callable[..., Any]:
        given.append(graph)
        return graph.forward

    know_backend(monkeypatch, "counting", counting)
    return given


def know_backend(monkeypatch: pytest.MonkeyPatch, name: str, compiler: Callable[..., Any]) -> None:
    fusion._compiled.cache_clear()
    monkeypatch.setitem(registered._BACKENDS, name, None)
    monkeypatch.setitem(registered._COMPILER_FNS, name, compiler)


@pytest.mark.slow
def test_a_shape_is_compiled_once_and_other_shapes_do_not_run_out(compiled: list[torch.fx.GraphModule]) -> None:
    fused = fusion.fused(objective("hinge"), backend="counting")
    for size in range(2, 14):
        for turn in range(3):
            a, b = logits(turn, size), logits(turn + 1, size)
            assert_computes_the_same(fused, fused.plain, a, b, rtol=1e-12, atol=1e-12)
    assert len(compiled) == 12 * 2, "D and G; for G it makes no difference whether reals come along"


def test_equal_objectives_share_what_is_compiled(compiled: list[torch.fx.GraphModule]) -> None:
    a, b = logits(0, 5), logits(1, 5)
    for gamma in (2.0, 3.0, 2.0):
        fused = fusion.fused(objective(f"w_imbalanced(gamma={gamma})"), backend="counting")
        assert_computes_the_same(fused, fused.plain, a, b, rtol=1e-12, atol=1e-12)
    assert len(compiled) == 2 * 2


def test_a_backend_that_fails_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> None:
        raise RuntimeError("No working C++ compiler found in list:\n- g++")

    know_backend(monkeypatch, "failing", failing)
    with pytest.raises(RuntimeError) as caught:
        fusion.fused(objective("hinge"), backend="failing").discriminator(*made("ordinary", 1))
    told = str(caught.value)
    assert "\n" not in told
    assert told.startswith("hinge cannot be fused on cpu by the backend 'failing': No working C++ compiler found")
    assert "install it, or use the plain objective" in told


@pytest.mark.usefixtures("scratch_registry")
def test_a_loss_from_elsewhere_is_fused_too() -> None:
    @losses.register("quartic")
    @dataclass(frozen=True)
    class Quartic(losses.Objective):
        power: int = losses.parameter(4)

        def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
            return (real_logits - 1).pow(self.power).mean() + fake_logits.pow(self.power).mean()

        def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
            return (fake_logits - 1).pow(self.power).mean()

    plain = registry.part("quartic")()
    a, b = made("ordinary", 1)
    assert_computes_the_same(fusion.fused(plain, backend="eager"), plain, a, b, rtol=1e-12, atol=1e-12)


# --- with a compiler ----------------------------------------------------------------------------------------------

needs_compiler = pytest.mark.skipif(
    shutil.which(os.environ.get("CXX", "g++")) is None, reason="inductor needs a C++ compiler, and there is no g++"
)


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize("name", ["bce_ns", "dual_contrastive"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-6), (torch.float64, 1e-12)])
def test_inductor_computes_the_same(name: str, dtype: torch.dtype, tolerance: float) -> None:
    plain = objective(name)
    fused = fusion.fused(plain)
    for where in WHERE:
        a, b = made(where, 1, dtype)
        assert_computes_the_same(fused, plain, a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize("name", ["bce_ns", "hinge", "rc_bce", "softmax_gan"])
def test_inductor_writes_one_function_for_value_and_slopes(name: str) -> None:
    from torch._inductor.utils import run_and_get_code

    fused = fusion.fused(objective(name))
    fusion._compiled.cache_clear()
    _, sources = run_and_get_code(derived, fused.discriminator, *made("ordinary", 1, torch.float32))
    (source,) = sources
    assert len(re.findall(r"^\s+cpp_fused_\w+\(", source, re.MULTILINE)) == 1
    a, b = (each.requires_grad_() for each in made("ordinary", 1, torch.float32))
    value = fused.discriminator(a, b)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], acc_events=True) as profiler:
        torch.autograd.grad(value, (a, b))
    ran = [operator for operator, _ in outermost_operators(profiler.events())]
    assert ran == ["aten::ones_like", "aten::_foreach_mul"], "the backward is a multiplication"
