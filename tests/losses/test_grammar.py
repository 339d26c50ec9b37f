"""Expressions: what is read, how it is written, and what a mistake is told."""

import math
import re
from collections.abc import Callable
from dataclasses import fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import losses
from losses import registry

METHODS = {
    "nsgan": "bce_ns",
    "lsgan": "lsgan(a=0, b=1, c=1)",
    "hinge": "hinge",
    "wgan": "wasserstein + weight_clip(c=0.01, clip_norm_affine=True)",
    "wgan-gp": "wasserstein + gp1(weight=10, target=1, every=1)",
    "dragan": "bce_ns + dragan(weight=10, k=1, every=1)",
    "r3gan": "rp_bce + r1(gamma=1, every=1) + r2(gamma=1, every=1)",
    "sngan": "hinge + spectral_norm",
    "cramer-gan": "cramer(dimension=256) + gp1(weight=10, target=1, every=1)",
    "pacgan2": "bce_ns + pack(size=2)",
}


def values(part: type[losses.Part], name: str) -> st.SearchStrategy:
    """Valid values of a hyper-parameter, by its type and declared range: all that are drawn here are positive."""
    (spec,) = [spec for spec in fields(part) if spec.name == name]
    limits = {key: value for key, value in spec.metadata.items() if value is not None}
    if "choices" in limits:
        return st.sampled_from(limits["choices"])
    low = max(limits.get("ge", 0), limits.get("gt", 0) + 0.01)
    high = min(limits.get("le", 1e9), limits.get("lt", 1e9) - 0.01)
    return {
        bool: st.booleans(),
        int: st.integers(max(1, math.ceil(low)), min(1000, math.floor(high))),
        float: st.floats(low, high, allow_nan=False, allow_infinity=False),
    }[spec.type]


@st.composite
def terms(draw: st.DrawFn, part: type[losses.Part]) -> str:
    """One term: some parameters by position, some of the others by name, in any order."""
    names = [spec.name for spec in fields(part)]
    positional = draw(st.integers(0, len(names)))
    named = draw(st.permutations([name for name in names[positional:] if draw(st.booleans())]))
    written = [repr(draw(values(part, name))) for name in names[:positional]]
    written += [f"{name}{draw(st.sampled_from(['=', ' = ']))}{draw(values(part, name))!r}" for name in named]
    return f"{part.name}({', '.join(written)})" if written else part.name


@st.composite
def expressions(draw: st.DrawFn) -> str:
    objective = draw(st.sampled_from(list(registry.parts("objective").values())))
    addable = [part for part in registry.parts().values() if part.kind != "objective"]
    chosen = draw(st.permutations(draw(st.lists(st.sampled_from(addable), unique=True, max_size=4))))
    return draw(st.sampled_from([" + ", "+"])).join(draw(terms(part)) for part in (objective, *chosen))


@settings(max_examples=150, deadline=None, database=None)
@given(expressions())
def test_canonical_and_short_spelling_read_back_to_an_equal_method(expression: str) -> None:
    try:
        method = losses.get(expression)
    except ValueError as error:
        # Two parts that do not go together, or two parameters of one, are refused with the reason.
        if re.search(
            "leave one of them out|expected (lower <= upper|shortest <= longest)|the limit is fgan_kl", str(error)
        ):
            return
        raise
    for spelling in (str(method), method.short):
        again = losses.get(spelling)
        assert again == method
        assert (again.name, again.recipe, again.citation) == (method.name, method.recipe, method.citation)
        assert str(again) == str(method)
    for part in method.parts:
        for spec in fields(part):
            assert f"{spec.name}=" in str(method)


@pytest.mark.parametrize("name", METHODS)
def test_catalogue_methods_by_name_and_as_expression(name: str) -> None:
    method = losses.get(name)
    assert str(method) == METHODS[name]
    assert method.name == name
    assert losses.get(METHODS[name]).name == name
    assert losses.get(METHODS[name]).recipe == method.recipe is not None
    assert losses.get(METHODS[name]).citation == method.citation != ""


def test_a_method_is_its_own_spelling() -> None:
    method = losses.get("wgan-gp")
    assert losses.get(method) is method
    assert losses.game(method) is method


@pytest.mark.parametrize("read", [losses.get, lambda what: losses.Criterion(what, nn.Linear(1, 1), nn.Linear(1, 1))])
def test_what_is_no_text_is_refused_with_how_to_write_it(read: Callable) -> None:
    with pytest.raises(ValueError, match=r"expected a name, an expression or a Method, got Hinge: .*'hinge'"):
        read(losses.objectives.hinge.Hinge())
    with pytest.raises(ValueError, match=r"a Method, got list: .*'hinge \+ r1\(gamma=1\)'"):
        read(["hinge", "r1"])


def test_numbers_have_one_spelling() -> None:
    assert (
        str(losses.get("hinge + r1(10.0)")) == str(losses.get("hinge + r1(gamma=1e1)")) == str(losses.get("hinge+r1"))
    )
    assert str(losses.get("lsgan(a=-0.0)")) == "lsgan(a=0, b=1, c=1)"
    assert str(losses.get("hinge + r1(gamma=1e+3)")) == "hinge + r1(gamma=1000, every=1)"
    assert str(losses.get("hinge + r1(gamma=.00001)")) == "hinge + r1(gamma=1e-05, every=1)"


