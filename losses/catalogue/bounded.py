"""Methods that keep the discriminator in check: penalties, normalization, consistency, running means."""

from typing import Final

from losses.catalogue.entry import Entry
from losses.recipe import Recipe

_MESCHEDER = Recipe("rmsprop", 1e-4, 1e-4, betas=(0.0, 0.99), d_norm="none", batch_size=64)
_SN = Recipe(betas=(0.5, 0.999), d_norm="none", batch_size=64)
_CONSISTENCY = "arXiv:2002.04724"
_RELATIVISTIC = "Jolicoeur-Martineau, ICLR 2019, arXiv:1807.00734"
_RELATIVISTIC_GP = Recipe(d_norm="sn", batch_size=32)

METHODS: Final[dict[str, Entry]] = {
    "wgan": Entry(
        "wasserstein + weight_clip(c=0.01)",
        "The Wasserstein GAN with clipped weights.",
        Recipe("rmsprop", 5e-5, 5e-5, betas=(0.0, 0.99), critic_steps=5, batch_size=64),
        "Arjovsky et al., ICML 2017, arXiv:1701.07875; recipe of the authors' code, which now and then makes 100 "
        "critic steps.",
    ),
    "wgan-gp": Entry(
        "wasserstein + gp1(weight=10)",
        "The Wasserstein GAN with a gradient penalty instead of the clipping.",
        Recipe("adam", 1e-4, 1e-4, betas=(0.0, 0.9), critic_steps=5, d_norm="ln", batch_size=64),
        "Gulrajani et al., NeurIPS 2017, arXiv:1704.00028; recipe of the authors' 64x64 code; their small CIFAR-10 run "
        "has betas of 0.5 and 0.9 and no normalization.",
    ),
    "wgan-lp": Entry(
        "wasserstein + gp1_onesided(weight=10)",
        "The Wasserstein GAN with a penalty on slopes above 1 only.",
        Recipe("adam", 1e-4, 1e-4, betas=(0.5, 0.9), critic_steps=5, d_norm="none", batch_size=64),
        "Petzka et al., ICLR 2018, arXiv:1709.08894, equation 8 (number recalled); weight and recipe of an author's "
        "CIFAR-10 code.",
    ),
    "pggan": Entry(
        "wasserstein + gp1(weight=10) + drift(weight=0.001)",
        "WGAN-GP with the values of real images kept from drifting: the progressive GAN's loss, without its growth.",
        Recipe("adam", 1e-3, 1e-3, betas=(0.0, 0.99), d_norm="none", batch_size=16),
        "Karras et al., ICLR 2018, arXiv:1710.10196; recipe of the authors' code. On CIFAR-10 they ask for a slope of "
        "750 (recalled).",
    ),
    "hinge-linf": Entry(
        "hinge + gp1_linf(weight=20, target=1, hinge=True)",
        "The hinge GAN with a bound on the largest derivative by any one pixel.",
        Recipe(d_norm="none", batch_size=32),
        "Jolicoeur-Martineau and Mitliagkas, 2019, arXiv:1910.06922; recipe of the author's CIFAR-10 runs, less the "
        "BatchNorm in its discriminator.",
    ),
    "rpgan-gp": Entry(
        "rp_bce + gp1(weight=10)",
        "The paired relativistic GAN with a gradient penalty (RSGAN-GP).",
        _RELATIVISTIC_GP,
        f"{_RELATIVISTIC}; recipe of the author's CIFAR-10 runs; another has 1e-4, betas of 0.5 and 0.9 and five "
        "critic steps.",
    ),
    "ragan-gp": Entry(
        "ra_bce + gp1(weight=10)",
        "The average relativistic GAN with a gradient penalty (RaSGAN-GP).",
        _RELATIVISTIC_GP,
        f"{_RELATIVISTIC}; recipe of the author's CIFAR-10 run.",
    ),
    "wgan-div": Entry(
        "wasserstein + wdiv(weight=2, power=6)",
        "The Wasserstein divergence: the sixth power of the slope instead of a target.",
        Recipe(betas=(0.5, 0.999), d_norm="none"),
        "Wu et al., ECCV 2018, arXiv:1712.01026, equation 7 (number recalled).",
    ),
    "wgan-alp": Entry(
        "wasserstein + alp(weight=100)",
        "The Wasserstein GAN with the Lipschitz constraint asked for where it is violated most.",
        Recipe(betas=(0.0, 0.9), critic_steps=5, d_norm="none", batch_size=64),
        "Terjek, ICLR 2020, arXiv:1907.05681, equation 8 (number and weight recalled; the author's code has 10 by "
        "default); recipe of the author's code, without its decay.",
    ),
    "ct-gan": Entry(
        "wasserstein + gp1(weight=10) + ct(weight=2)",
        "WGAN-GP with a consistency term between two random passes of each real image.",
        Recipe("adam", 1e-4, 1e-4, betas=(0.5, 0.9), critic_steps=5, d_norm="none", batch_size=64),
        "Wei et al., ICLR 2018, arXiv:1803.01541, equations 4 and 5 (numbers recalled); recipe of the authors' code, "
        "whose dropout is inside the discriminator and not on its input.",
    ),
    "dragan": Entry(
        "bce_ns + dragan(weight=10, k=1)",
        "The non-saturating GAN with unit slope asked for near the real data.",
        Recipe("adam", 1e-4, 1e-4, betas=(0.5, 0.9), d_norm="none", batch_size=128),
        "Kodali et al., 2017, arXiv:1705.07215; recipe of the authors' MNIST notebook.",
    ),
    "nsgan-r1": Entry(
        "bce_ns + r1(gamma=10)",
        "The non-saturating GAN, made locally convergent by R1.",
        _MESCHEDER,
        "Mescheder et al., ICML 2018, arXiv:1801.04406; recipe of the authors' code, where 10 is a gamma of 20.",
    ),
    "nsgan-r2": Entry(
        "bce_ns + r2(gamma=10)",
        "The non-saturating GAN with a flat discriminator on generated images.",
        _MESCHEDER,
        "Mescheder et al., ICML 2018, arXiv:1801.04406, equation 10 (number recalled); recipe of the authors' code, "
        "where 10 is a gamma of 20.",
    ),
    "nsgan-0gp": Entry(
        "bce_ns + gp0(weight=100)",
        "The non-saturating GAN with a flat discriminator between real and generated images.",
        Recipe("adam", 3e-4, 3e-4, betas=(0.5, 0.9), critic_steps=5, d_norm="none", batch_size=128),
        "Thanh-Tung et al., ICLR 2019, arXiv:1902.03984 (weight recalled); recipe of the authors' MNIST script, which "
        "has a weight of 500.",
    ),
    "nsgan-ar1": Entry(
        "bce_ns + ar1(weight=100)",
        "R1 by finite differences: no double backward.",
        Recipe(d_norm="none"),
        "Lin et al., 2025, arXiv:2501.08316 (weight recalled; the recipe is DCGAN's, the paper's a diffusion model's).",
    ),
    "r3gan": Entry(
        "rp_bce + r1(gamma=1) + r2(gamma=1)",
        "R3GAN's loss: paired relativistic with R1 and R2. The paper anneals gamma; its stacked-MNIST run starts at 1.",
        Recipe(betas=(0.0, 0.9), d_norm="none"),
        "Huang et al., NeurIPS 2024, arXiv:2501.05441 (gamma of the stacked-MNIST run recalled; schedules of gamma, "
        "learning rate and beta left out).",
    ),
    "jsr-gan": Entry(
        "bce_ns + js_reg(gamma=0.1)",
        "The non-saturating GAN with the noise-induced regularizer of its divergence.",
        Recipe(d_norm="none", batch_size=64),
        "Roth et al., NeurIPS 2017, arXiv:1705.09367, equation 22 (number recalled); gamma and recipe of the authors' "
        "code, less the BatchNorm in its discriminator; its image runs anneal a gamma of 2.",
    ),
    "lipschitz-gan": Entry(
        "bce_ns + maxgp(weight=10)",
        "The non-saturating GAN with the steepest slope of the batch penalized.",
        Recipe(betas=(0.0, 0.9), critic_steps=5, d_norm="none", batch_size=64),
        "Zhou et al., ICML 2019, arXiv:1902.05687; objective and weight of StudioGAN, recipe of both codes; the "
        "authors' has a weight of 0.1.",
    ),
    "diggan": Entry(
        "hinge + diggan(weight=1000)",
        "The hinge GAN with a discriminator as steep on the real images as on the generated ones.",
        Recipe(betas=(0.0, 0.999), critic_steps=4, d_norm="sn", batch_size=50),
        "Fang et al., NeurIPS 2022, arXiv:2211.14694; weight and recipe of the authors' run on all of CIFAR-10.",
    ),
    "lecam-gan": Entry(
        "hinge + lecam(weight=0.3)",
        "The hinge GAN with logits anchored to running means of the other side.",
        Recipe(betas=(0.0, 0.999), critic_steps=4, d_norm="sn", batch_size=50),
        "Tseng et al., CVPR 2021, arXiv:2104.03310, equation 5 (number recalled); recipe of the authors' CIFAR-10 run.",
    ),
    "sngan": Entry(
        "hinge + spectral_norm",
        "The hinge GAN with every layer's weight divided by its largest singular value.",
        Recipe(betas=(0.0, 0.9), critic_steps=5, d_norm="none", batch_size=64),
        "Miyato et al., ICLR 2018, arXiv:1802.05957, equations 8 and 16 (numbers recalled).",
    ),
    "gn-gan": Entry(
        "hinge + grad_norm",
        "The hinge GAN with each logit divided by its own slope.",
        Recipe("adam", 2e-4, 4e-4, betas=(0.0, 0.9), critic_steps=5, d_norm="none", batch_size=64),
        "Wu et al., ICCV 2021, arXiv:2109.02235, equation 10 (number recalled); recipe of the authors' hinge run, a "
        "residual network's; their DCGAN run on CIFAR-10 is bce_ns, with one critic step and 2e-4 for both.",
    ),
    "san": Entry(
        "hinge + san_direction(weight=1) + san_head",
        "The slicing adversarial network: the hinge GAN whose last layer's direction follows the Wasserstein loss.",
        Recipe("adam", 1e-3, 1e-3, betas=(0.0, 0.99), d_norm="sn", batch_size=128),
        "Takida et al., ICLR 2024, arXiv:2301.12811; recipe of the authors' simple-san on MNIST, which has spectral "
        "normalization in its middle layers.",
    ),
    "cr-gan": Entry(
        "bce_ns + cr(weight=10) + spectral_norm",
        "Equal logits asked for a real image and its flipped and shifted copy.",
        _SN,
        "Zhang et al., ICLR 2020, arXiv:1910.12027, equation 3 (number and recipe recalled; StudioGAN's batch size).",
    ),
    "bcr-gan": Entry(
        "hinge + bcr(weight_real=10, weight_fake=10) + spectral_norm",
        "Consistency on real and generated images.",
        _SN,
        f"Zhao et al., AAAI 2021, {_CONSISTENCY}, algorithm 1 (number and optimizer recalled; StudioGAN's batch size).",
    ),
    "zcr-gan": Entry(
        "hinge + zcr(weight=5) + zcr_g(weight=0.5) + spectral_norm",
        "Nearby latents: equal logits for the discriminator, different images for the generator.",
        _SN,
        f"Zhao et al., AAAI 2021, {_CONSISTENCY}, algorithm 2 (number and zcr's weight recalled; StudioGAN has 20); "
        "StudioGAN's batch size.",
    ),
    "icr-gan": Entry(
        "hinge + bcr(weight_real=10, weight_fake=10) + zcr(weight=5) + zcr_g(weight=0.5) + spectral_norm",
        "Improved consistency regularization: both of the above.",
        _SN,
        f"Zhao et al., AAAI 2021, {_CONSISTENCY}, section 2.3 (number and zcr's weight recalled; StudioGAN has 20); "
        "StudioGAN's batch size.",
    ),
    "diffaug-gan": Entry(
        "bce_ns + diffaug",
        "The non-saturating GAN with every input of the discriminator augmented in the same way.",
        Recipe("adam", 2e-3, 2e-3, betas=(0.0, 0.99), d_norm="none", batch_size=32),
        "Zhao et al., NeurIPS 2020, arXiv:2006.10738, equations 6 and 7 (numbers recalled); recipe of the authors' "
        "CIFAR-10 run, which leaves the translation out and adds R1.",
    ),
    "ada-gan": Entry(
        "bce_ns + r1(gamma=0.01) + ada(target=0.6)",
        "Augmentation as strong as the discriminator's overfitting asks for.",
        Recipe("adam", 2.5e-3, 2.5e-3, betas=(0.0, 0.99), d_norm="none", batch_size=64),
        "Karras et al., NeurIPS 2020, arXiv:2006.06676, section 3.1 (gamma for CIFAR-10; a shorter pipeline).",
    ),
    "diffusion-gan": Entry(
        "bce_ns + r1(gamma=0.01) + diffusion(target=0.6)",
        "Noise from a forward diffusion, as far along its chain as the discriminator's overfitting asks for.",
        Recipe("adam", 2.5e-3, 2.5e-3, betas=(0.0, 0.99), d_norm="none", batch_size=64),
        "Wang et al., ICLR 2023, arXiv:2206.02262; recipe of the authors' CIFAR-10 run, whose discriminator is also "
        "told how far each image went.",
    ),
    "apa-gan": Entry(
        "bce_ns + r1(gamma=0.01) + apa(target=0.6)",
        "Real images replaced by generated ones as often as the discriminator's overfitting asks for.",
        Recipe("adam", 2.5e-3, 2.5e-3, betas=(0.0, 0.99), d_norm="none", batch_size=64),
        "Jiang et al., NeurIPS 2021, arXiv:2111.06849, section 3 (number recalled); the authors' CIFAR recipe.",
    ),
    "instance-noise": Entry(
        "bce_ns + instance_noise(sigma=0.1)",
        "The non-saturating GAN with noise on every input of the discriminator; add anneal_steps to fade it.",
        Recipe(),
        "Sønderby et al., ICLR 2017, arXiv:1610.04490; Arjovsky and Bottou, ICLR 2017, arXiv:1701.04862 (sigma and "
        "recipe recalled).",
    ),
    "historical-averaging": Entry(
        "bce_ns + historical_avg(weight=1) + historical_avg_g(weight=1)",
        "Both players held near the mean of their own past.",
        Recipe(),
        "Salimans et al., NeurIPS 2016, arXiv:1606.03498, section 3.3 (weight and recipe recalled).",
    ),
}
