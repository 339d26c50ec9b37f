"""Counter-based streams: the generator's published answers, the distributions, and that nothing shifts."""

import numpy as np
import pytest
import torch
from scipy import stats

from bench.training.seeding import Stream, philox
from losses.streams import PartGenerators, derive

# Known answers of philox4x32-10 from the authors' Random123 distribution (kat_vectors).
KNOWN_ANSWERS = [
    ((0, 0, 0, 0), 0, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, 0xFFFFFFFFFFFFFFFF, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        0x299F31D0A4093822,
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN_ANSWERS)
def test_philox_gives_the_published_words(counter: tuple[int, ...], key: int, answer: tuple[int, ...]) -> None:
    words = philox(tuple(torch.tensor([word]) for word in counter), key)
    assert tuple(int(word) for word in words) == answer


def test_a_block_is_its_steps_drawn_alone() -> None:
    stream = Stream(3, "latents")
    block = stream.normal(40, (5, 7), count=6)
    alone = torch.cat([stream.normal(step, (5, 7)) for step in range(40, 46)])
    assert torch.equal(block, alone)
    integers = stream.integers(40, (9,), 1000, count=6)
    assert torch.equal(integers[4], stream.integers(44, (9,), 1000)[0])


def test_streams_differ_by_seed_and_by_name_and_steps_differ() -> None:
    draws = [
        Stream(0, "a").normal(0, (64,)),
        Stream(1, "a").normal(0, (64,)),
        Stream(0, "b").normal(0, (64,)),
        Stream(0, "a").normal(1, (64,)),
    ]
    stacked = torch.cat(draws).double().numpy()
    correlation = np.corrcoef(stacked)
    assert np.abs(correlation - np.eye(4)).max() < 0.5
    assert len({derive(seed, name) for seed in range(50) for name in "abc"}) == 150


def test_normals_are_standard_normal() -> None:
    values = Stream(0, "n").normal(0, (1000,), count=100).flatten().double().numpy()
    assert stats.kstest(values, "norm").pvalue > 1e-3
    assert abs(np.corrcoef(values[:-1], values[1:])[0, 1]) < 0.015
    assert values.std() == pytest.approx(1, abs=0.01)


def test_integers_are_uniform_and_in_range() -> None:
    values = Stream(0, "i").integers(0, (1000,), 10, count=50).flatten().numpy()
    assert (values.min(), values.max()) == (0, 9)
    assert stats.chisquare(np.bincount(values)).pvalue > 1e-3


def test_odd_sizes_keep_the_shape() -> None:
    assert Stream(0, "s").normal(0, (3, 5), count=2).shape == (2, 3, 5)
    assert Stream(0, "s").integers(0, (7, 3), 4).shape == (1, 7, 3)


def test_a_parts_numbers_depend_on_seed_name_phase_and_step_only() -> None:
    def draw(names: tuple[str, ...], phase: str, step: int, seed: int = 0) -> list[float]:
        generator = PartGenerators(seed, names, "cpu").at(phase, step)["gp1"]
        return torch.rand(4, generator=generator).tolist()

    reference = draw(("gp1",), "discriminator", 5)
    assert draw(("r1", "gp1", "lecam"), "discriminator", 5) == reference
    assert draw(("gp1",), "discriminator", 6) != reference
    assert draw(("gp1",), "generator", 5) != reference
    assert draw(("gp1",), "discriminator", 5, seed=1) != reference
