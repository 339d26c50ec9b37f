"""What a check says, how a waiver is weighed, and what guards against reading from the host."""

from collections.abc import Callable

import pytest
import torch
from made_parts import failures, make_objective, make_regularizer
from torch import Tensor
from torch.nn.functional import softplus

from losses import contract
from losses.contract.host_sync import ForbidHostSync


@pytest.mark.usefixtures("scratch_registry")
def test_a_waived_check_that_fails_is_no_failure() -> None:
    made = make_objective(generator=lambda b, _: softplus(-b).sum(), waived={"repeated batch": "a sum on purpose"})
    found = contract.examine(made)
    assert [(each.state, each.message) for each in found if each.check == "repeated batch"] == [
        ("waived", "a sum on purpose")
    ]
    assert contract.verdict("made", found) == f"made: ready ({len(found) - 1} checks passed, 1 waived)"


@pytest.mark.usefixtures("scratch_registry")
def test_a_waiver_of_what_passes_is_stale_and_counts_as_a_failure() -> None:
    found = contract.examine(make_objective(waived={"signs": "once it was so"}))
    (signs,) = [each for each in found if each.check == "signs"]
    assert (signs.state, signs.is_failure) == ("stale", True)
    assert "take the waiver out, which says 'once it was so'" in signs.message
    assert contract.verdict("made", found) == "made: 1 check failed"


@pytest.mark.usefixtures("scratch_registry")
def test_a_waiver_of_no_check_names_the_nearest() -> None:
    found = failures(make_objective(waived={"sings": "a slip"}))
    assert list(found) == ["sings"]
    assert "objective, is called 'sings' (did you mean \"signs\"?): take the waiver out" in found["sings"]


@pytest.mark.usefixtures("scratch_registry")
def test_a_waiver_for_another_device_is_simply_waived(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    found = contract.examine(make_objective(waived={"capture": "it allocates"}))
    assert (found[-1].check, found[-1].state, found[-1].message) == ("capture", "waived", "it allocates")


@pytest.mark.usefixtures("scratch_registry")
def test_a_check_says_what_it_promises_and_what_came_instead() -> None:
    made = make_regularizer(lambda context: context.nonsense)
    (scalar,) = [check for check in contract.checks(made) if check.name == "scalar"]
    assert scalar.says == "The term is a single finite number, in float32 or float64 as the networks are."
    with pytest.raises(AssertionError, match="AttributeError: 'Context' object has no attribute 'nonsense'"):
        scalar()


@pytest.mark.parametrize(
    "reads",
    [
        lambda x: x.sum().item(),
        lambda x: bool(x.sum() > 0),
        lambda x: x[x > 0],
        lambda x: x.unique(),
        lambda x: x.nonzero(),
        lambda x: torch.equal(x, x),
        lambda x: x.masked_select(x > 0),
        lambda x: torch.linalg.eigh(x @ x.T),
        lambda x: torch.linalg.inv(x),
        lambda x: x.index_put((x > 0,), torch.zeros(())),
    ],
)
def test_the_guard_against_reading_bites(reads: Callable[[Tensor], object]) -> None:
    x = torch.tensor([[2.0, 1.0], [1.0, 3.0]])
    reads(x)
    with pytest.raises(AssertionError, match="reads"), ForbidHostSync():
        reads(x)


def test_the_guard_against_reading_lets_everything_else_pass() -> None:
    x = torch.tensor([[2.0, 1.0], [1.0, 3.0]], requires_grad=True)
    with ForbidHostSync():
        torch.where(x > 0, x[:, [1, 0]].sort().values, x.cumsum(0)).square().mean().backward()
    assert x.grad is not None
