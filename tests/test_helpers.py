"""What the tests' helpers promise, where a fault in one would let tests pass that should fail."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from directions import DIRECTIONS, derivatives_agree
from slow_cases import mostly_slow, sampled
from torch import Tensor
from torch.autograd.gradcheck import GradcheckError

COUNT = 5 * DIRECTIONS + 3


@pytest.mark.parametrize("wrong", [None, 0, COUNT - 1])
def test_one_wrong_derivative_among_many_is_found(wrong: int | None) -> None:
    def function(point: Tensor, other: Tensor) -> Tensor:
        value = point.sin().sum() * other.cos().sum()
        return value if wrong is None else value + point[wrong].detach() * point[wrong]

    rng = torch.Generator().manual_seed(0)
    points = [torch.randn(size, generator=rng, dtype=torch.float64) for size in (COUNT, 2)]
    if wrong is None:
        assert derivatives_agree(function, points)
    else:
        with pytest.raises(GradcheckError, match="Jacobian mismatch for output 0"):
            derivatives_agree(function, points)


def test_a_few_cases_of_a_sweep_stay_fast() -> None:
    cases = mostly_slow(["a", "b", "c"], fast=["b"])
    assert [(case.values, [mark.name for mark in case.marks]) for case in cases] == [
        (("a",), ["slow"]),
        (("b",), []),
        (("c",), ["slow"]),
    ]
    several = mostly_slow([("a", 1), ("b", 2)], fast=["a"])
    assert [(case.values, len(case.marks)) for case in several] == [(("a", 1), 0), (("b", 2), 1)]


def test_a_fast_case_that_is_no_more_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"no such cases: \['gone'\]"):
        mostly_slow(["a", "b"], fast=["a", "gone"])


def test_of_a_sampled_sweep_every_so_many_stay_fast() -> None:
    cases = sampled(["a", "b", ("c", 1), "d"], every=2)
    assert [(case.values, len(case.marks)) for case in cases] == [(("a",), 0), (("b",), 1), (("c", 1), 0), (("d",), 1)]


SPENDING = """
import subprocess, sys, time
BURN = "import time\\nwhile time.process_time() < 0.5: pass"

def test_in_this_process():
    end = time.process_time() + 0.3
    while time.process_time() < end:
        pass

def test_in_a_child():
    subprocess.run([sys.executable, "-c", BURN], check=True)

def test_waiting():
    time.sleep(0.3)

def test_with_other_seconds(monkeypatch):
    monkeypatch.setattr("resource.getrusage", None)
"""


@pytest.mark.slow
def test_the_cpu_seconds_of_tests_are_those_of_them_and_their_children_without_waiting(tmp_path: Path) -> None:
    (tmp_path / "test_spending.py").write_text(SPENDING)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "cpu_seconds", "-p", "xdist", "--numprocesses=1", "--rootdir=."],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent / "helpers"), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    found = {name: float(seconds) for seconds, name in re.findall(r"^ +([\d.]+) \S+::test_(\w+)$", done.stdout, re.M)}
    assert 0.3 <= found["in_this_process"] < 0.5
    assert 0.5 <= found["in_a_child"] < 1.0
    assert found["waiting"] < 0.1
    (whole,) = re.findall(r"^ +([\d.]+) +4 in all", done.stdout, re.M)
    assert float(whole) == pytest.approx(sum(found.values()), abs=0.11)
