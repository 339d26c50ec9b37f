"""The loss and penalty paths for pytest-benchmark. `make test` runs each once; none passes or fails by the clock.

pytest tests/performance --benchmark-only --benchmark-autosave
pytest-benchmark compare
"""

import itertools

import pytest
import torch

import losses
from bench.costs.paths import Paths
from bench.store.kernels import KernelSetting

SETTING = KernelSetting(batch_size=16, image_size=32, channels=3, width=16, d_norm="ln", precision="fp32", mode="eager")
OBJECTIVES = ("nsgan", "mmgan", "lsgan", "hinge", "wgan", "rp_bce", "fgan_kl", "mmd-gan-rq")
PENALTIES = ("bce_ns + r1", "bce_ns + r1 + r2", "wgan-gp", "bce_ns + lecam", "bce_ns + cr")
PASSES = ("loss", "loss.forward", "loss.backward", "generator_loss")


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def run(benchmark, method: str, path: str) -> None:
    call = Paths(losses.get(method), SETTING, torch.device("cpu")).calls()[path]
    turns = itertools.count()
    benchmark.group = path
    benchmark(lambda: call.run(next(turns)))
    assert next(turns) > 0


@pytest.mark.parametrize("path", PASSES)
@pytest.mark.parametrize("method", OBJECTIVES)
def test_loss(benchmark, method, path):
    run(benchmark, method, path)


@pytest.mark.parametrize("method", PENALTIES)
def test_penalty(benchmark, method):
    run(benchmark, method, "penalty")


@pytest.mark.parametrize("method", ["bce_ns + msgan", "path-length"])
def test_terms(benchmark, method):
    run(benchmark, method, "terms")
