"""Data parallel on two processes, each with half of every batch: the weights end as those of one process.

DistributedDataParallel averages the gradients of the processes. A loss that compares logits with the mean of a batch,
as the relativistic average does, or remembers one, as lecam does, must look at the batch of all: hence `all_reduce`.
"""

import argparse
import tempfile
from pathlib import Path

import torch
import torch.distributed as dist
from _digits import LATENT_SIZE, batches, dcgan_discriminator
from torch import nn
from torch.nn.parallel import DistributedDataParallel

import losses

BATCH = 64
"""Of all processes together: each must hold equally many samples."""


def generator() -> nn.Module:
    """A generator without BatchNorm, whose statistics would be those of a half batch."""
    return nn.Sequential(
        nn.Linear(LATENT_SIZE, 256), nn.ReLU(), nn.Linear(256, 32 * 32), nn.Tanh(), nn.Unflatten(1, (1, 32, 32))
    )


def train(rank: int, processes: int, steps: int, rendezvous: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=rendezvous, rank=rank, world_size=processes)
    torch.manual_seed(0)
    criterion = losses.Criterion(
        "ralsgan + r1(gamma=1, every=2) + lecam(start=0)", dcgan_discriminator(), generator(), seed=0,
        all_reduce=dist.all_reduce,
    )  # fmt: skip
    criterion.use(
        discriminator=DistributedDataParallel(criterion.discriminator),
        generator=DistributedDataParallel(criterion.generator),
    )
    # SGD, so that what is compared between one and two processes is not enlarged by Adam's division by small numbers.
    d_optimizer = torch.optim.SGD(criterion.discriminator.parameters(), lr=0.05 * criterion.learning_rate_factor)
    g_optimizer = torch.optim.SGD(criterion.generator.parameters(), lr=0.05)
    criterion.follow(d_optimizer, g_optimizer)

    latents = torch.Generator().manual_seed(1)
    for step, (real_images, _) in enumerate(batches(BATCH, steps)):

        def own(batch: torch.Tensor) -> torch.Tensor:
            return batch.chunk(processes)[rank]

        d_optimizer.zero_grad()
        d_loss = criterion.discriminator_loss(own(real_images), own(torch.randn(BATCH, LATENT_SIZE, generator=latents)))
        d_loss.total.backward()
        d_optimizer.step()

        g_optimizer.zero_grad()
        g_loss = criterion.generator_loss(own(torch.randn(BATCH, LATENT_SIZE, generator=latents)), own(real_images))
        g_loss.total.backward()
        g_optimizer.step()
        if rank == 0 and (step % 50 == 0 or step == steps - 1):
            print(f"step {step}: D {d_loss.total.item():.5f}, G {g_loss.total.item():.5f}")

    if rank == 0:
        for name, player in (("D", criterion.discriminator), ("G", criterion.generator)):
            size = (
                torch.stack([weights.detach().double().square().sum() for weights in player.parameters()]).sum().sqrt()
            )
            print(f"length of {name}'s weights: {size.item():.9f}")
    dist.barrier()  # nobody closes the connections while another process is still at work
    dist.destroy_process_group()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    if arguments.processes < 1 or BATCH % arguments.processes:
        parser.error(f"--processes {arguments.processes} do not divide a batch of {BATCH} into equal parts")
    with tempfile.TemporaryDirectory() as folder:
        rendezvous = (Path(folder) / "rendezvous").as_uri()
        torch.multiprocessing.spawn(
            train, (arguments.processes, arguments.steps, rendezvous), nprocs=arguments.processes
        )
