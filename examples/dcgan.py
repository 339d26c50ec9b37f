"""The loop of the DCGAN tutorial with a loss of this library."""

import torch
from _digits import LATENT_SIZE, batches, dcgan_discriminator, dcgan_generator, steps_from_the_command_line

import losses

torch.manual_seed(0)
steps = steps_from_the_command_line()
criterion = losses.Criterion("nsgan-r1", dcgan_discriminator(), dcgan_generator())
learning_rate = 2e-4 * criterion.learning_rate_factor  # 1 but for methods with ttur
d_optimizer = torch.optim.Adam(criterion.discriminator.parameters(), lr=learning_rate, betas=(0.5, 0.999))
g_optimizer = torch.optim.Adam(criterion.generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
criterion.follow(d_optimizer, g_optimizer)

for step, (real_images, _) in enumerate(batches(64, steps)):
    # (1) Update D. The tutorial's two calls of BCE are one loss here, and no labels of 1 and 0 are needed.
    d_optimizer.zero_grad()
    d_loss = criterion.discriminator_loss(real_images, torch.randn(len(real_images), LATENT_SIZE))
    d_loss.total.backward()
    d_optimizer.step()

    # (2) Update G.
    g_optimizer.zero_grad()
    g_loss = criterion.generator_loss(torch.randn(len(real_images), LATENT_SIZE), real_images)
    g_loss.total.backward()
    g_optimizer.step()

    if step % 50 == 0 or step == steps - 1:
        terms = ", ".join(f"{name} {part.value.item():.3f}" for name, part in d_loss.items())
        print(f"step {step}: D {d_loss.total.item():.3f} ({terms}), G {g_loss.total.item():.3f}")
