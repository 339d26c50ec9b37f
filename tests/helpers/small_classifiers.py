"""Classifiers that are trained in a second, by the code that trains the real ones."""

import dataclasses

import numpy as np
from idx_files import striped

from bench.data import Arrays
from bench.extractors.training_configs import TRAINING_CONFIGS, TrainingConfig

FASHION: TrainingConfig = dataclasses.replace(
    TRAINING_CONFIGS["fashion-mnist"], epochs=2, batch_size=32, shift=0.5, turn=0.0
)
CIFAR10: TrainingConfig = dataclasses.replace(TRAINING_CONFIGS["cifar10"], epochs=1, batch_size=32)


def stripes(channels: int = 1) -> Arrays:
    """512 + 120 images of ten easy classes, 32x32."""

    def padded(images: np.ndarray) -> np.ndarray:
        return np.repeat(np.pad(images[:, np.newaxis], ((0, 0), (0, 0), (2, 2), (2, 2))), channels, axis=1)

    (train, train_labels), (test, test_labels) = striped(512, 0), striped(120, 1)
    return Arrays(
        train=padded(train),
        train_labels=train_labels.astype(np.int64),
        test=padded(test),
        test_labels=test_labels.astype(np.int64),
    )
