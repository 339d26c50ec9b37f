"""CLIP and VGG16: torch-fidelity as the oracle, what is kept of the real images, and files that are no weights."""

import os
from collections.abc import Mapping
from pathlib import Path

import judge_files
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from bench import data
from bench.config.judges import CLIP, JUDGED_METRICS, JUDGES, METRICS_OF, VGG16
from bench.extractors import judge_networks
from bench.extractors.judge_networks import embed, load
from bench.extractors.judge_weights import SOURCES
from bench.extractors.weight_files import Weights, identify
from bench.metrics import judges
from bench.metrics.catalogue import CATALOGUE, about
from bench.metrics.judges import JudgedWorkload, unmeasurable

CPU = torch.device("cpu")
COLOR = data.workload("imagefolder:photos")
BOTH = pytest.mark.parametrize("name", [CLIP, VGG16])


def pictures(count: int, seed: int, channels: int = 3, size: int = 32) -> np.ndarray:
    """Smooth colored fields, brighter with the seed."""
    rng = np.random.RandomState(seed)
    coarse = torch.from_numpy(rng.uniform(0, 200 + 10 * seed, (count, channels, 4, 4)))
    smooth = torch.nn.functional.interpolate(coarse, size=size, mode="bilinear", align_corners=False)
    return (smooth + torch.from_numpy(rng.uniform(0, 20, smooth.shape))).clamp(0, 255).to(torch.uint8).numpy()


IMAGES = {"train": pictures(110, 1), "test": pictures(40, 2), "fakes": pictures(90, 4)}


def arrays_of(train: np.ndarray, test: np.ndarray) -> data.Arrays:
    labels = [np.zeros(len(each), dtype=np.int64) for each in (train, test)]
    return data.Arrays(train=train, train_labels=labels[0], test=test, test_labels=labels[1])


class Images(Dataset):
    def __init__(self, images: np.ndarray) -> None:
        self.images = torch.from_numpy(images)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.images[index]


def oracle(name: str, file: Path, fakes: np.ndarray, reals: np.ndarray) -> Mapping[str, float]:
    """torch-fidelity's own numbers."""
    import torch_fidelity

    with pytest.MonkeyPatch.context() as patch, judge_files.ignoring_torchscript():
        # Its data loader asks for more workers than small machines have, and warns.
        patch.setattr("torch_fidelity.utils.DataLoader", lambda *a, **k: DataLoader(*a, **{**k, "num_workers": 0}))
        return torch_fidelity.calculate_metrics(
            input1=Images(fakes),
            input2=Images(reals),
            feature_extractor=name,
            feature_extractor_weights_path=str(file),
            fid=True,
            kid=True,
            prc=True,
            kid_subset_size=min(1000, len(fakes), len(reals)),
            cache=False,
            cuda=False,
            verbose=False,
        )


def weights_of(name: str, judge_file) -> Weights:
    return identify(judge_file(name), SOURCES[name])


def judged(name: str, judge_file, folder: Path, told: list | None = None) -> JudgedWorkload:
    tell = None if told is None else lambda *progress: told.append(progress)
    arrays = arrays_of(IMAGES["train"], IMAGES["test"])
    return JudgedWorkload(COLOR, arrays, weights_of(name, judge_file), CPU, folder, tell)


@pytest.fixture(scope="module")
def whole(judge_file, tmp_path_factory):
    """Return a workload in a judge's eyes, given its name; it is measured once."""
    known: dict[str, JudgedWorkload] = {}

    def of(name: str) -> JudgedWorkload:
        if name not in known:
            known[name] = judged(name, judge_file, tmp_path_factory.mktemp("kept"))
        return known[name]

    return of


@BOTH
def test_the_numbers_are_torch_fidelitys(name, judge_file, whole):
    workload, key = whole(name), JUDGES[name].key
    ours = workload.measure(torch.from_numpy(IMAGES["fakes"]))
    theirs = oracle(name, judge_file(name), IMAGES["fakes"], IMAGES["train"])
    floor = oracle(name, judge_file(name), IMAGES["test"], IMAGES["train"])
    assert 0.0 < theirs["recall"] < 1.0
    assert 0.0 < theirs["precision"] < 1.0, "else they would say little"
    assert ours[f"{key}_fd"] == pytest.approx(theirs["frechet_inception_distance"], rel=1e-3)
    assert ours[f"{key}_kd"] == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-3)
    assert ours[f"{key}_precision"] == pytest.approx(theirs["precision"], abs=1e-6)
    assert ours[f"{key}_recall"] == pytest.approx(theirs["recall"], abs=1e-6)
    assert ours[f"{key}_fd_floor"] == pytest.approx(floor["frechet_inception_distance"], rel=1e-3)
    assert ours[f"{key}_samples"] == 90.0


