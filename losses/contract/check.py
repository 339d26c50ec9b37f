"""What a check is, what comes of it, and how a waiver is weighed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, TypeVar

import torch

from losses import plugins
from losses.parts import Part

AnyPart = TypeVar("AnyPart", bound=Part, covariant=True)
Outcome = Literal["passed", "failed", "waived", "stale", "undecided", "untried"]

TRIES: Final = 3
"""How many seeds a waived check must pass on before its waiver counts as stale."""


class UndecidedError(Exception):
    """A check cannot be decided for this part: it neither holds nor fails."""


@dataclass(frozen=True)
class Case(Generic[AnyPart]):
    """The part under examination, and the seed of all that the check makes up."""

    part_class: type[AnyPart]
    seed: int = 0

    @property
    def part(self) -> AnyPart:
        """The part with its default parameters."""
        return self.part_class()


@dataclass(frozen=True)
class Check:
    """One promise of a part. Calling it raises AssertionError, with what to mend, where the part breaks it."""

    name: str
    says: str
    """The promise in one sentence."""
    function: Callable[[Case[Any]], None]
    part_class: type[Part]

    def __call__(self, seed: int = 0) -> None:
        """Run the check on networks and batches made from a seed. The global random state stays as it is.

        Raises:
            AssertionError: the part breaks the promise, or an error of any kind came out of it.
            UndecidedError: the promise does not apply to this part.
        """
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            try:
                self.function(Case(self.part_class, seed))
            except (AssertionError, UndecidedError):
                raise
            except Exception as error:
                where = place_of(self.part_class, error)
                raise AssertionError(f"{type(error).__name__}: {plugins.first_line(error)}{where}") from error


@dataclass(frozen=True)
class Finding:
    """What came of one check.

    `stale` is a waiver of a check that passes all the same; it counts as a failure, so that no exception outlives its
    reason. `undecided` is neither: the check does not apply. Nor is `untried`: the part cannot be computed, as another
    finding says.
    """

    check: str
    state: Outcome
    message: str = ""

    @property
    def is_failure(self) -> bool:
        return self.state in ("failed", "stale")


def named(function: Callable[[Case[Any]], None]) -> tuple[str, str]:
    """Return a check's name and promise: its function's name in words, and the first line of its docstring."""
    assert function.__doc__ is not None
    return function.__name__.replace("_", " "), function.__doc__.splitlines()[0]


def weigh(check: Check, waiver: str | None) -> Finding:
    """Run a check, several times where it is waived, and say what came of it."""
    try:
        for seed in range(1 if waiver is None else TRIES):
            check(seed)
    except UndecidedError as reason:
        return (
            Finding(check.name, "undecided", str(reason)) if waiver is None else Finding(check.name, "waived", waiver)
        )
    except AssertionError as error:
        return Finding(check.name, "failed", str(error)) if waiver is None else Finding(check.name, "waived", waiver)
    if waiver is None:
        return Finding(check.name, "passed", check.says)
    return Finding(check.name, "stale", f"it passes: take the waiver out, which says {waiver!r}")


def verdict(name: str, findings: Sequence[Finding]) -> str:
    """Return the outcome for a part in one line: "cubic: ready (17 checks passed, 1 waived)"."""
    failures = sum(finding.is_failure for finding in findings)
    if failures:
        untried = sum(finding.state == "untried" for finding in findings)
        return f"{name}: {_checks(failures)} failed" + (f", {untried} not tried" if untried else "")
    counts = {state: sum(finding.state == state for finding in findings) for state in ("waived", "undecided")}
    passed = sum(finding.state == "passed" for finding in findings)
    rest = "".join(f", {count} {state}" for state, count in counts.items() if count)
    return f"{name}: ready ({_checks(passed)} passed{rest})"


def place_of(part_class: type[Part], error: Exception) -> str:
    """Return " (my_losses.py, line 12)" where an error has come through the file of a part."""
    path = plugins.file_of(part_class.__module__)
    line = "" if path is None else plugins.line_of(path, error)
    return f" ({path.name}{line})" if path is not None and line else ""


def _checks(count: int) -> str:
    return f"{count} check" if count == 1 else f"{count} checks"
