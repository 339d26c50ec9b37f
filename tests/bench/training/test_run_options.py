"""Which judges look at the images of a trial, by its workload."""

import pytest

from bench import data
from bench.config.judges import CLIP, VGG16
from bench.config.protocol import INCEPTION
from bench.extractors.inception_weights import InceptionPlan
from bench.extractors.weight_files import Weights
from bench.training.run_options import RunOptions

FILES = {name: Weights(path=f"{name}.pth", sha256="a" * 64, network=name) for name in (INCEPTION, CLIP, VGG16)}


@pytest.mark.parametrize(
    ("workload", "required", "expected"),
    [
        ("cifar10", False, [INCEPTION, CLIP, VGG16]),
        ("digits", False, [CLIP, VGG16]),
        ("digits", True, [INCEPTION, CLIP, VGG16]),
        ("stacked-mnist", True, []),
        ("ring8", True, []),
    ],
)
def test_images_are_judged_and_gray_ones_by_inception_where_it_is_required(workload, required, expected):
    plan = InceptionPlan(weights=FILES[INCEPTION], required=required)
    options = RunOptions(inception=plan, also_in=(FILES[CLIP], FILES[VGG16]))
    assert [weights.network for weights in options.judges(data.workload(workload))] == expected


def test_by_default_nobody_looks():
    assert RunOptions().judges(data.workload("cifar10")) == []
    assert RunOptions(also_in=(FILES[CLIP],)).judges(data.workload("cifar10")) == [FILES[CLIP]]