def test_the_short_spelling_leaves_defaults_out() -> None:
    assert losses.get("hinge + r1(gamma=10, every=16) + weight_clip").short == "hinge + r1(every=16) + weight_clip"


def test_a_catalogue_method_may_come_first_and_is_extended() -> None:
    extended = losses.get("wgan-gp + r2(gamma=1)")
    assert str(extended) == "wasserstein + gp1(weight=10, target=1, every=1) + r2(gamma=1, every=1)"
    assert extended.name == str(extended)
    assert extended.recipe is None


def test_a_name_that_is_method_and_part_is_read_by_its_place() -> None:
    assert str(losses.get("dragan")) == METHODS["dragan"]
    assert str(losses.get("hinge + dragan")) == "hinge + dragan(weight=10, k=1, every=1)"
    assert losses.get("lsgan").name == "lsgan"
    assert losses.get("lsgan(a=-1, b=1, c=0)").name == "lsgan-pearson"
    assert losses.get("lsgan(a=-2, b=1, c=0)").name == "lsgan(a=-2, b=1, c=0)"
    assert losses.get("lsgan(0, 1.0)").recipe == losses.get("lsgan").recipe


def test_the_order_of_kinds_is_fixed_and_transforms_keep_theirs() -> None:
    method = losses.get("hinge + weight_clip + instance_noise + r2 + gp1")
    assert [part.name for part in method.parts] == ["hinge", "gp1", "r2", "instance_noise", "weight_clip"]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("hinje", r"unknown loss 'hinje' \(did you mean \"hinge\"\?\); losses.names\(\) lists all of them$"),
        ("WGAN_GP", r"did you mean \"wgan-gp\""),
        ("hinge + weight_clp", r"unknown part 'weight_clp' \(did you mean \"weight_clip\"\?\)"),
        ("hinge + r1(gama=3)", r"r1 has no parameter 'gama' \(did you mean \"gamma\"\?\); it takes gamma, every"),
        ("hinge(margin=1)", r"hinge has no parameter 'margin'; it takes no parameters"),
        ("hinge(1)", r"hinge takes no parameters: 1 given by position"),
        ("hinge + r1(1, 2, 3)", r"r1 takes gamma, every: 3 given by position"),
        ("hinge + r1(gamma=big)", r"r1: cannot read the argument 'gamma=big': expected parameter=value"),
        ("hinge + r1(gamma=nan)", r"r1: cannot read the argument 'gamma=nan'"),
        ("hinge + r1(gamma=1e999)", r"r1\(gamma=inf\): expected a finite number"),
        ("hinge + r1(gamma=" + "9" * 400 + ")", r"expected a finite number"),
        ("hinge + r1(every=" + "9" * 400 + ")", r"expected a whole number of at most 63 bits"),
        ("hinge + r1(every=9223372036854775808)", r"expected a whole number of at most 63 bits"),
        ("hinge + r1(gamma=True)", r"r1\(gamma=True\): expected a float, such as gamma=10"),
        ("hinge + r1(every=1.5)", r"r1\(every=1.5\): expected an int, such as every=1"),
        ("hinge + r1(every=0)", r"r1\(every=0\): expected at least 1"),
        ("hinge + r1(gamma=-1)", r"r1\(gamma=-1\): expected at least 0"),
        ("wasserstein + weight_clip(c=0)", r"weight_clip\(c=0\): expected more than 0"),
        ("wasserstein + weight_clip(clip_norm_affine=1)", r"expected True or False"),
        ("hinge + r1(gamma=1, 3)", r"r1: a positional argument follows a named one"),
        ("hinge + r1(1, gamma=2)", r"r1: the parameter 'gamma' is given twice"),
        ("hinge + r1 + r1(gamma=2)", r"r1 is given twice"),
        ("dragan + dragan", r"dragan is given twice"),
        ("hinge + bce_ns", r"bce_ns would be a second objective"),
        ("hinge + nsgan-r1", r"nsgan-r1 would be a second objective"),
        ("topk", r"topk is a transform; an expression starts with an objective or a method: 'nsgan \+ topk'"),
        ("r1 + topk", r"topk acts on a game: begin with an objective, such as 'nsgan \+ topk'"),
        ("r1 + hinge", r"hinge would be a second objective"),
        ("wgan-gp(weight=3)", r"wgan-gp is a method and takes no arguments: write out 'wasserstein \+ gp1\(weight=10"),
        ("", r"a term is empty"),
        ("hinge + ", r"a term is empty"),
        ("hinge r1", r"cannot read 'hinge r1'"),
        ("hinge + r1((1)", r"cannot read 'r1\(\(1\)'"),
        ("hinge + r1(gamma=1))", r"cannot read"),
    ],
)
def test_mistakes_name_the_nearest_valid_spelling(expression: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        losses.get(expression)


@settings(max_examples=300, deadline=None, database=None)
@given(st.text(alphabet="hinge r1+(),=.0e-gamwNT\n", max_size=40))
def test_any_text_is_read_or_refused_with_a_value_error(text: str) -> None:
    try:
        method = losses.get(text)
    except ValueError:
        return
    assert losses.get(str(method)) == method
