"""The script that holds precisions against float32: its verdicts, and one run of it."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import precisions

from bench.execution.inline import InlineExecutor


@pytest.mark.parametrize(
    ("found", "within"),
    [([10.0, 14.0, 18.0], True), ([13.9, 17.9, 21.9], True), ([14.1, 18.1, 22.1], False), ([5.9, 9.9, 13.9], False)],
)
def test_a_precision_may_be_as_far_off_as_seeds_scatter(found, within):
    text, verdict = precisions.line("bf16", found, [10.0, 14.0, 18.0])  # whose standard deviation is 4
    assert verdict is within
    assert text.endswith("| 4 |")


def test_a_run_without_a_distance_is_no_match():
    assert precisions.line("bf16", [10.0, float("inf")], [10.0, 14.0]) == ("| bf16 | 10, inf | – | – |", False)


@pytest.mark.slow
def test_both_precisions_of_a_toy_are_trained_and_compared(capsys, monkeypatch):
    # In this process: four others would each import torch first.
    monkeypatch.setattr(precisions, "LocalExecutor", lambda workers: InlineExecutor())
    with pytest.raises(SystemExit) as ended:
        precisions.main(["--workload", "ring8", "--seeds", "2", "--steps", "3"])
    fp32, bf16 = capsys.readouterr().out.splitlines()[2:]
    assert fp32.startswith("| fp32 | ")
    assert fp32.split(" | ")[2] == "+0"
    assert bf16.startswith("| bf16 | ")
    assert ended.value.code in (0, 1)
    assert fp32.split(" | ")[1] != bf16.split(" | ")[1]
