"""A file of weights for torch-fidelity's Inception: random, of the right shapes, and lively to the last layer."""

from pathlib import Path

import pytest
import torch
from torch import nn


def write(path: Path) -> Path:
    from torch_fidelity import feature_extractor_inceptionv3 as module

    with pytest.MonkeyPatch.context() as patch:
        # The constructor always loads something, and nothing is there yet.
        patch.setattr(module, "load_state_dict_from_url", lambda *_, **__: {})
        patch.setattr(module.FeatureExtractorInceptionV3, "load_state_dict", lambda *_: None)
        network = module.FeatureExtractorInceptionV3("made-up", ["2048"])
    rng = torch.Generator().manual_seed(5)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=rng)
    nn.init.normal_(network.fc.weight, std=1.5, generator=rng)
    torch.save(network.state_dict(), path)
    return path
