"""How each frozen classifier is trained. It imports no torch."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import Final

from bench.extractors.specs import extractor_spec

TRAINING_VERSION: Final = "1"
"""Raised when the same configuration would give other weights because the training code has changed."""


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """AdamW under a one-cycle schedule, on images that are moved and faded at random.

    A classifier that has seen full contrast only reacts to contrast first: a generator's gray digits then lie farther
    from the data than noise does, and the distance says nothing about shapes. Fading and noise teach it shapes.
    """

    workload: str
    extractor: str
    epochs: int
    batch_size: int = 128
    peak_learning_rate: float = 4e-3
    weight_decay: float = 1e-2
    shift: float = 2.0
    """Largest shift, in pixels."""
    turn: float = 10.0
    """Largest rotation, in degrees."""
    stretch: float = 0.1
    """Largest relative change of size."""
    flip: bool = False
    """Mirror half of the images, left to right."""
    border: str = "zeros"
    """What appears where an image is moved away: `zeros` for black, `reflection` for its mirror image."""
    fade: float = 1.0
    """How far black may rise and white may fall, as shares of 0.6 and 0.8 in the range [-1, 1]."""
    noise: float = 0.25
    """Largest standard deviation of added Gaussian noise."""
    threads: int = 1
    """Processor threads. The number is fixed because another division of sums gives other bits. It is one because
    several threads wait for each other whenever the machine runs something else.
    """
    minutes: float = 0.0
    """About how long it takes on a free core. It is shown to users; nothing depends on it."""

    def key(self, data_hash: str) -> str:
        """Return sixteen hexadecimal digits that name the weights made from data with this content hash."""
        settings = dataclasses.asdict(self)
        del settings["minutes"]
        spec = extractor_spec(self.extractor)
        network = [spec.channels, *spec.widths, spec.features, spec.classes]
        named = json.dumps([TRAINING_VERSION, data_hash, network, settings], sort_keys=True)
        return hashlib.sha256(named.encode()).hexdigest()[:16]


TRAINING_CONFIGS: Final = {
    "digits": TrainingConfig(workload="digits", extractor="digits-cnn-v1", epochs=60, batch_size=64, shift=3.0),
    "mnist": TrainingConfig(workload="mnist", extractor="mnist-cnn-v1", epochs=8),
    "fashion-mnist": TrainingConfig(
        workload="fashion-mnist", extractor="fashion-cnn-v1", epochs=8, flip=True, turn=5.0, minutes=3
    ),
    "cifar10": TrainingConfig(
        workload="cifar10",
        extractor="cifar10-cnn-v1",
        epochs=10,
        turn=5.0,
        flip=True,
        border="reflection",
        minutes=5,
    ),
}
"""By the name of the data set."""


def training_config(extractor: str) -> TrainingConfig:
    """Return how a classifier is trained."""
    return next(config for config in TRAINING_CONFIGS.values() if config.extractor == extractor)
