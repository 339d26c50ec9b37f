"""The generator's terms that compare all fakes with all others: blocks of rows change nothing."""

from collections.abc import Callable

import in_blocks
import pytest
import torch


@pytest.mark.parametrize("sizes", [(7, 7), (5, 7)])
@pytest.mark.parametrize("name", ["mmd_feat", "perceptual"])
def test_matching_terms_are_the_same_in_blocks(
    name: str, sizes: tuple[int, int], generator_value: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_blocks.check(lambda real, fake: generator_value(name, real, fake), monkeypatch, *sizes)


@pytest.mark.parametrize("name", ["pulling_away", "corr_matched", "corr_matched(both_ways=False)"])
def test_terms_of_cosines_are_the_same_in_blocks(
    name: str, generator_value: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their matrix has one number a pair, so it takes more samples to be cut."""
    in_blocks.check(lambda real, fake: generator_value(name, real, fake), monkeypatch, 12, 11)


def test_the_nearest_real_of_a_fake_is_found_among_all_blocks(
    generator_value: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("losses.pairs.LIMIT", in_blocks.LIMIT)
    real = torch.arange(30, dtype=torch.float64).reshape(15, 2) * 10
    assert generator_value("perceptual", real, real.flip(0) + 1).item() == pytest.approx(2, rel=1e-12)
    assert generator_value("corr_matched", real[1:], real[1:].flip(0)).item() == pytest.approx(0, abs=1e-7)
