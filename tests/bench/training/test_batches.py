"""Batches: what they are made of, that they are those of each step alone, and that nothing is drawn for nobody."""

import pytest
import torch

from bench.training import batches as room
from bench.training.batches import Batches, block_of, to_network_range, to_uint8

CPU = torch.device("cpu")


def made(seed: int = 0) -> Batches:
    images = torch.arange(200, dtype=torch.uint8).reshape(200, 1, 1, 1)
    return Batches(images, stack=1, batch_size=6, latent_size=3, seed=seed)


@pytest.mark.parametrize("block", [1, 5, 32])
def test_a_step_has_its_numbers_however_it_is_reached(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(room, "block_of", lambda *_: block)
    onward = made()
    for step in (0, 1, 2, 31, 32, 33, 64, 7, 40):
        alone = made()
        assert torch.equal(onward.at("discriminator", step).real, alone.at("discriminator", step).real)
        assert torch.equal(onward.at("generator", step).latents, alone.at("generator", step).latents)
    assert not torch.equal(onward.at("generator", 40).latents, onward.at("discriminator", 40).latents)


def test_what_nobody_reads_is_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    for name in ("normal", "integers"):
        draw = getattr(room.Stream, name)

        def counted(*given: object, draw: object = draw, name: str = name) -> object:
            drawn.append(name)
            return draw(*given)  # type: ignore[operator]

        monkeypatch.setattr(room.Stream, name, counted)
    batches = made()
    for step in range(40):
        batches.at("generator", step)
    assert drawn == []
    batches.at("generator", step).latents  # noqa: B018 - reading is what draws
    assert drawn == ["normal"]
    for step in range(40, 70):
        batches.at("generator", step)
    assert drawn == ["normal", "normal"]  # step 64 begins a block


def test_blocks_are_longer_where_a_launch_costs_more_than_memory() -> None:
    cuda = torch.device("cuda")
    assert [block_of(CPU, size) for size in (64, 2**30)] == [32, 32]
    assert [block_of(cuda, size) for size in (64, 2**14, 2**15, 2**30)] == [256, 128, 64, 32]


def test_quantisation_is_the_files_and_the_network_range_inverts_it() -> None:
    levels = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    assert torch.equal(to_uint8(to_network_range(levels)), levels)
    assert to_uint8(torch.tensor([-1.5, -1.0, 0.0, 1.0, 1.5])).tolist() == [0, 0, 128, 255, 255]


def test_stacked_batches_put_independent_draws_in_the_channels() -> None:
    singles = torch.arange(50, dtype=torch.uint8).reshape(50, 1, 1, 1).expand(50, 1, 4, 4).contiguous()
    batches = Batches(singles, stack=3, batch_size=64, latent_size=2, seed=0)
    real = batches.at("discriminator", 5).real
    assert real.shape == (64, 3, 4, 4)
    drawn = to_uint8(real)[:, :, 0, 0]
    assert len(drawn.unique()) > 30
    assert (drawn[:, 0] != drawn[:, 1]).float().mean() > 0.9
    assert torch.equal(
        real, Batches(singles, stack=3, batch_size=64, latent_size=2, seed=0).at("discriminator", 5).real
    )
