"""From the name of an extractor to the frozen network, after its weights are checked against their hash."""

import hashlib
from pathlib import Path
from typing import Final

import safetensors.torch
import torch
from torch import Tensor, nn

from bench.extractors import classifier_store
from bench.extractors.classifiers import Classifier, ClassifierExtractor
from bench.extractors.photographs import PhotographFeatures, load_network
from bench.extractors.random_convolutions import RandomConvolutions
from bench.extractors.specs import extractor_spec
from bench.extractors.training_configs import training_config

WEIGHTS: Final = Path(__file__).parent / "weights"
"""The folder of the shipped weights, one safetensors file for each classifier."""


def load_extractor(
    name: str, device: torch.device | str = "cpu", folder: Path = WEIGHTS, *, data_hash: str = ""
) -> nn.Module:
    """Load a frozen extractor: uint8 images [N, C, H, W] -> (features [N, d], logits [N, k] or [N, G, k]).

    Args:
        name: of the extractor.
        device: where it computes.
        folder: of the shipped weights.
        data_hash: the content hash of the data on which a classifier was trained that is not shipped.

    Raises:
        ValueError: there is no extractor of this name, its weights are missing or have another hash, or it is a
            classifier that is not trained yet.
    """
    spec = extractor_spec(name)
    if spec.source == "drawn":
        return RandomConvolutions(spec).to(device)
    if spec.source == "imagenet":
        return PhotographFeatures(load_network()).to(device)
    weights = _trained_weights(name, data_hash) if spec.trained_here else _shipped_weights(name, folder)
    classifier = Classifier(spec)
    classifier.load_state_dict(weights)
    return ClassifierExtractor(classifier, spec.channels).to(device)


def _trained_weights(name: str, data_hash: str) -> dict[str, Tensor]:
    trained = classifier_store.find(name, data_hash)
    if trained is None:
        raise ValueError(
            f"{name} is not trained for this data yet: python -m bench prepare {training_config(name).workload}"
        )
    return trained.weights


def _shipped_weights(name: str, folder: Path) -> dict[str, Tensor]:
    spec = extractor_spec(name)
    path = folder / f"{name}.safetensors"
    fix = "reinstall the package: distances measured with other weights are not comparable"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"the weights of {name} cannot be read from {path} ({error}); {fix}") from error
    actual = hashlib.sha256(content).hexdigest()
    if actual != spec.sha256:
        raise ValueError(
            f"{path} is not the pinned file of {name}: SHA-256 {actual[:12]}..., expected {spec.sha256[:12]}...; {fix}"
        )
    return safetensors.torch.load(content)
