"""A class-conditional patch discriminator with lazy R1 and DiffAugment, and a conditional generator."""

import torch
from _digits import LATENT_SIZE, batches, dcgan_generator, steps_from_the_command_line
from torch import Tensor, nn

import losses

CLASSES = 10


class PatchDiscriminator(nn.Module):
    """Images and labels to a map of logits [B, 1, 8, 8]; each judges a patch, and knows the class by projection."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, width, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(width, width, 4, 2, 1), nn.LeakyReLU(0.2)
        )
        self.head = nn.Conv2d(width, 1, 1)
        self.embedding = nn.Embedding(CLASSES, width)
        nn.init.normal_(self.embedding.weight, std=0.1)

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        maps = self.body(images)
        of_its_class = (maps * self.embedding(labels)[:, :, None, None]).sum(1, keepdim=True)
        return self.head(maps) + of_its_class


class ConditionalGenerator(nn.Module):
    """Latents and labels to images; the class is added to the latent."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.body = nn.Embedding(CLASSES, LATENT_SIZE), dcgan_generator()

    def forward(self, latents: Tensor, labels: Tensor) -> Tensor:
        return self.body(latents + self.embedding(labels))


torch.manual_seed(0)
steps = steps_from_the_command_line()
# R1 takes the slope of the sum of a sample's 64 patches, so that gamma is smaller than for a single logit.
criterion = losses.Criterion(
    "hinge + r1(gamma=0.1, every=16) + diffaug", PatchDiscriminator(), ConditionalGenerator(), logits="per_patch"
)
learning_rate = 2e-4 * criterion.learning_rate_factor  # 1 but for methods with ttur
d_optimizer = torch.optim.Adam(criterion.discriminator.parameters(), lr=learning_rate, betas=(0.5, 0.999))
g_optimizer = torch.optim.Adam(criterion.generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
criterion.follow(d_optimizer, g_optimizer)

for step, (real_images, real_labels) in enumerate(batches(64, steps)):
    fake_labels = torch.randint(CLASSES, (64,))
    d_optimizer.zero_grad()
    d_loss = criterion.discriminator_loss(
        real_images, torch.randn(64, LATENT_SIZE), real_labels=real_labels, fake_labels=fake_labels
    )
    d_loss.total.backward()
    d_optimizer.step()

    g_optimizer.zero_grad()
    g_loss = criterion.generator_loss(torch.randn(64, LATENT_SIZE), fake_labels=torch.randint(CLASSES, (64,)))
    g_loss.total.backward()
    g_optimizer.step()

    if step % 16 == 0 or step == steps - 1:
        slope = f", R1 {d_loss['r1'].value.item():.3f}" if "r1" in d_loss else ""
        print(f"step {step}: D {d_loss.total.item():.3f}{slope}, G {g_loss.total.item():.3f}")
