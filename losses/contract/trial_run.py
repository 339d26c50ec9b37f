"""Whether a part can be computed at all. Where it cannot, that is one mistake, which every check would find again."""

import inspect
from difflib import get_close_matches
from typing import get_args

import torch
from torch import Tensor

from losses import plugins
from losses.context import Context
from losses.contract.check import Case, place_of
from losses.contract.toy_problem import ToyProblem, method_with
from losses.method import Method
from losses.parts import LogitTransform, Objective, Part, Regularizer
from losses.suggest import did_you_mean
from losses.types import PHASES, Need

NAME = "trial run"
"""What a failure is called among the findings; one that succeeds is not mentioned."""

UNMADE = "it cannot be made with its defaults"
"""How the failure begins where there is no part to compute, nor to describe."""


def trial_run(case: Case[Part]) -> str:
    """Compute both phases of a method with the part once, and say what went wrong; nothing where nothing did."""
    if lacking := _lacking(case.part_class):
        return f"{UNMADE}: {lacking}"
    try:
        part = _attended(case.part)
    except Exception as error:  # noqa: BLE001 - whatever a user's part raises is what is to be told
        return f"{UNMADE}: {type(error).__name__}: {error}"
    try:
        world = ToyProblem(method_with(part), case.seed)
        for phase in PHASES:
            _check(case.part_class, world.run(phase)[world.method.objective.name].value, f"{phase}'s loss")
    except AssertionError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001
        return f"{_words(error)}{place_of(case.part_class, error)}"
    return ""


def trial_run_of(method: Method) -> str:
    """Compute both phases of a whole method once, as a training loop does, and say what went wrong.

    It is given real images in the generator's phase only where it declares to look at them. The images are small ones;
    a part that can only be computed on others is told so too.
    """
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        try:
            problem = ToyProblem(method)
            for phase in PHASES:
                total = problem.run_frugally(phase, frozenset(get_args(Need))).total
                assert total.isfinite(), f"the {phase}'s loss is {total.item()}"
        except AssertionError as error:
            return str(error)
        except Exception as error:  # noqa: BLE001
            places = (place_of(type(part), error) for part in method.parts)
            return _words(error) + next(filter(None, places), "")
    return ""


def _attended(part: Part) -> Part:
    """Return a regularizer that has its term looked at before anything is computed with it; any other part as it is."""
    if not isinstance(part, Regularizer):
        return part
    kind = type(part)

    def call(this: Regularizer, context: Context) -> Tensor:
        value = kind.__call__(this, context)
        _check(kind, value, "term")
        return value

    attended: Part = type(kind.__name__, (kind,), {"__call__": call})()
    return attended


def _lacking(kind: type[Part]) -> str:
    """Say what a class still has to define, with the line to write; nothing where it defines all."""
    own = [name for name in vars(kind) if not name.startswith("_")]
    lines = []
    for name in sorted(kind.__abstractmethods__):
        promised = getattr(kind, name)
        if isinstance(promised, property):
            line = f"{name}: int = losses.parameter(1, ge=1)"
        else:
            bare = [item.replace(annotation=item.empty) for item in inspect.signature(promised).parameters.values()]
            line = f"def {name}{inspect.Signature(bare)}"
        near = get_close_matches(name, own, n=1)
        lines.append(f"`{line}`" + (f" (there is `{near[0]}`)" if near else ""))
    if issubclass(kind, Regularizer | LogitTransform) and getattr(kind, "phase", None) not in PHASES:
        lines.append('`phase: ClassVar = "generator"`, or "discriminator"')
    return f"{kind.__qualname__} lacks {' and '.join(lines)}" if lines else ""


def _check(kind: type[Part], value: object, what: str) -> None:
    where = "__call__" if what == "term" else f"{what.removesuffix(chr(39) + 's loss')}()"
    cut = "" if value is None or isinstance(value, tuple) else "; float(), .item() and numpy cut off the gradient"
    assert isinstance(value, Tensor), (
        f"the {what} is {_article(value)}: {where} of {kind.__qualname__} must return a tensor with a single "
        f"number{cut}"
    )
    if issubclass(kind, Objective | Regularizer):
        assert value.shape == (), f"the {what} has shape {tuple(value.shape)}: reduce it by the batch mean"
        assert bool(value.isfinite()), (
            f"the {what} is {value.item()} on an ordinary batch: is there a logarithm, a root or a division of what "
            "can be zero or negative?"
        )
    if what == "term" and not {"derivative", "phase"} & kind.waived.keys():
        assert value.requires_grad, "no gradient comes out of the term: it is detached from the networks"


def _article(value: object) -> str:
    return "None" if value is None else f"of type {type(value).__name__}"


def _words(error: Exception) -> str:
    """Return an error in one line; a name that something does not have comes with the nearest one that it has."""
    nearest = ""
    if "numpy() on Tensor that requires grad" in str(error):
        return "numpy cuts off the gradient, and so does detach(): compute the loss with functions of torch"
    if isinstance(error, AttributeError) and error.obj is not None:
        nearest = did_you_mean(error.name or "", [name for name in dir(error.obj) if not name.startswith("_")])
    return f"{type(error).__name__}: {plugins.first_line(error)}{nearest}"