@BOTH
def test_everything_that_is_measured_is_named(name, whole):
    scores = whole(name).measure(torch.from_numpy(IMAGES["fakes"][:10]))
    judge = JUDGES[name]
    assert set(scores) == judge.metrics == METRICS_OF[name]
    assert {metric for metric, each in CATALOGUE.items() if judge.key in each.needs} == judge.metrics
    titles = [CATALOGUE[metric].title for metric in judge.metrics - {judge.samples}]
    assert all(f"[{name}]" in title and "FID" not in title for title in titles)
    assert unmeasurable(judge) == dict.fromkeys(f"{judge.key}_{each}" for each in ("fd", "kd", "precision", "recall"))


def test_the_average_of_the_generator_is_not_judged():
    assert len(JUDGED_METRICS) == 5 + 2 * 8
    assert all(about(f"ema_{metric}") is None for metric in JUDGED_METRICS)
    assert about("ema_precision") is not None


@BOTH
def test_real_images_reach_the_floor_and_the_ceilings(name, whole):
    workload, key = whole(name), JUDGES[name].key
    tested = workload.measure(torch.from_numpy(IMAGES["test"]))
    far = workload.measure(torch.from_numpy(pictures(40, 9)))
    assert tested[f"{key}_fd"] == pytest.approx(tested[f"{key}_fd_floor"], rel=1e-4)
    assert tested[f"{key}_fd"] < 0.5 * far[f"{key}_fd"]
    assert tested[f"{key}_kd"] < 0.5 * far[f"{key}_kd"]
    for share in ("precision", "recall"):
        assert 0.6 < tested[f"{key}_{share}_ceiling"] <= 1.0
        assert tested[f"{key}_{share}"] > far[f"{key}_{share}"]


def test_clips_features_are_those_of_its_network_on_scaled_pixels(judge_file):
    """Of images of the very size that it sees, so that no resizing has a part in it; the constants are OpenAI's."""
    with judge_files.ignoring_torchscript():
        state = torch.jit.load(judge_file(CLIP)).state_dict()
    from torch_fidelity.feature_extractor_clip import CLIPVisual

    network = CLIPVisual(24, judge_files.CLIP_SIZE, 2, 64, 16)
    network.load_state_dict({key: each.float() for key, each in state.items() if key.startswith("visual.")})
    images = torch.from_numpy(pictures(5, 3, size=judge_files.CLIP_SIZE))
    mean = torch.tensor([0.48145466, 0.4578275, 0.40821073])[:, None, None]
    deviation = torch.tensor([0.26862954, 0.26130258, 0.27577711])[:, None, None]
    with torch.no_grad():
        expected = network.visual((images / 255.0 - mean) / deviation)
    found = embed(load(weights_of(CLIP, judge_file), CPU), CLIP, images, CPU)
    assert found.std(0).mean() > 0.01, "they depend on the image"
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


def by_hand(network: torch.nn.Module, images: torch.Tensor) -> torch.Tensor:
    """The second hidden layer of a VGG after its ReLU; the constants are torchvision's."""
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    deviation = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    network.eval()
    with torch.no_grad():
        maps = network.avgpool(network.features((images / 255.0 - mean) / deviation))
        return network.classifier[:5](maps.flatten(1))


def test_vgg16s_features_are_its_second_hidden_layer_after_the_relu(judge_file):
    network = judge_files.SmallVGG()
    network.load_state_dict(torch.load(judge_file(VGG16)))
    images = torch.from_numpy(pictures(5, 3, size=64))
    found = embed(load(weights_of(VGG16, judge_file), CPU), VGG16, images, CPU)
    assert (found == 0.0).any()
    assert found.std(0).mean() > 0.01, "they depend on the image"
    torch.testing.assert_close(found, by_hand(network, images), rtol=1e-3, atol=1e-4)


@BOTH
def test_gray_images_are_repeated_as_three_channels(name, judge_file):
    gray = torch.from_numpy(pictures(9, 3, channels=1))
    network = load(weights_of(name, judge_file), CPU)
    ours = embed(network, name, gray, CPU)
    torch.testing.assert_close(ours, embed(network, name, gray.repeat(1, 3, 1, 1), CPU), rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match=rf"{name} takes uint8 images \[N, 1 or 3, H, W\]"):
        embed(network, name, gray.float(), CPU)


def test_the_real_images_are_measured_once(judge_file, tmp_path):
    told: list[tuple] = []
    first = judged(VGG16, judge_file, tmp_path, told)
    assert told[-1] == ("measuring imagefolder-32 in vgg16", 150, 150)
    told.clear()
    again = judged(VGG16, judge_file, tmp_path, told)
    assert told == []
    fakes = torch.from_numpy(IMAGES["fakes"])
    assert again.measure(fakes) == first.measure(fakes)


