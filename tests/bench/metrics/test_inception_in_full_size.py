"""Inception as users have it: no test here may ask for the small one, which is small for a whole file."""

import pytest
import torch
from judge_oracle import arrays_of, assert_equal_numbers, oracle, pictures

from bench import data
from bench.extractors.inception_weights import identify
from bench.metrics.inception import Inception


@pytest.mark.slow
def test_the_numbers_are_torch_fidelitys(inception_file, tmp_path):
    reals, tests, fakes = pictures(24, 1), pictures(2, 2), pictures(20, 5)
    photos = data.workload("imagefolder:photos")
    network = Inception(photos, arrays_of(reals, tests), identify(inception_file), torch.device("cpu"), tmp_path)
    ours = network.measure(torch.from_numpy(fakes))
    assert_equal_numbers(ours, oracle(inception_file, fakes, reals, isc=True))
