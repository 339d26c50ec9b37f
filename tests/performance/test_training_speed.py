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


@pytest.mark.slow
def test_every_line_is_timed_beside_its_reference_and_written(tmp_path, capsys):
    output = tmp_path / "speed.json"
    small = ["--width", "4", "--seconds", "0.01", "--steps", "1", "--together", "2", "--threads", "1"]
    training_speed.main(["--output", str(output), *small])
    printed = capsys.readouterr().out
    for line in (
        "engine, fp32 | reference loop",
        "engine, bf16 | reference loop",
        "engine, fp32 | bare step |",
        "engine, bf16 | bare step with the library's losses",
        "2 in a process, fp32 | reference loop",
    ):
        assert line in printed
    assert "floor of a step in bf16" in printed
    assert "host's part of a replayed step" in printed
    found = read_timings(output)
    assert len(found.benchmarks) == 14
    assert all(len(each.seconds) >= 4 for each in found.benchmarks)


@pytest.mark.slow
def test_an_engine_that_trains_otherwise_is_not_timed(monkeypatch):
    bench = training_speed.Bench(torch.device("cpu"), 4, training_speed.Effort())
    bench.check()
    plain = training_speed.plain_loop.discriminator_loss
    monkeypatch.setattr(training_speed.plain_loop, "discriminator_loss", lambda *given: 1.01 * plain(*given))
    with pytest.raises(SystemExit, match="step 0: the engine has"):
        bench.check()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_bare_steps_update_the_discriminator_as_the_engine_does(precision):
    """Given the engine's batch; the generator's phase has other latents, and leaves the discriminator as it is."""
    bench = training_speed.Bench(torch.device("cpu"), 4, training_speed.Effort())
    engine, untrained = bench.engine(precision), bench.engine(precision)
    engine.run(0)
    for library in (True, False):
        step = bench.engine(precision)
        bare = training_speed.Bare(step, bench._images, precision, torch.device("cpu"), library=library)
        bare._real = untrained._batches.at("discriminator", 0).real
        bare._latents = untrained._batches.at("discriminator", 0).latents
        bare.run(0)
        networks = (engine.discriminator, step.discriminator, untrained.discriminator)
        for ours, bares, first in zip(*(network.parameters() for network in networks), strict=True):
            assert not torch.equal(ours, first)
            assert torch.allclose(ours, bares, rtol=0, atol=0 if library else 1e-5)
