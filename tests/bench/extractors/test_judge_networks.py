"""CLIP and VGG16 from their files: features worked out by hand, and files that are no weights."""

import os

import judge_files
import pytest
import torch
from judge_oracle import pictures, vgg16_features

from bench.config.judges import CLIP, VGG16
from bench.extractors.judge_networks import embed, load
from bench.extractors.judge_weights import SOURCES
from bench.extractors.weight_files import Weights, identify

CPU = torch.device("cpu")
BOTH = pytest.mark.parametrize("name", [CLIP, VGG16])


def weights_of(name: str, judge_file) -> Weights:
    return identify(judge_file(name), SOURCES[name])


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


def test_vgg16s_features_are_its_second_hidden_layer_after_the_relu(judge_file):
    network = judge_files.SmallVGG()
    network.load_state_dict(torch.load(judge_file(VGG16)))
    images = torch.from_numpy(pictures(5, 3, size=64))
    found = embed(load(weights_of(VGG16, judge_file), CPU), VGG16, images, CPU)
    assert (found == 0.0).any()
    assert found.std(0).mean() > 0.01, "they depend on the image"
    torch.testing.assert_close(found, vgg16_features(network, images), rtol=1e-3, atol=1e-4)


@BOTH
def test_gray_images_are_repeated_as_three_channels(name, judge_file):
    gray = torch.from_numpy(pictures(9, 3, channels=1))
    network = load(weights_of(name, judge_file), CPU)
    ours = embed(network, name, gray, CPU)
    torch.testing.assert_close(ours, embed(network, name, gray.repeat(1, 3, 1, 1), CPU), rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match=rf"{name} takes uint8 images \[N, 1 or 3, H, W\]"):
        embed(network, name, gray.float(), CPU)


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
