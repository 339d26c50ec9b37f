"""What a workload is: data, network and evaluation frozen together. `bench.data` registers the workloads themselves."""

from typing import Literal

from msgspec import Struct


class Mixture(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An isotropic 2-D Gaussian mixture with equal weights, whose modes a toy workload must find."""

    centres: tuple[tuple[float, float], ...]
    sigma: float


class Workload(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything about a task that no loss may change.

    `content_hash` names the data by content: the SHA-256 of the decoded arrays, or of the definition where the data
    is generated. It is pinned here, so that a trial has its identity before any data is read; loading verifies it.
    """

    name: str
    summary: str
    content_hash: str
    network: Literal["dcgan-v1", "mlp-v1"]
    width: int
    latent_size: int
    steps: int
    evaluate_every: int
    samples: int
    modes: int
    channels: int = 1
    image_size: int = 32
    stack: int = 1
    """How many single-channel images are stacked as channels; each draws its own index."""
    extractor: str | None = None
    """The frozen classifier in whose features distances are measured; none for toys."""
    mixture: Mixture | None = None
    scored_by: Literal["distance", "modes"] = "distance"

    @property
    def is_toy(self) -> bool:
        return self.mixture is not None
