"""`fashion-mnist`: 60,000 + 10,000 gray photographs of clothes in MNIST's format (Xiao et al., 2017)."""

from typing import Final

from bench.config.workload import Workload
from bench.data.family import Family
from bench.data.idx import IdxFiles

FILES: Final = IdxFiles("FashionMNIST", megabytes=31)

FAMILY: Final = Family(
    workloads=(
        Workload(
            name="fashion-mnist",
            summary="70,000 gray photographs of clothes, 28x28 padded to 32x32; downloaded once (31 MB)",
            # Read from the data: torchvision pins the packed files alone.
            content_hash="",
            network="dcgan-v2",
            width=64,
            latent_size=100,
            steps=20_000,
            evaluate_every=1000,
            samples=10_000,
            modes=10,
            extractor="fashion-cnn-v1",
        ),
    ),
    load=FILES.load,
    missing=FILES.missing,
)