def test_each_judge_each_file_and_other_images_are_measured_anew(judge_file, tmp_path):
    def files() -> set[Path]:
        return set(tmp_path.glob("*.safetensors"))

    judged(VGG16, judge_file, tmp_path)
    judged(CLIP, judge_file, tmp_path)
    assert len(files()) == 2
    other = judge_files.write_vgg16(tmp_path / "other.pth", seed=12)
    weights = identify(other, SOURCES[VGG16])
    JudgedWorkload(COLOR, arrays_of(IMAGES["train"], IMAGES["test"]), weights, CPU, tmp_path)
    assert len(files()) == 3
    JudgedWorkload(COLOR, arrays_of(IMAGES["train"], IMAGES["fakes"]), weights, CPU, tmp_path)
    assert len(files()) == 4


def test_neighbors_are_looked_for_among_so_many_images_and_no_more(judge_file, whole, tmp_path, monkeypatch):
    all_of_them = whole(VGG16).measure(torch.from_numpy(IMAGES["fakes"]))
    monkeypatch.setattr(judges, "NEIGHBOR_IMAGES", 45)
    few = judged(VGG16, judge_file, tmp_path).measure(torch.from_numpy(IMAGES["fakes"]))
    assert few["vgg16_fd"] == all_of_them["vgg16_fd"], "the distance is of all images"
    assert few["vgg16_precision"] * 45 == pytest.approx(round(few["vgg16_precision"] * 45), abs=1e-9)
    assert few["vgg16_recall"] * 45 == pytest.approx(round(few["vgg16_recall"] * 45), abs=1e-9)
    assert few["vgg16_kd"] == pytest.approx(all_of_them["vgg16_kd"], rel=0.3)
    assert few["vgg16_kd"] != all_of_them["vgg16_kd"]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda path, _: path.write_bytes(b"<html>not found</html>"), "no file of tensors"),
        (lambda path, content: path.write_bytes(content[: len(content) // 2]), "cut short"),
        (lambda path, _: path.write_bytes(b""), "cut short"),
        (lambda path, _: torch.save({"fc.weight": torch.zeros(3)}, path), "names or shapes of its tensors are others"),
    ],
)
def test_a_file_that_holds_no_weights_of_vgg16_is_told_in_one_line(tmp_path, judge_file, spoil, reason):
    path = tmp_path / "spoilt.pth"
    spoil(path, judge_file(VGG16).read_bytes())
    with pytest.raises(ValueError, match=reason) as caught:
        load(identify(path, SOURCES[VGG16]), CPU)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    assert "--also-in vgg16=FILE" in str(caught.value)


def test_what_a_file_would_run_is_not_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "trapped"),)

    path = tmp_path / "trap.pth"
    torch.save({"features.0.weight": Trap()}, path)
    with pytest.raises(ValueError, match="no weights of vgg16"):
        load(identify(path, SOURCES[VGG16]), CPU)
    assert not (tmp_path / "trapped").exists()


def test_torchscript_of_unknown_origin_is_not_read(judge_file, tmp_path, monkeypatch):
    """Reading it may run what it holds, so that the hash decides before torch sees it."""
    official = judge_file(CLIP)
    other = judge_files.write_clip(tmp_path / "other.pt", out=16)
    monkeypatch.setattr("torch.jit.load", lambda *_, **__: pytest.fail("read"))
    claimed = Weights(path=str(other), sha256=identify(other, SOURCES[VGG16]).sha256, network=CLIP)
    with pytest.raises(ValueError, match="is not the official file of clip-vit-b-32; no other is read"):
        load(claimed, CPU)
    with pytest.raises(ValueError, match="has changed since the run began"):
        load(Weights(path=str(other), sha256=identify(official, SOURCES[CLIP]).sha256, network=CLIP), CPU)


def test_a_torch_that_reads_no_torchscript_is_told_in_one_line(judge_file, monkeypatch):
    monkeypatch.delattr("torch.jit.load")
    with pytest.raises(ValueError, match=r"^torch .* cannot read .*, the weights of clip-vit-b-32, as TorchScript"):
        load(weights_of(CLIP, judge_file), CPU)


@pytest.mark.slow
def test_vgg16_in_full_size(tmp_path):
    from torchvision.models import vgg16

    network = vgg16(init_weights=False)
    path = judge_files.write_vgg16(tmp_path / "vgg16.pth", network)
    images = torch.from_numpy(pictures(2, 3, size=224))
    expected = by_hand(network, images)
    del network  # two thirds of a gigabyte
    found = embed(load(identify(path, SOURCES[VGG16]), CPU), VGG16, images, CPU)
    assert found.shape == (2, 4096)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.slow
def test_clip_in_full_size(tmp_path, monkeypatch):
    path = judge_files.write_clip(tmp_path / "clip.pt", width=768, layers=12, patch=32, grid=7, out=512)
    judge_files.make_official(monkeypatch, CLIP, path)
    network = load(identify(path, SOURCES[CLIP]), CPU)
    found = embed(network, CLIP, torch.from_numpy(pictures(2, 3)), CPU)
    assert found.shape == (2, 512)
    assert found.isfinite().all()
    assert judge_networks.LAYERS[CLIP] == "clip"
