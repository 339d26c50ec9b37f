"""The loops of README and examples/ run as they are printed there."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import _digits
import plain_loop
import pytest
import torch
from torch import nn

import losses

ROOT = Path(__file__).parents[2]
LOOPS = ROOT / "examples"
NUMBER = re.compile(r"-?\d+\.\d+")


def run(script: str, *arguments: str) -> str:
    """Run a loop in a process of its own and return what it prints."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(LOOPS / script), *arguments],
        env=environment, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def numbers(printed: str) -> list[float]:
    return [float(number) for number in NUMBER.findall(printed)]


def test_the_loop_of_the_readme_is_whole_and_short() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = [block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "Criterion" in block]
    assert len([line for line in block.splitlines() if line.strip()]) < 20
    torch.manual_seed(0)
    generator, discriminator = nn.Linear(128, 6), nn.Linear(6, 1)
    before = [weights.detach().clone() for player in (generator, discriminator) for weights in player.parameters()]
    names = {"generator": generator, "discriminator": discriminator, "batches": torch.randn(17, 4, 6)}
    exec(block, names)
    criterion: losses.Criterion = names["criterion"]
    assert (criterion.discriminator_updates, criterion.generator_updates) == (17, 17)
    after = [weights for player in (generator, discriminator) for weights in player.parameters()]
    assert not any(torch.equal(one, other) for one, other in zip(before, after, strict=True))


@pytest.mark.slow
def test_the_dcgan_loop_trains() -> None:
    printed = run("dcgan.py", "--steps", "30")
    first, last = (numbers(line) for line in printed.splitlines())
    assert first[0] == pytest.approx(2 * 0.6931, abs=0.05), "a discriminator that knows nothing is at 2 log 2"
    assert last[0] < first[0] - 0.2


def test_the_plain_loop_prints_its_first_and_its_last_step(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The cheap sibling of the next one, in this process and on few images."""
    monkeypatch.setattr(plain_loop, "batches", lambda _, steps: _digits.batches(8, steps))
    monkeypatch.setattr(sys, "argv", ["plain_loop.py", "--steps", "6"])
    with torch.random.fork_rng(devices=[]):
        plain_loop.main()
    first, last = capsys.readouterr().out.splitlines()
    assert (first.partition(":")[0], last.partition(":")[0]) == ("step 0", "step 5")
    assert numbers(last)[0] < numbers(first)[0] - 0.05


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["nsgan", "nsgan-r1"])
def test_the_plain_loop_trains(loss: str) -> None:
    printed = run("plain_loop.py", "--steps", "10", "--loss", loss)
    first, last = (numbers(line) for line in printed.splitlines())
    assert len(first) == len(last) == 2
    assert last[0] < first[0] - 0.05


@pytest.mark.slow
def test_the_loop_in_bfloat16_goes_on_from_its_checkpoint_as_if_nothing_had_happened() -> None:
    whole, interrupted = (run("bf16.py", "--steps", "12", "--interrupt-at", at) for at in ("-1", "7"))
    assert interrupted == whole
    assert all(abs(number) < 100 for number in numbers(whole))


@pytest.mark.slow  # test_processes.py has the same of threads
@pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no torch.distributed")
def test_two_processes_end_where_one_does() -> None:
    one, two = (numbers(run("two_processes.py", "--steps", "6", "--processes", count)) for count in ("1", "2"))
    assert len(one) == len(two) == 6
    assert two[-2:] == pytest.approx(one[-2:], rel=1e-6)
    assert two == pytest.approx(one, rel=1e-3)


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no torch.distributed")
@pytest.mark.parametrize("count", ["3", "0", "128"])
def test_processes_that_would_hold_unequal_parts_are_refused(
    count: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They would end each other in the middle of a sum over all of them."""
    monkeypatch.setattr(sys, "argv", ["two_processes.py", "--processes", count])
    with pytest.raises(SystemExit, match="2"):
        runpy.run_path(str(LOOPS / "two_processes.py"), run_name="__main__")
    assert f"--processes {count} do not divide a batch of 64" in capsys.readouterr().err


@pytest.mark.slow
def test_the_conditional_patch_loop_is_lazy_and_its_classes_learn(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["conditional_patches.py", "--steps", "18"])
    with torch.random.fork_rng(devices=[]):
        criterion: losses.Criterion = runpy.run_path(str(LOOPS / "conditional_patches.py"))["criterion"]
    printed = capsys.readouterr().out
    with_penalty = ["R1" in line for line in printed.splitlines()]
    assert with_penalty == [True, True, False], "steps 0, 16 and 17"
    assert all(abs(number) < 100 for number in numbers(printed))
    for player in (criterion.discriminator, criterion.generator):
        assert player.embedding.weight.grad.any(dim=1).tolist() == [True] * 10, "at the last step"


def test_the_page_names_every_loop() -> None:
    page = (LOOPS / "README.md").read_text(encoding="utf-8")
    assert {path.name for path in LOOPS.glob("[a-z]*.py")} == set(re.findall(r"\]\((\w+\.py)\)", page))
