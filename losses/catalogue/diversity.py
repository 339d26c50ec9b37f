"""Methods that ask the generator for variety."""

from typing import Final

from losses.catalogue.entry import Entry
from losses.recipe import Recipe

METHODS: Final[dict[str, Entry]] = {
    "msgan": Entry(
        "bce_ns + msgan(weight=1)",
        "Mode seeking: images as far apart as their latents are.",
        Recipe(batch_size=32),
        "Mao et al., CVPR 2019, arXiv:1903.05628, equation 3 (number recalled); recipe of the authors' DCGAN code, "
        "without its weight decay of 1e-4 on both players.",
    ),
    "dsgan": Entry(
        "bce_ns + dsgan(weight=8)",
        "Diversity sensitive: the distance of images over that of latents, up to a bound.",
        Recipe(),
        "Yang et al., ICLR 2019, arXiv:1901.09024, equation 2 (number, weight and recipe recalled).",
    ),
    "gdpp-gan": Entry(
        "bce_ns + gdpp(weight=1)",
        "The spectrum of the fakes' similarity matched to that of the reals.",
        Recipe(batch_size=64),
        "Elfeki et al., ICML 2019, arXiv:1812.00802, equation 6 (number recalled); recipe of the authors' CIFAR-10 "
        "code, without its smoothed labels, 0.9 and 0.1, and its half of either player's loss.",
    ),
    "pulling-away": Entry(
        "bce_ns + pulling_away(weight=0.1)",
        "Features of different fakes pushed toward right angles.",
        Recipe(),
        "Zhao et al., ICLR 2017, arXiv:1609.03126, section 2.4, on DCGAN in place of an autoencoder (recipe recalled).",
    ),
    "jacobian-clamping": Entry(
        "bce_ns + jacobian_clamp(weight=1)",
        "The generator's response to a small step of the latent kept within bounds.",
        Recipe(),
        "Odena et al., ICML 2018, arXiv:1802.08768, algorithm 1 (bounds and recipe recalled).",
    ),
    "path-length": Entry(
        "bce_ns + r1(gamma=10, every=16) + gp_pathlen(weight=2, every=4)",
        "Steps of equal length in latent space asked to move images by equal length.",
        Recipe("adam", 2e-3, 2e-3, betas=(0.0, 0.99), d_norm="none", batch_size=32),
        "Karras et al., CVPR 2020, arXiv:1912.04958, equation 4 (number recalled), on z; recipe of StyleGAN2.",
    ),
}
