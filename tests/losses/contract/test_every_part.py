"""Every registered part keeps the contract of its kind."""

import pytest
import torch

import losses
from losses import contract, registry
from losses.contract.toy_problem import ToyProblem, method_with

PARTS = registry.parts()
COSTLY = ("derivative", "order", "repeated batch", "no host read")
"""Half the time of all checks: at every change they are made of every third part, and of the others by `make slow`."""

CASES = [
    pytest.param(
        part, check, id=f"{name}: {check.name}", marks=pytest.mark.slow if at % 3 and check.name in COSTLY else ()
    )
    for at, (name, part) in enumerate(PARTS.items())
    for check in contract.checks(part)
]


@pytest.mark.parametrize(("part", "check"), CASES)
def test_every_part_keeps_the_contract(part: type[losses.Part], check: contract.Check) -> None:
    finding = contract.weigh(check, part.waived.get(check.name))
    assert not finding.is_failure, finding.message


@pytest.mark.parametrize("name", PARTS)
def test_every_waiver_is_of_a_check(name: str) -> None:
    assert [each.message for each in contract.other_waivers(PARTS[name]) if each.is_failure] == []


def test_nothing_of_it_touches_the_global_random_numbers() -> None:
    before = torch.random.get_rng_state()
    ToyProblem(method_with(PARTS["instance_noise"]())).run("discriminator")
    assert torch.equal(before, torch.random.get_rng_state())
    contract.examine(PARTS["hinge"])
    contract.examine(PARTS["gp1"])
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("network", ["critic", "generator"])
def test_a_world_is_the_same_every_time_and_another_with_another_seed(network: str) -> None:
    one, again, other = (list(getattr(ToyProblem(method_with(), seed), network).parameters()) for seed in (0, 0, 1))
    assert all(map(torch.equal, one, again))
    assert not any(map(torch.equal, one, other))


def test_the_costly_checks_are_there() -> None:
    assert {*COSTLY} <= {check.name for part in PARTS.values() for check in contract.checks(part)}
