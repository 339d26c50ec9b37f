"""The script that times training runs, checks what it times, and writes what `compare` reads; no clock decides."""

import sys
from pathlib import Path

import pytest
import torch

from bench.store.timings import read_timings

sys.path.insert(0, str(Path(__file__).parent))

import training_speed


@pytest.fixture(autouse=True)
def _threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_every_line_is_timed_beside_its_reference_and_written(tmp_path, capsys):
    output = tmp_path / "speed.json"
    training_speed.main(["--output", str(output), "--width", "4", "--seconds", "0.01", "--steps", "1", "--packs", "2"])
    printed = capsys.readouterr().out
    for line in (
        "engine, fp32 | reference loop",
        "engine, bf16 | reference loop",
        "engine, fp32 | bare step",
        "pack of 2, fp32 | reference loop",
    ):
        assert line in printed
    assert "floor of a step in bf16" in printed
    found = read_timings(output)
    assert len(found.benchmarks) == 10
    assert all(len(each.seconds) >= 4 for each in found.benchmarks)


def test_an_engine_that_trains_otherwise_is_not_timed(monkeypatch):
    bench = training_speed.Bench(torch.device("cpu"), 4, training_speed.Effort())
    bench.check()
    plain = training_speed.reference_loop.discriminator_loss
    monkeypatch.setattr(training_speed.reference_loop, "discriminator_loss", lambda *given: 1.01 * plain(*given))
    with pytest.raises(SystemExit, match="step 0: the engine has"):
        bench.check()
