"""How the frozen classifiers are trained: one recipe a classifier. Importing it needs no torch."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import Final

from bench.metrics.pins import extractor_pin

VERSION: Final = "1"
"""Raised when the same recipe would train other weights, because the code that trains has changed."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """AdamW under a one-cycle schedule on randomly moved and faded images.

    A classifier that has only seen full contrast answers to contrast first: a generator's grey digits lie farther from
    the data than noise does, and the distance says nothing about their shapes. Fading and noise teach it shapes.
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
    """Mirror every other image, left to right."""
    border: str = "zeros"
    """What comes into view where an image is moved away: `zeros` for black, `reflection` for its mirror image."""
    fade: float = 1.0
    """How far black may rise and white may sink, as shares of 0.6 and 0.8 in the range [-1, 1]."""
    noise: float = 0.25
    """Largest standard deviation of added Gaussian noise."""
    threads: int = 1
    """Of the processor. Fixed, because sums that are divided otherwise come out with other bits; one, because several
    wait for each other wherever something else is running.
    """
    minutes: float = 0.0
    """About how long it takes on a free core, for who waits; nothing depends on it."""

    def key(self, data_hash: str) -> str:
        """Return a name for the weights that this recipe makes of data of that content: sixteen hexadecimal digits."""
        settings = dataclasses.asdict(self)
        del settings["minutes"]
        pin = extractor_pin(self.extractor)
        network = [pin.channels, *pin.widths, pin.features, pin.classes]
        named = json.dumps([VERSION, data_hash, network, settings], sort_keys=True)
        return hashlib.sha256(named.encode()).hexdigest()[:16]


RECIPES: Final = {
    "digits": Recipe(workload="digits", extractor="digits-cnn-v1", epochs=60, batch_size=64, shift=3.0),
    "mnist": Recipe(workload="mnist", extractor="mnist-cnn-v1", epochs=8),
    "fashion-mnist": Recipe(
        workload="fashion-mnist", extractor="fashion-cnn-v1", epochs=8, flip=True, turn=5.0, minutes=3
    ),
    "cifar10": Recipe(
        workload="cifar10",
        extractor="cifar10-cnn-v1",
        epochs=10,
        turn=5.0,
        flip=True,
        border="reflection",
        minutes=5,
    ),
}
"""By the data set's name."""


def recipe_of(extractor: str) -> Recipe:
    """Return the recipe of a classifier."""
    return next(recipe for recipe in RECIPES.values() if recipe.extractor == extractor)
