"""Which cards a build of torch runs on, and which precisions they have."""

import pytest

from bench.common.gpus import has_precision, is_built_for

BUILT = ["sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120", "compute_120"]


@pytest.mark.parametrize(
    ("capability", "built", "runs"),
    [
        ((9, 0), BUILT, True),
        ((8, 9), BUILT, True),  # as an 8.6
        ((12, 1), BUILT, True),
        ((13, 0), BUILT, True),  # translated
        ((7, 0), BUILT, False),  # dropped
        ((6, 1), BUILT, False),
        ((10, 3), ["sm_100"], True),
        ((10, 0), ["sm_103"], False),
        ((9, 0), ["sm_90a"], True),
        ((9, 1), ["sm_90a"], False),
        ((12, 0), ["sm_90", "compute_90"], True),
        ((8, 0), [], False),
        ((8, 0), ["gfx942"], False),
    ],
)
def test_a_build_runs_on_the_cards_that_it_was_made_for(capability, built, runs):
    assert is_built_for(capability, built) is runs


@pytest.mark.parametrize(
    ("capability", "precision", "there"),
    [
        ((7, 5), "fp32", True),
        ((7, 5), "bf16", False),
        ((7, 5), "tf32", False),
        ((8, 0), "bf16", True),
        ((9, 0), "tf32", True),
    ],
)
def test_narrow_floats_came_with_8_0(capability, precision, there):
    assert has_precision(capability, precision) is there
