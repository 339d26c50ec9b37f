"""Whether a part can be computed at all. Where it cannot, that is one mistake, which every check would find again."""

from torch import Tensor

from losses import plugins
from losses.context import Context
from losses.contract.check import Case, place_of
from losses.contract.toy_problem import PHASES, ToyProblem, method_with
from losses.parts import Objective, Part, Regularizer
from losses.suggest import did_you_mean

NAME = "trial run"
"""What a failure is called among the findings; one that succeeds is not mentioned."""

UNMADE = "it cannot be made with its defaults"
"""How the failure begins where there is no part to compute, nor to describe."""


def trial_run(case: Case[Part]) -> str:
    """Compute both phases of a method with the part once, and say what went wrong; nothing where nothing did."""
    try:
        part = _attended(case.part)
    except Exception as error:  # noqa: BLE001 - whatever a user's part raises is what is to be told
        return f"{UNMADE}: {type(error).__name__}: {error}"
    try:
        world = ToyProblem(method_with(part), case.seed)
        for phase in PHASES:
            _check(case.part_class, world.run(phase)[world.method.objective.name].value, "loss")
    except AssertionError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001
        return f"{_words(error)}{place_of(case.part_class, error)}"
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


def _check(kind: type[Part], value: object, what: str) -> None:
    where = "__call__" if what == "term" else "discriminator() and generator()"
    assert isinstance(value, Tensor), (
        f"the {what} is {_article(value)}: {where} of {kind.__qualname__} must return a tensor with a single number"
    )
    if issubclass(kind, Objective | Regularizer):
        assert value.shape == (), f"the {what} has shape {tuple(value.shape)}: reduce it by the batch mean"
    if what == "term" and not {"derivative", "phase"} & kind.waived.keys():
        assert value.requires_grad, "no gradient comes out of the term: it is detached from the networks"


def _article(value: object) -> str:
    return "None" if value is None else f"of type {type(value).__name__}"


def _words(error: Exception) -> str:
    """Return an error in one line; a name that something does not have comes with the nearest one that it has."""
    nearest = ""
    if isinstance(error, AttributeError) and error.obj is not None:
        nearest = did_you_mean(error.name or "", [name for name in dir(error.obj) if not name.startswith("_")])
    return f"{type(error).__name__}: {plugins.first_line(error)}{nearest}"
