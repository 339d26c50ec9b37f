"""What a loss costs: how a step is divided, and what the figure says."""

import re

import msgspec
import pytest
from planted_kernels import SETTING, STAGES, noisy_kernels, planted_kernels

from bench.report.costs import (
    DISCRIMINATOR,
    GENERATOR,
    LOSS,
    OPTIMISER,
    PENALTY,
    REST,
    bars,
    cost_sections,
    part_of,
)
from losses import profiling


def test_every_range_of_a_discriminators_step_has_its_part():
    expected = {
        **dict.fromkeys((profiling.D_REAL, profiling.D_FAKE, profiling.D_BOTH, profiling.D_BACKWARD), DISCRIMINATOR),
        profiling.G_FAKE: GENERATOR, profiling.OBJECTIVE: LOSS, profiling.D_UPDATE: OPTIMISER, "rest": REST,
        **dict.fromkeys((f"{profiling.PENALTY} r1", profiling.INPUT_GRADIENT), PENALTY),
        **dict.fromkeys((profiling.D_OTHER, profiling.G_OTHER), PENALTY),
    }  # fmt: skip
    assert {stage: part_of(stage) for stage in expected} == expected


def test_a_bar_is_as_long_as_the_ratio_and_divided_as_the_stages_are():
    slow = noisy_kernels("nsgan-r1", 1, slower={"d_step": 1.5})
    timings = [
        msgspec.structs.replace(each, stages=STAGES | {"penalty r1": 0.6, "input gradient": 0.4})
        for each in slow.timings
    ]
    first, second = bars([msgspec.structs.replace(slow, timings=timings), noisy_kernels("nsgan", 1)])
    assert (first.name, second.name) == ("nsgan", "nsgan-r1")
    assert first.total == pytest.approx(1.0, abs=0.03)
    assert second.total == pytest.approx(1.5, abs=0.05)
    for bar, whole in ((first, 1.0), (second, 2.0)):
        assert sum(bar.parts.values()) == pytest.approx(bar.total)
        assert bar.parts[DISCRIMINATOR] == pytest.approx(bar.total * 0.7 / whole)
    assert first.parts[PENALTY] == 0.0
    assert second.parts[PENALTY] == pytest.approx(second.total / 2)


def test_the_figure_is_told_in_words_and_each_setting_has_its_own():
    large = msgspec.structs.replace(SETTING, batch_size=256)
    found = cost_sections([noisy_kernels("nsgan", 1), planted_kernels("nsgan", setting=large)])
    assert len({each.title for each in found}) == 2
    told = [re.search('aria-label="([^"]*)"', each.chart.svg).group(1) for each in found]
    assert any(re.search(r"nsgan (0\.9|1\.0)\d, .*optimizer 10%", words) for words in told)


def test_a_setting_without_steps_has_a_table_and_no_figure():
    timings = [each for each in planted_kernels("nsgan").timings if not each.path.endswith("step")]
    (found,) = cost_sections([planted_kernels("nsgan", timings=timings)])
    assert found.chart is None
    assert found.rows[0][0] == "nsgan"
