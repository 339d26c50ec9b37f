"""Samples from a stored generator are those that training saw."""

import re
from pathlib import Path

import msgspec
import pytest
import torch
from safetensors.torch import save_file
from small_trials import make_trial

from bench import data
from bench.config.trial import Trial, canonical_json
from bench.networks import build_generator
from bench.training.artifacts import load_generator, save_generator, save_picture, save_samples
from bench.training.batches import to_uint8
from bench.training.sampling import BATCH, evaluation_latents, generate, sample
from bench.training.seeding import Stream

CPU = torch.device("cpu")


def stored(trial: Trial, folder: Path) -> torch.nn.Module:
    generator = build_generator(trial.spec.network, lambda name, shape: Stream(1, name).normal(0, shape)[0])
    generator.to(memory_format=torch.channels_last)
    save_generator(generator, trial, folder)
    return generator


@pytest.fixture
def toy_trial() -> Trial:
    trial = make_trial("nsgan", samples=3000, workload="ring8")
    network = msgspec.structs.replace(
        trial.spec.network, name="mlp-v1", width=16, latent_size=data.workload("ring8").latent_size
    )
    return msgspec.structs.replace(trial, spec=msgspec.structs.replace(trial.spec, network=network))


def test_the_default_picture_is_that_of_the_last_evaluation(tmp_path: Path, toy_trial: Trial) -> None:
    for trial, count in ((make_trial("nsgan", samples=700), 64), (toy_trial, 2000)):
        generator = stored(trial, tmp_path)
        workload = data.workload(trial.spec.workload)
        bank = evaluation_latents(workload, trial.spec, CPU)
        seen = torch.cat(list(generate(generator, bank.split(BATCH), "fp32", CPU)))
        save_samples(seen if workload.is_toy else to_uint8(seen), workload, tmp_path)
        drawn, found = sample(tmp_path / "generator.safetensors", count=count)
        save_picture(drawn, found, tmp_path / "again.png")
        assert (tmp_path / "again.png").read_bytes() == (tmp_path / "samples.png").read_bytes()


def test_generating_restores_the_generators_mode(tmp_path: Path) -> None:
    trial = make_trial("nsgan")
    generator = stored(trial, tmp_path).train()
    before = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    (drawn,) = generate(generator, [torch.randn(4, 100)], "fp32", CPU)
    assert drawn.shape == (4, 1, 32, 32)
    assert generator.training
    assert all(torch.equal(before[name], tensor) for name, tensor in generator.state_dict().items())


def test_a_seed_draws_other_samples_and_always_the_same(tmp_path: Path) -> None:
    stored(make_trial("nsgan", samples=20), tmp_path)
    path = tmp_path / "generator.safetensors"
    default, first, again, other = (sample(path, count=20, seed=seed)[0] for seed in (None, 3, 3, 4))
    assert torch.equal(sample(str(path), count=20, seed=3)[0], first), "as a user of Python writes a path"
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first, default)
    for count in (1, 21, BATCH + 1):
        more, _ = sample(path, count=count, seed=3)
        assert more.shape == (count, 1, 32, 32)
        assert torch.equal(more[:20], first[:count]), "the first ones are the same for every count"


def test_the_call_of_the_tutorial_returns_what_it_says(tmp_path: Path) -> None:
    page = Path(__file__).parents[3] / "docs" / "tutorials" / "your-own-photos.md"
    said = re.search(
        r"`bench\.training\.sampling\.(sample\(.+?\))` returns (\w+) images `\[(.+?)\]`", page.read_text("utf-8")
    )
    assert said is not None
    stored(make_trial("nsgan", samples=20), tmp_path)
    images, workload = eval(said[1], {"sample": sample, "path": tmp_path / "generator.safetensors"})
    assert images.dtype == getattr(torch, said[2])
    gray = [int(side) for side in said[3].split(",")]
    gray[1] = 1  # digits are gray, and photos are not
    assert list(images.shape) == gray
    assert images.float().mean().item() == pytest.approx(127.5, abs=5), "an untrained generator draws gray"
    assert workload.name == "digits"


def test_what_cannot_be_drawn_is_refused(tmp_path: Path) -> None:
    trial = make_trial("nsgan", samples=20)
    generator = stored(trial, tmp_path)
    path = tmp_path / "generator.safetensors"
    with pytest.raises(ValueError, match="at least 1, not 0"):
        sample(path, count=0)
    with pytest.raises(ValueError, match="20 latents, fewer than 21; give a seed"):
        sample(path, count=21)
    with torch.no_grad():
        next(generator.parameters()).fill_(float("nan"))
    save_generator(generator, trial, tmp_path)
    with pytest.raises(ValueError, match="not finite"):
        sample(path, count=2)
    save_file({"weight": torch.zeros(1)}, path, metadata={"trial": canonical_json(trial).decode()})
    with pytest.raises(ValueError, match="does not hold the weights"):
        sample(path, count=2)


def test_a_header_that_names_another_trial_is_refused(tmp_path: Path) -> None:
    trial = make_trial("nsgan", samples=20)
    stored(trial, tmp_path)
    path = tmp_path / "generator.safetensors"
    _, weights = load_generator(path)
    plain = canonical_json(trial).decode()

    def rewritten(header: str) -> Path:
        save_file(weights, path, metadata={"trial": header})
        return path

    assert load_generator(rewritten(plain))[0] == trial, "generators of before headers named the id are read"
    named = plain[:-1] + f',"trial_id":"{trial.id}"' + "}"
    assert load_generator(rewritten(named))[0] == trial
    assert '"seed":0' in named
    with pytest.raises(ValueError, match=f"says that trial {trial.id} made it, and its spec and components are those"):
        sample(rewritten(named.replace('"seed":0', '"seed":1')), count=2)
    with pytest.raises(ValueError, match="'seed' is there twice"):
        sample(rewritten(named.replace('"seed":0', '"seed":0,"seed":1')), count=2)


def test_a_generator_in_the_folder_of_another_trial_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trial, other = make_trial("nsgan", samples=20), make_trial("nsgan", samples=20, seed=1)
    for each in (trial, other):
        (tmp_path / each.id).mkdir()
        stored(trial, tmp_path / each.id)
    assert len(sample(tmp_path / trial.id / "generator.safetensors", count=2)[0]) == 2
    words = f"is the generator of trial {trial.id}, and lies in the folder of trial {other.id}"
    with pytest.raises(ValueError, match=words):
        sample(tmp_path / other.id / "generator.safetensors", count=2)
    monkeypatch.chdir(tmp_path / other.id)
    with pytest.raises(ValueError, match=words):
        sample(Path("generator.safetensors"), count=2)
