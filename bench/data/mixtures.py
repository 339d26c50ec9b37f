"""`ring8` and `grid25`: two Gaussian mixtures in the plane that are often used to show mode collapse.

Centres and widths are those of the published ring and grid (Srivastava et al., VEEGAN, 2017; Lin et al., PacGAN, 2018).
The points are used as they are, without scaling.
"""

import hashlib
import math
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.config.trial import canonical_json
from bench.config.workload import Budget, Mixture, Workload
from bench.data.family import Arrays, Family, OnProgress

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TRAIN_POINTS: Final = 100_000
TEST_POINTS: Final = 10_000

_MODES: Final = 8
_GRID: Final = (-4.0, -2.0, 0.0, 2.0, 4.0)

RING: Final = Mixture(
    # Rounded, so that the definition does not depend on the last bit of a machine's cosine.
    centres=tuple(
        (round(math.cos(math.tau * mode / _MODES), 12), round(math.sin(math.tau * mode / _MODES), 12))
        for mode in range(_MODES)
    ),
    sigma=0.01,
)
GRID: Final = Mixture(centres=tuple((x, y) for x in _GRID for y in _GRID), sigma=0.05)


def draw(mixture: Mixture, stream: str, modes: "NDArray[np.int64]") -> "NDArray[np.float32]":
    """Draw one point [N, 2] of each of the given modes [N] out of the named random stream."""
    import numpy as np

    from bench.data import streams

    points = np.asarray(mixture.centres)[modes] + mixture.sigma * streams.normals(stream, len(modes))
    return points.astype(np.float32)


def _load(workload: Workload, data_dir: Path, on_progress: OnProgress | None) -> Arrays:
    """Draw an independent training sample, and a test sample with equally many points of every mode.

    The test sample stands for the mixture itself in the sliced Wasserstein distance. With unequal modes, that distance
    would be mostly the random imbalance of the test sample.
    """
    import numpy as np

    from bench.data import streams

    assert workload.mixture is not None
    train_modes = streams.integers(f"{workload.name}/train/modes", TRAIN_POINTS, workload.modes)
    test_modes = np.arange(TEST_POINTS) % workload.modes
    return Arrays(
        train=draw(workload.mixture, f"{workload.name}/train/noise", train_modes),
        train_labels=train_modes,
        test=draw(workload.mixture, f"{workload.name}/test/noise", test_modes),
        test_labels=test_modes,
    )


def definition_hash(name: str, mixture: Mixture) -> str:
    """Return the hash of all that the points of a mixture follow from: its content, which is drawn and not stored."""
    definition = {"name": name, "mixture": mixture, "train": TRAIN_POINTS, "test": TEST_POINTS, "stream": "philox-v1"}
    return hashlib.sha256(canonical_json(definition)).hexdigest()


def _workload(name: str, summary: str, mixture: Mixture, learning_rate: float) -> Workload:
    return Workload(
        name=name,
        summary=summary,
        content_hash=definition_hash(name, mixture),
        network="mlp-v1",
        width=128,
        latent_size=2,
        steps=20_000,
        evaluate_every=2500,
        samples=10_000,
        modes=len(mixture.centres),
        channels=2,
        image_size=1,
        mixture=mixture,
        scored_by="modes",
        quick=Budget(steps=3000, evaluate_every=500),
        learning_rate=learning_rate,
    )


FAMILY: Final = Family(
    workloads=(
        # One that learns faster cannot stay on modes of 0.01; on the grid, five times as coarse, one that learns as
        # slowly finds nothing (decision 8).
        _workload("ring8", "8 narrow Gaussians on a circle, in the plane", RING, 1e-4),
        _workload("grid25", "25 narrow Gaussians on a 5x5 grid, in the plane", GRID, 3e-4),
    ),
    load=_load,
)
