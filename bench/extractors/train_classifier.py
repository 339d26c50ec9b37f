"""Train the frozen classifiers. The shipped weights were written by

    python -m bench.extractors.train_classifier digits|mnist [--data DIR] [--out DIR]

The run is deterministic on one machine: fixed seed, fixed threads. The printed SHA-256 goes into `specs.py`. New
weights change every distance measured with them, so they also need a new extractor name. `bench.extractors.on_demand`
trains the classifiers that are not shipped.
"""

import argparse
import contextlib
import hashlib
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor
from torch.nn import functional

from bench import data
from bench.common.threads import torch_threads
from bench.extractors.classifiers import Classifier
from bench.extractors.embedding import batches
from bench.extractors.loading import WEIGHTS
from bench.extractors.specs import extractor_spec
from bench.extractors.training_configs import TRAINING_CONFIGS, TrainingConfig


def _uniform(count: int, bound: float, rng: torch.Generator) -> Tensor:
    return (2.0 * torch.rand(count, generator=rng) - 1.0) * bound


def _move(images: Tensor, config: TrainingConfig, rng: torch.Generator) -> Tensor:
    """Shift, turn and stretch each image [N, C, H, W] in [-1, 1] at random; mirror half of them if `config.flip`."""
    count = len(images)
    angle = _uniform(count, math.radians(config.turn), rng)
    scale = 1.0 + _uniform(count, config.stretch, rng)
    shift = _uniform(2 * count, 2.0 * config.shift / images.shape[-1], rng).reshape(count, 2)
    cosine, sine = angle.cos() * scale, angle.sin() * scale
    rows = [torch.stack([cosine, -sine, shift[:, 0]], 1), torch.stack([sine, cosine, shift[:, 1]], 1)]
    grid = functional.affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)
    if config.flip:
        images = torch.where(torch.rand(count, 1, 1, 1, generator=rng) < 0.5, images.flip(-1), images)
    return functional.grid_sample(images + 1.0, grid, padding_mode=config.border, align_corners=False) - 1.0


def _fade(images: Tensor, config: TrainingConfig, rng: torch.Generator) -> Tensor:
    """Raise black, lower white and add noise, each image [N, C, H, W] by random amounts of its own."""

    def amounts(bound: float) -> Tensor:
        return torch.rand(len(images), 1, 1, 1, generator=rng) * bound

    black, white = amounts(0.6 * config.fade) - 1.0, 1.0 - amounts(0.8 * config.fade)
    faded = (images + 1.0) / 2.0 * (white - black) + black
    return faded + torch.randn(images.shape, generator=rng) * amounts(config.noise)


def _scaled(images: Tensor) -> Tensor:
    return images.float() / 127.5 - 1.0


@torch.no_grad()
def accuracy(classifier: Classifier, images: Tensor, labels: Tensor) -> float:
    """Return the share of uint8 images [N, C, H, W] that the classifier puts into the right class."""
    guesses = torch.cat([classifier(_scaled(batch))[1].argmax(1) for batch in batches(images, 1000)])
    return (guesses == labels).double().mean().item()


@contextlib.contextmanager
def reproducible(threads: int) -> Iterator[None]:
    """Compute with this many threads and deterministic algorithms only; restore the settings afterwards."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        with torch_threads(threads), torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.use_deterministic_algorithms(before)


def train(
    config: TrainingConfig, arrays: data.Arrays, seed: int = 0, on_progress: data.OnProgress | None = None
) -> tuple[Classifier, float]:
    """Train a classifier. Return it with its accuracy on the test part, which training never looks at.

    Args:
        config: how it is trained. Two runs on one machine give the same bits.
        arrays: the data, with labels.
        seed: of the initial weights, and of the order and the changes of the images.
        on_progress: called with the number of batches done and of all batches.
    """
    spec = extractor_spec(config.extractor)
    words = f"training {config.extractor}" + (f" (about {config.minutes:g} min)" if config.minutes else "")
    with reproducible(config.threads):
        torch.manual_seed(seed)
        rng = torch.Generator().manual_seed(seed)
        classifier = Classifier(spec).to(memory_format=torch.channels_last)
        images, labels = torch.from_numpy(arrays.train), torch.from_numpy(arrays.train_labels)
        steps = len(images) // config.batch_size
        total = config.epochs * steps
        optimizer = torch.optim.AdamW(classifier.parameters(), weight_decay=config.weight_decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, config.peak_learning_rate, total_steps=total)
        done = 0
        for _ in range(config.epochs):
            order = torch.randperm(len(images), generator=rng)[: steps * config.batch_size]
            for batch in batches(order, config.batch_size):
                if on_progress is not None:
                    on_progress(words, done, total)
                seen = _fade(_move(_scaled(images[batch]), config, rng), config, rng)
                _, logits = classifier(seen)
                loss = functional.cross_entropy(logits, labels[batch])
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
                schedule.step()
                done += 1
        classifier.eval()
        reached = accuracy(classifier, torch.from_numpy(arrays.test), torch.from_numpy(arrays.test_labels))
    if on_progress is not None:
        on_progress(words, total, total)
    return classifier, reached


def main(arguments: list[str] | None = None) -> None:
    """Train one classifier, write its weights, and print their accuracy and the hash to pin."""
    parser = argparse.ArgumentParser(description="Train one of the frozen classifiers.")
    parser.add_argument("data_set", choices=TRAINING_CONFIGS)
    parser.add_argument("--data", type=Path, help="the folder that holds MNIST/raw")
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="where the weights are written")
    options = parser.parse_args(arguments)
    config = TRAINING_CONFIGS[options.data_set]
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    classifier, test_accuracy = train(config, data.load(config.workload, options.data))
    provenance = {
        "test_accuracy": round(test_accuracy, 4),
        "data_hash": data.workload(config.workload).content_hash,
        "torch": str(torch.__version__),
    }
    weights = {name: tensor.contiguous() for name, tensor in classifier.state_dict().items()}
    # One entry only: safetensors writes several in an order that changes from run to run, and the hash with it.
    content = safetensors.torch.save(weights, {"provenance": json.dumps(provenance)})
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / f"{config.extractor}.safetensors"
    path.write_bytes(content)
    sys.stdout.write(f"{path}: test accuracy {test_accuracy:.2%}, SHA-256 {hashlib.sha256(content).hexdigest()}\n")


if __name__ == "__main__":
    main()
