"""Networks in bfloat16 by autocast, losses and penalties in float32; the run is saved in the middle and goes on."""

import argparse
import tempfile
from pathlib import Path

import torch
from _digits import LATENT_SIZE, batches, dcgan_discriminator, dcgan_generator

import losses


class Run:
    def __init__(self, device: torch.device) -> None:
        torch.manual_seed(0)
        self.device = device
        # A stateful part (lecam), a lazy one (r1) and a constraint (spectral norm): all of it is kept by the criterion.
        self.criterion = losses.Criterion(
            "hinge + r1(gamma=1, every=4) + lecam(start=10) + spectral_norm",
            dcgan_discriminator().to(device),
            dcgan_generator().to(device),
        )
        learning_rate = 2e-4 * self.criterion.learning_rate_factor  # 1 but for methods with ttur
        self.d_optimizer = torch.optim.Adam(
            self.criterion.discriminator.parameters(), lr=learning_rate, betas=(0.5, 0.999)
        )
        self.g_optimizer = torch.optim.Adam(self.criterion.generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
        self.criterion.follow(self.d_optimizer, self.g_optimizer)
        self.latents = torch.Generator(device).manual_seed(1)

    @property
    def parts(self) -> list:
        return [
            self.criterion, self.criterion.discriminator, self.criterion.generator, self.d_optimizer, self.g_optimizer,
        ]  # fmt: skip

    def save(self, path: Path) -> None:
        torch.save([*(part.state_dict() for part in self.parts), self.latents.get_state()], path)

    def load(self, path: Path) -> None:
        *states, latents = torch.load(path, weights_only=True, map_location=self.device)
        for part, state in zip(self.parts, states, strict=True):
            part.load_state_dict(state)
        self.latents.set_state(latents.cpu())

    def step(self, real_images: torch.Tensor) -> tuple[float, float]:
        def latents() -> torch.Tensor:
            return torch.randn(len(real_images), LATENT_SIZE, generator=self.latents, device=self.device)

        # No gradient scaler: bfloat16 has the range of float32. float16 does not, and penalties refuse it.
        self.d_optimizer.zero_grad()
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            d_loss = self.criterion.discriminator_loss(real_images, latents())
        d_loss.total.backward()
        self.d_optimizer.step()

        self.g_optimizer.zero_grad()
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            g_loss = self.criterion.generator_loss(latents(), real_images)
        g_loss.total.backward()
        self.g_optimizer.step()
        return d_loss.total.item(), g_loss.total.item()


parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=200)
parser.add_argument("--interrupt-at", type=int, default=100, help="save and build everything anew before this step")
arguments = parser.parse_args()
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
run = Run(device)
with tempfile.TemporaryDirectory() as folder:
    checkpoint = Path(folder) / "run.pt"
    for step, (real_images, _) in enumerate(batches(64, arguments.steps)):
        if step == arguments.interrupt_at:  # as if the machine had been turned off
            run.save(checkpoint)
            run = Run(device)
            run.load(checkpoint)
        d_total, g_total = run.step(real_images.to(device))
        if step % 50 == 0 or step == arguments.steps - 1:
            print(f"step {step}: D {d_total:.4f}, G {g_total:.4f}")
