"""CLIP and VGG16 as users have them: no test here may ask for the small ones, which are small for a whole file."""

import judge_files
import pytest
import torch
from judge_oracle import pictures, vgg16_features

from bench.config.judges import CLIP, VGG16
from bench.extractors import judge_networks
from bench.extractors.judge_networks import embed, load
from bench.extractors.judge_weights import SOURCES
from bench.extractors.weight_files import identify

CPU = torch.device("cpu")


@pytest.mark.slow
def test_vgg16_in_full_size(tmp_path):
    from torchvision.models import vgg16

    network = vgg16(init_weights=False)
    path = judge_files.write_vgg16(tmp_path / "vgg16.pth", network)
    images = torch.from_numpy(pictures(2, 3, size=224))
    expected = vgg16_features(network, images)
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
