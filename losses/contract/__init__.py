"""The contract of the four kinds of part, as checks that any part can be put to: this library's and yours.

    import losses.contract

    for finding in losses.contract.examine(MyLoss):
        print(finding.check, finding.state, finding.message)

A check that a part cannot pass by its nature is declared in its `waived`, name to reason. It is run all the same, and a
waiver of a check that passes is a failure.
"""

from collections.abc import Callable
from typing import Any, Final

import torch

from losses.contract import common, constraints, objectives, regularizers, transforms
from losses.contract.check import Case, Check, Finding, Outcome, UndecidedError, named, verdict, weigh
from losses.contract.host_sync import ForbidHostSync
from losses.contract.trial_run import NAME, UNMADE, trial_run, trial_run_of
from losses.parts import Constraint, InputTransform, LogitTransform, Objective, Part, Regularizer
from losses.suggest import did_you_mean

_Function = Callable[[Case[Any]], None]

_OF_KIND: Final[dict[type[Part], tuple[_Function, ...]]] = {
    Objective: objectives.ALL,
    Regularizer: (*regularizers.ALL, common.state),
    InputTransform: (*transforms.ON_INPUTS, common.state),
    LogitTransform: (*transforms.ON_LOGITS, common.state),
    Constraint: constraints.ALL,
}


def checks(part_class: type[Part]) -> list[Check]:
    """Return the checks of a part's kind, in the order to read them in. Those for CUDA are left out without a GPU."""
    on_cuda = common.ON_CUDA if torch.cuda.is_available() else ()
    functions = (*common.FIRST, *_of_kind(part_class), *common.LAST, *on_cuda)
    return [Check(*named(function), function=function, part_class=part_class) for function in functions]


def examine(part_class: type[Part]) -> list[Finding]:
    """Run every check of a part, and weigh its waivers. The global random state stays as it is."""
    weighed = [weigh(check, part_class.waived.get(check.name)) for check in checks(part_class)]
    return [*weighed, *other_waivers(part_class)]


def diagnose(part_class: type[Part]) -> list[Finding]:
    """Do as `examine` does, unless the part cannot be computed at all, which every check would find again.

    Such a part has one failure, of its trial run, that says why; the checks that compute it are left untried.
    """
    listed = checks(part_class)
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        wrong = trial_run(Case(part_class))
    if not wrong:
        return examine(part_class)
    apart = (common.registration,) if wrong.startswith(UNMADE) else (common.registration, common.description)
    told = {name for name, _ in map(named, apart)}
    findings = [weigh(check, part_class.waived.get(check.name)) for check in listed if check.name in told]
    untried = [Finding(check.name, "untried", f"the {NAME} says why") for check in listed if check.name not in told]
    return [*findings, Finding(NAME, "failed", wrong), *untried]


def other_waivers(part_class: type[Part]) -> list[Finding]:
    """Return what comes of the waivers of no listed check: it needs another device, or it does not exist."""
    listed = [check.name for check in checks(part_class)]
    elsewhere = [named(function)[0] for function in common.ON_CUDA]
    known = [*listed, *elsewhere]
    findings = []
    for name, reason in part_class.waived.items():
        if name in elsewhere and name not in listed:
            findings.append(Finding(name, "waived", reason))
        elif name not in known:
            hint = did_you_mean(name, known)
            message = f"no check of this kind of part, {part_class.kind}, is called {name!r}{hint}: take the waiver out"
            findings.append(Finding(name, "failed", message))
    return findings


def _of_kind(part_class: type[Part]) -> tuple[_Function, ...]:
    return next(functions for kind, functions in _OF_KIND.items() if issubclass(part_class, kind))


__all__ = [
    "Check",
    "Finding",
    "ForbidHostSync",
    "Outcome",
    "UndecidedError",
    "checks",
    "diagnose",
    "examine",
    "other_waivers",
    "trial_run_of",
    "verdict",
    "weigh",
]
