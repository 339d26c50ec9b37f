"""The weights of the judges beside Inception, CLIP and VGG16: their files, and whether a record lacks their numbers.

It imports no torch.
"""

from typing import Final

from bench.config.judges import CLIP, JUDGES, OFFICIAL_WEIGHTS, VGG16
from bench.config.workload import Workload
from bench.extractors.weight_files import Source, Weights
from bench.store.record import Record


def _source(name: str, *, file: str, url: str, size: str, official_only: str = "") -> Source:
    return Source(
        network=name,
        title=JUDGES[name].title,
        file=file,
        url=url,
        size=size,
        named_with=f"--also-in {name}=FILE",
        official_only=official_only,
    )


SOURCES: Final = {
    CLIP: _source(
        CLIP,
        file=f"{CLIP}-{OFFICIAL_WEIGHTS[CLIP]}.pt",
        url=f"https://openaipublic.azureedge.net/clip/models/{OFFICIAL_WEIGHTS[CLIP]}/ViT-B-32.pt",
        size="354 MB",
        official_only="no other is read, since such a file (TorchScript) holds a program beside the weights",
    ),
    VGG16: _source(
        VGG16,
        file=f"vgg16-{OFFICIAL_WEIGHTS[VGG16]}.pth",
        url=f"https://download.pytorch.org/models/vgg16-{OFFICIAL_WEIGHTS[VGG16]}.pth",
        size="553 MB",
    ),
}


def misses(weights: Weights, workload: Workload, record: Record) -> bool:
    """Whether the trial must run again, since its record lacks the numbers of a judge with these weights."""
    return workload.has_single_images and not record.is_judged_with(weights.network, weights.label)
