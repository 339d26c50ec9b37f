"""Ranges are opened where they say, in their order, and no number depends on whether anybody watches."""

from contextlib import contextmanager

import pytest
import torch

import losses
from losses.contract.toy_problem import ToyProblem
from losses.profiling import mark, watching


class Diary:
    def __init__(self):
        self.lines = []
        self.depth = 0

    @contextmanager
    def __call__(self, name):
        self.lines.append("  " * self.depth + name)
        self.depth += 1
        yield
        self.depth -= 1


@pytest.mark.parametrize(
    ("method", "phase", "expected"),
    [
        ("nsgan", "discriminator", ["D real", "D fake", "objective"]),
        ("nsgan", "generator", ["G fake", "D fake", "objective"]),
        ("bce_ns + r1", "discriminator", ["D real", "D fake", "objective", "penalty r1", "  input gradient"]),
        (
            "wgan-gp",
            "discriminator",
            ["D real", "D fake", "objective", "penalty gp1", "  D other", "  input gradient"],
        ),
        ("bce_ns + msgan", "generator", ["G fake", "D fake", "objective", "penalty msgan", "  G other"]),
        ("rp_bce", "generator", ["G fake", "D fake", "D real", "objective"]),
    ],
)
def test_the_ranges_of_a_phase(method, phase, expected):
    diary = Diary()
    with watching(diary):
        ToyProblem(losses.get(method)).run(phase)
    assert diary.lines == expected


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("nsgan", ["D real and fake", "objective"]),
        ("bce_ns + r1", ["D real", "D fake", "objective", "penalty r1", "  input gradient"]),
        ("bce_ns + r1 + r2", ["D real and fake", "objective", "penalty r1", "  input gradient", "penalty r2"]),
    ],
)
def test_the_ranges_where_reals_and_fakes_may_share_a_forward(method, expected):
    diary = Diary()
    with watching(diary):
        ToyProblem(losses.get(method)).run("discriminator", concat_batches=True)
    assert diary.lines == expected


def test_nothing_is_opened_without_a_watcher_and_the_one_before_is_back_afterwards():
    outer, inner = Diary(), Diary()
    with watching(outer):
        with pytest.raises(RuntimeError, match="stopped"), watching(inner), mark("in"):
            raise RuntimeError("stopped")
        with mark("out"):
            pass
    with mark("nobody"):
        pass
    assert (outer.lines, inner.lines) == (["out"], ["in"])


@pytest.mark.parametrize("phase", ["discriminator", "generator"])
def test_watching_changes_no_bit(phase):
    def gradients():
        problem = ToyProblem(losses.get("hinge + gp1 + r1 + msgan"))
        problem.run(phase).total.backward()
        return [parameter.grad for parameter in problem.player(phase).parameters()]

    plain = gradients()
    with watching(Diary()):
        watched = gradients()
    assert all(torch.equal(one, other) for one, other in zip(plain, watched, strict=True))
