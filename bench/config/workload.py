"""What a workload is: data, network and evaluation frozen together. `bench.data` registers the workloads themselves."""

import re
from typing import Literal

from msgspec import Struct

from bench.config.protocol import CONTROLLED_LEARNING_RATE


class Mixture(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An isotropic 2-D Gaussian mixture with equal weights, whose modes a toy workload must find."""

    centres: tuple[tuple[float, float], ...]
    sigma: float


class Budget(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long a trial trains, in generator updates, and how often it is evaluated."""

    steps: int
    evaluate_every: int


def workload_kind(name: str) -> str:
    """Return a workload's name without the folder it reads: `imagefolder:/my/cats?size=64` gives `imagefolder-64`.

    What depends on the data's content alone (identities, random streams, names of caches) is named by this, so that a
    folder can be moved. Names without a folder are returned as they are.
    """
    if not _reads_folder(name):
        return name
    head, _, size = _parts(name)
    return f"{head}-{size}"


def folder_name(name: str) -> str | None:
    """Return the last part of the path of a workload's folder: `imagefolder:/my/cats?size=64` gives `cats`.

    None for a workload that reads no folder of a user's.
    """
    return re.split(r"[/\\]", _parts(name)[1])[-1] if _reads_folder(name) else None


def public_name(name: str) -> str:
    """Return a workload's name as it is published: `imagefolder:/my/cats?size=64` gives `imagefolder:/cats?size=64`.

    The other parts of a path belong to one machine, and may name a person. Other names are returned as they are.
    """
    folder = folder_name(name)
    return name if folder is None else in_folder(name, f"/{folder}")


def in_folder(name: str, folder: str) -> str:
    """Return the name of a workload that reads a folder, with that folder in the place of its own."""
    head, _, size = _parts(name)
    return f"{head}:{folder}?size={size}"


def _reads_folder(name: str) -> bool:
    return ":" in name


def _parts(name: str) -> tuple[str, str, str]:
    """Divide the name of a workload that reads a folder: what it is, the path, and the size."""
    head, _, rest = name.partition(":")
    path, _, size = rest.rpartition("?size=")
    return head, path, size


class Workload(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything about a task that no loss may change.

    `content_hash` names the data by content: the SHA-256 of the decoded arrays, or of the definition of a mixture.
    Where it is pinned here, a trial has its identity before any data is read, and loading verifies it. Where it is
    empty, nobody can know it in advance; `bench.data.resolve` reads the data and fills it in before trials are planned.
    """

    name: str
    summary: str
    content_hash: str
    network: Literal["dcgan-v2", "mlp-v1"]
    width: int
    latent_size: int
    steps: int
    evaluate_every: int
    samples: int
    """How many samples an evaluation has. 0: as many as fit the data, which `bench.data.resolve` fills in likewise."""
    modes: int
    """How many kinds of sample the extractor tells apart; 0 where it tells none, and no mode is counted."""
    channels: int = 1
    image_size: int = 32
    stack: int = 1
    """How many single-channel images are stacked as channels; each draws its own index."""
    extractor: str | None = None
    """The frozen network in whose features distances are measured; none for toys."""
    classifier: str | None = None
    """The frozen classifier whose classes are the modes, where it is another network than the extractor."""
    photographs: bool = False
    """Whether the images are photographs in color, which may be measured in a network that has seen photographs."""
    mixture: Mixture | None = None
    scored_by: Literal["distance", "modes"] = "distance"
    quick: Budget | None = None
    """A shorter budget of its own, where the protocol knows one."""
    learning_rate: float = CONTROLLED_LEARNING_RATE
    """Of both players on the controlled track."""
    inception_samples: int = 10_000
    """How many generated images FID, KID and IS in Inception are computed from."""

    @property
    def is_toy(self) -> bool:
        return self.mixture is not None

    @property
    def has_single_images(self) -> bool:
        """Whether there is a training set of images: points are none, and stacks are drawn at random."""
        return not self.is_toy and self.stack == 1

    @property
    def has_color(self) -> bool:
        return self.has_single_images and self.channels == 3

    @property
    def kind(self) -> str:
        return workload_kind(self.name)


def primary_of(workload: Workload) -> str:
    """Return the metric that is the workload's distance."""
    return "sliced_w2" if workload.is_toy else "fd"
