"""Train the frozen classifiers: `python -m bench.metrics.train_classifier digits|mnist [--data DIR] [--out DIR]`.

The run is deterministic on one machine: one thread, fixed seed. The printed SHA-256 goes into `pins.py`; new weights
change every distance measured with them, so they also need a new extractor name.
"""

import argparse
import hashlib
import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import safetensors.torch
import torch
from torch import Tensor
from torch.nn import functional

from bench import data
from bench.metrics.extractors import WEIGHTS, Classifier, batches
from bench.metrics.pins import extractor_pin


@dataclass(frozen=True)
class Recipe:
    """How one classifier is trained: AdamW under a one-cycle schedule on randomly moved and faded images.

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
    fade: float = 1.0
    """How far black may rise and white may sink, as shares of 0.6 and 0.8 in the range [-1, 1]."""
    noise: float = 0.25
    """Largest standard deviation of added Gaussian noise."""


RECIPES: Final = {
    "digits": Recipe(workload="digits", extractor="digits-cnn-v1", epochs=60, batch_size=64, shift=3.0),
    "mnist": Recipe(workload="mnist", extractor="mnist-cnn-v1", epochs=8),
}


def _uniform(count: int, bound: float, rng: torch.Generator) -> Tensor:
    return (2.0 * torch.rand(count, generator=rng) - 1.0) * bound


def _move(images: Tensor, recipe: Recipe, rng: torch.Generator) -> Tensor:
    """Shift, turn and stretch each image [N, 1, H, W] in [-1, 1] at random; what comes into view is black."""
    count = len(images)
    angle = _uniform(count, math.radians(recipe.turn), rng)
    scale = 1.0 + _uniform(count, recipe.stretch, rng)
    shift = _uniform(2 * count, 2.0 * recipe.shift / images.shape[-1], rng).reshape(count, 2)
    cosine, sine = angle.cos() * scale, angle.sin() * scale
    rows = [torch.stack([cosine, -sine, shift[:, 0]], 1), torch.stack([sine, cosine, shift[:, 1]], 1)]
    grid = functional.affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)
    return functional.grid_sample(images + 1.0, grid, align_corners=False) - 1.0


def _fade(images: Tensor, recipe: Recipe, rng: torch.Generator) -> Tensor:
    """Raise black, sink white and add noise, each image [N, 1, H, W] by its own random amounts."""

    def amounts(bound: float) -> Tensor:
        return torch.rand(len(images), 1, 1, 1, generator=rng) * bound

    black, white = amounts(0.6 * recipe.fade) - 1.0, 1.0 - amounts(0.8 * recipe.fade)
    faded = (images + 1.0) / 2.0 * (white - black) + black
    return faded + torch.randn(images.shape, generator=rng) * amounts(recipe.noise)


def _scaled(images: "np.ndarray[tuple[int, ...], np.dtype[np.generic]]") -> Tensor:
    return torch.from_numpy(images).float() / 127.5 - 1.0


@torch.no_grad()
def accuracy(classifier: Classifier, images: Tensor, labels: Tensor) -> float:
    """Return the share of images in [-1, 1] whose class is right."""
    guesses = torch.cat([classifier(batch)[1].argmax(1) for batch in batches(images, 1000)])
    return (guesses == labels).double().mean().item()


def train(recipe: Recipe, arrays: data.Arrays, seed: int = 0) -> tuple[Classifier, float]:
    """Train a classifier and return it with its accuracy on the test part, which training never looks at."""
    torch.manual_seed(seed)
    rng = torch.Generator().manual_seed(seed)
    classifier = Classifier(extractor_pin(recipe.extractor)).to(memory_format=torch.channels_last)
    images, labels = _scaled(arrays.train), torch.from_numpy(arrays.train_labels)
    steps = len(images) // recipe.batch_size
    optimizer = torch.optim.AdamW(classifier.parameters(), weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.peak_learning_rate, total_steps=recipe.epochs * steps
    )
    for epoch in range(recipe.epochs):
        order = torch.randperm(len(images), generator=rng)[: steps * recipe.batch_size]
        for batch in batches(order, recipe.batch_size):
            _, logits = classifier(_fade(_move(images[batch], recipe, rng), recipe, rng))
            loss = functional.cross_entropy(logits, labels[batch])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
        sys.stderr.write(f"epoch {epoch + 1}/{recipe.epochs}: loss {loss.item():.4f}\n")
    classifier.eval()
    return classifier, accuracy(classifier, _scaled(arrays.test), torch.from_numpy(arrays.test_labels))


def main(arguments: list[str] | None = None) -> None:
    """Train one classifier, write its weights, and say how good they are and what to pin."""
    parser = argparse.ArgumentParser(description="Train one of the frozen classifiers.")
    parser.add_argument("data_set", choices=RECIPES)
    parser.add_argument("--data", type=Path, help="the folder that holds MNIST/raw")
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="where the weights are written")
    options = parser.parse_args(arguments)
    recipe = RECIPES[options.data_set]
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    classifier, test_accuracy = train(recipe, data.load(recipe.workload, options.data))
    provenance = {
        "test_accuracy": round(test_accuracy, 4),
        "data_hash": data.workload(recipe.workload).content_hash,
        "torch": str(torch.__version__),
    }
    weights = {name: tensor.contiguous() for name, tensor in classifier.state_dict().items()}
    # One entry only: safetensors writes several in an order that changes from run to run, and the hash with it.
    content = safetensors.torch.save(weights, {"provenance": json.dumps(provenance)})
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / f"{recipe.extractor}.safetensors"
    path.write_bytes(content)
    sys.stdout.write(f"{path}: test accuracy {test_accuracy:.2%}, SHA-256 {hashlib.sha256(content).hexdigest()}\n")


if __name__ == "__main__":
    main()
