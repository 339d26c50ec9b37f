"""Which extractor a workload is measured in: chosen for a plan, named in records, and loaded.

Photographs are measured in the features of a network that has seen photographs, where its weights are installed, and
elsewhere in the workload's own extractor. A trial's component `extractor` names what it is: results in different
features have different identities and never meet in one ranking.
"""

import msgspec
import torch
from torch import Tensor, nn

from bench.config.suite import Features
from bench.config.workload import Workload
from bench.extractors.classifier_store import UNTRAINED, ExtractorIdentity, identity_of
from bench.extractors.imagenet_weights import HOW_TO_GET, weights_path
from bench.extractors.loading import load_extractor
from bench.extractors.specs import IMAGENET, JOINED, extractor_names, extractor_spec


class MissingFeaturesError(ValueError):
    """Features are asked for whose weights are not installed."""


def measured_in(workload: Workload, features: Features = "auto") -> Workload:
    """Return a workload with the extractor that its images are measured in.

    Args:
        workload: as it is registered.
        features: `imagenet` for those of a network that has seen photographs, `own` for the workload's own extractor,
            and `auto` for the first where its weights are installed. Only photographs have the choice.

    Raises:
        MissingFeaturesError: `imagenet` is asked for, and the weights are not installed.
    """
    if not workload.photographs or features == "own":
        return workload
    if weights_path() is None:
        if features == "imagenet":
            raise MissingFeaturesError(
                f"features=imagenet needs the weights of {IMAGENET}, which are not installed; {HOW_TO_GET}"
            )
        return workload
    return _in_imagenet(workload)


def as_recorded(workload: Workload, component: str) -> Workload:
    """Return a workload with the extractor that a trial's component names, whatever is installed here."""
    names = extractor_names(component)
    return _in_imagenet(workload) if workload.photographs and names[:1] == [IMAGENET] else workload


def _in_imagenet(workload: Workload) -> Workload:
    assert workload.extractor is not None
    classifier = workload.extractor if extractor_spec(workload.extractor).classes else None
    return msgspec.structs.replace(workload, extractor=IMAGENET, classifier=classifier)


def reader_of_classes(workload: Workload) -> str | None:
    """Return the name of the extractor whose logits are read; None for a toy."""
    return workload.classifier or workload.extractor


def identity(workload: Workload, data_hash: str) -> ExtractorIdentity | None:
    """Return what a record says about a workload's extractor; None while its classifier is not trained."""
    assert workload.extractor is not None
    features = identity_of(workload.extractor, data_hash)
    if features is None or workload.classifier is None:
        return features
    classes = identity_of(workload.classifier, data_hash)
    return classes and ExtractorIdentity(JOINED.join((features.component, classes.component)), classes.accuracy)


def planned_component(workload: Workload) -> str:
    """Return the component of trials on a workload whose content hash is known, trained or not."""
    known = identity(workload, workload.content_hash)
    if known is not None:
        return known.component
    assert workload.extractor is not None
    if workload.classifier is None:
        return f"{workload.extractor}:{UNTRAINED}"
    features = identity_of(workload.extractor, workload.content_hash)
    assert features is not None, "what is not trained is the classifier"
    return JOINED.join((features.component, f"{workload.classifier}:{UNTRAINED}"))


def load(workload: Workload, device: torch.device | str, data_hash: str) -> nn.Module:
    """Load a workload's extractor: uint8 images to features and logits, as `load_extractor` says.

    Raises:
        ValueError: weights are missing or other ones than those that are pinned, or a classifier is not trained yet.
    """
    assert workload.extractor is not None
    features = load_extractor(workload.extractor, device, data_hash=data_hash)
    if workload.classifier is None:
        return features
    return _FeaturesAndClasses(features, load_extractor(workload.classifier, device, data_hash=data_hash))


class _FeaturesAndClasses(nn.Module):
    """The features of one extractor and the logits of another."""

    def __init__(self, features: nn.Module, classes: nn.Module) -> None:
        super().__init__()
        self.features, self.classes = features, classes

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self.features(images)[0], self.classes(images)[1]
