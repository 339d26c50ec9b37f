"""What finds all modes and is no data scores nothing, by the real metrics; real data score nearly 1."""

import pytest
import torch
from impostors import DEGRADED, IMPOSTOR, REAL, cases, judge
from slow_cases import mostly_slow

from bench import data
from bench.metrics.evaluate import Evaluator

LEAST_REAL, MOST_IMPOSTOR = 0.97, 0.15
FEW = 10_000
"""As many stacks as coverage looks at; every mode is met ten times."""

QUICK = (
    "training stacks",
    "average of two stacks",
    "smooth random fields, 9",
    "uniform noise",
    "one mode only",
    "a quarter of a second stack",
)


def held(evaluator, workload, case, count):
    judged = judge(evaluator, workload, case, count)
    assert 0.0 <= judged.score <= judged.without <= 1.0
    if case.kind == REAL:
        assert judged.score >= LEAST_REAL, judged
    if case.kind == IMPOSTOR:
        assert judged.score < MOST_IMPOSTOR, judged
    return judged


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ring8", "grid25"])
def test_points_that_miss_the_modes_score_nothing(name):
    workload, arrays = data.workload(name), data.load(name)
    evaluator = Evaluator(workload, arrays, torch.device("cpu"))
    judged = {case.name: held(evaluator, workload, case, workload.samples) for case in cases(workload, arrays)}
    # Modes alone do not tell them from data: what is tested here is the fidelity.
    told = ["modes blurred tenfold", "uniform square", *(["continuous circle"] if name == "ring8" else [])]
    assert all(judged[each].without > 0.9 for each in told)
    widths = ["the mixture itself", "twice as wide", "four times as wide", "modes blurred tenfold"]
    # P(|x| < 3 sigma) for a width w times sigma is 1 - exp(-9 / (2 w^2)).
    assert [judged[each].fidelity for each in widths] == pytest.approx([1.0, 0.6827, 0.2482, 0.0445], abs=0.02)


@pytest.fixture(scope="module")
def stacked(digits):
    return Evaluator(data.workload("stacked-digits"), digits, torch.device("cpu"), samples=FEW)


@pytest.mark.slow
@pytest.mark.parametrize("name", mostly_slow(QUICK, fast=["average of two stacks"]))
def test_stacks_that_are_no_digits_score_nothing(stacked, digits, name):
    workload = data.workload("stacked-digits")
    (case,) = [each for each in cases(workload, digits) if each.name == name]
    judged = held(stacked, workload, case, FEW)
    if name in ("average of two stacks", "smooth random fields, 9"):
        assert judged.without > 0.6
    if case.kind == DEGRADED:
        assert 0.7 < judged.score < 0.95


@pytest.mark.slow
def test_all_impostors_at_the_full_number_of_samples(digits):
    workload = data.workload("stacked-digits")
    evaluator = Evaluator(workload, digits, torch.device("cpu"))
    judged = {case.name: held(evaluator, workload, case, workload.samples) for case in cases(workload, digits)}
    for order in (
        ["training stacks", "a quarter of a second stack", "average of two stacks"],
        ["noise of 32 levels", "noise of 64 levels", "noise of 160 levels"],
        ["shifted by 2 pixels", "shifted by 4 pixels", "shifted by 8 pixels"],
        ["training stacks", "half of them noise", "uniform noise"],
    ):
        found = [judged[each].score for each in order]
        assert found == sorted(found, reverse=True)
        assert found[0] - found[1] > 0.02


@pytest.mark.slow
def test_stacks_of_mnist_too(mnist_folder, tmp_path):
    workload, arrays = data.workload("stacked-mnist"), data.load("stacked-mnist", mnist_folder)
    evaluator = Evaluator(workload, arrays, torch.device("cpu"), tmp_path, samples=FEW)
    for case in cases(workload, arrays):
        if case.name in (*QUICK, "test stacks"):
            held(evaluator, workload, case, FEW)
