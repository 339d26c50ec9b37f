"""`mnist`: 60,000 + 10,000 handwritten digits; `stacked-mnist`: three of them as color channels, 1,000 modes."""

from typing import Final

from bench.config.workload import Workload
from bench.data.family import Family
from bench.data.idx import IdxFiles

CONTENT_HASH: Final = "b49aae7b91bb5f5186ebff155ab599eb6e95534dc6773645b68a1be866d05ef5"

FILES: Final = IdxFiles("MNIST", megabytes=11)

FAMILY: Final = Family(
    workloads=(
        Workload(
            name="mnist",
            summary="70,000 handwritten digits, 28x28 padded to 32x32; downloaded once (11 MB)",
            content_hash=CONTENT_HASH,
            network="dcgan-v2",
            width=64,
            latent_size=100,
            steps=20_000,
            evaluate_every=1000,
            samples=10_000,
            modes=10,
            extractor="mnist-cnn-v1",
        ),
        Workload(
            name="stacked-mnist",
            summary="three random digits of MNIST's training part as color channels: 1,000 modes",
            content_hash=CONTENT_HASH,
            network="dcgan-v2",
            width=64,
            latent_size=100,
            steps=20_000,
            evaluate_every=1000,
            samples=26_000,
            modes=1000,
            channels=3,
            stack=3,
            extractor="mnist-cnn-v1",
            scored_by="modes",
        ),
    ),
    load=FILES.load,
    missing=FILES.missing,
)
