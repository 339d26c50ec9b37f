"""Methods that are an objective and nothing else, or an objective and how its logits are read."""

from typing import Final

from losses.catalogue.entry import Entry
from losses.recipe import Recipe

_GOODFELLOW = "Goodfellow et al., NeurIPS 2014, arXiv:1406.2661"
_RADFORD = "recipe of Radford et al., ICLR 2016, arXiv:1511.06434"
_RELATIVISTIC = "Jolicoeur-Martineau, ICLR 2019, arXiv:1807.00734"
_RELATIVISTIC_F = "Jolicoeur-Martineau, ICML 2020, arXiv:1901.02474"
_RELATIVISTIC_RECIPE = Recipe(d_norm="sn", batch_size=32)

METHODS: Final[dict[str, Entry]] = {
    "nsgan": Entry(
        "bce_ns",
        "The non-saturating GAN, the reference every other method is compared with.",
        Recipe(batch_size=128),
        f"{_GOODFELLOW}; {_RADFORD}.",
    ),
    "mmgan": Entry(
        "bce_mm",
        "The minimax GAN as first written down; its generator starves when the discriminator wins.",
        Recipe(batch_size=128),
        f"{_GOODFELLOW}; {_RADFORD}.",
    ),
    "label-smoothing": Entry(
        "label_smooth(target=0.9)",
        "The non-saturating GAN with real images asked to be real with probability 0.9.",
        Recipe("adam", 4e-4, 4e-4, batch_size=64),
        "Salimans et al., NeurIPS 2016, arXiv:1606.03498, section 3.4 (target recalled); recipe of the authors' "
        "ImageNet code, whose target is 0.75.",
    ),
    "lsgan": Entry(
        "lsgan(a=0, b=1, c=1)",
        "Least-squares GAN with 0-1 targets.",
        Recipe(batch_size=64),
        "Mao et al., ICCV 2017, arXiv:1611.04076; recipe of the authors' comparison of stability, whose generator "
        "has no BatchNorm; their LSUN run has 1e-3.",
    ),
    "lsgan-pearson": Entry(
        "lsgan(a=-1, b=1, c=0)",
        "Least-squares GAN with the targets that minimize the Pearson divergence.",
        Recipe("rmsprop", 2e-4, 2e-4, betas=(0.0, 0.9), d_norm="none", batch_size=64),
        "Mao et al., ICCV 2017, arXiv:1611.04076, equation 8 (number recalled); recipe of the authors' comparison of "
        "stability, where this has no BatchNorm in either player.",
    ),
    "hinge": Entry(
        "hinge",
        "The hinge GAN; its papers keep the discriminator in check with spectral normalization.",
        Recipe(betas=(0.0, 0.9), critic_steps=5, d_norm="sn", batch_size=64),
        "Lim and Ye, 2017, arXiv:1705.02894; Tran et al., 2017, arXiv:1702.08896; recipe of Miyato et al., ICLR 2018, "
        "arXiv:1802.05957.",
    ),
    "rpgan": Entry(
        "rp_bce",
        "The paired relativistic GAN (RSGAN).",
        _RELATIVISTIC_RECIPE,
        f"{_RELATIVISTIC}; recipe of the author's CIFAR-10 runs.",
    ),
    "rplsgan": Entry(
        "rp_ls",
        "The paired relativistic least-squares GAN.",
        _RELATIVISTIC_RECIPE,
        f"{_RELATIVISTIC_F}; recipe of the author's runs.",
    ),
    "rphingegan": Entry(
        "rp_hinge",
        "The paired relativistic hinge GAN.",
        _RELATIVISTIC_RECIPE,
        f"{_RELATIVISTIC_F}; recipe of the author's runs.",
    ),
    "ragan": Entry(
        "ra_bce",
        "The average relativistic GAN (RaSGAN): each logit against the other batch's mean.",
        _RELATIVISTIC_RECIPE,
        f"{_RELATIVISTIC}; recipe of the author's CIFAR-10 runs.",
    ),
    "ralsgan": Entry(
        "ra_ls",
        "The average relativistic least-squares GAN.",
        _RELATIVISTIC_RECIPE,
        f"{_RELATIVISTIC}; recipe of the author's CIFAR-10 runs.",
    ),
    "rahingegan": Entry(
        "ra_hinge",
        "The average relativistic hinge GAN.",
        _RELATIVISTIC_RECIPE,
        f"{_RELATIVISTIC}; recipe of the author's CIFAR-10 runs.",
    ),
    "ralfgan": Entry(
        "ralf_bce",
        "The one-sided average relativistic GAN.",
        _RELATIVISTIC_RECIPE,
        f"{_RELATIVISTIC_F}; recipe of the author's runs.",
    ),
    "rcgan": Entry(
        "rc_bce",
        "The centered relativistic GAN: all logits against the mean of both batches.",
        _RELATIVISTIC_RECIPE,
        f"{_RELATIVISTIC_F}; recipe of the author's runs.",
    ),
    "alpha-gan": Entry(
        "alpha_loss(alpha_d=0.5, alpha_g=1)",
        "The (alpha_D, alpha_G)-GAN with an exponential discriminator and a logistic generator.",
        Recipe(),
        "Kurri et al., 2021, arXiv:2106.05232; Welfert et al., 2023, arXiv:2302.14320 (recipe recalled).",
    ),
    "bgan": Entry(
        "bgan",
        "The boundary-seeking GAN for continuous data.",
        Recipe("adam", 1e-4, 1e-4, betas=(0.5, 0.999), batch_size=64),
        "Hjelm et al., ICLR 2018, arXiv:1702.08431; recipe of the authors' code, without its estimate of log Z.",
    ),
    "kl-wgan": Entry(
        "kl_wgan(temperature=5)",
        "The hinge GAN whose fakes count by their estimated density ratio.",
        Recipe(betas=(0.0, 0.999), critic_steps=4, d_norm="sn", batch_size=64),
        "Song and Ermon, ICML 2020, arXiv:1910.09779; recipe of the authors' CIFAR-10 runs.",
    ),
    "dual-contrastive": Entry(
        "dual_contrastive",
        "One real image against all generated ones, and the other way round.",
        Recipe("adam", 2e-3, 2e-3, betas=(0.0, 0.99), d_norm="none", batch_size=32),
        "Yu et al., ICCV 2021, arXiv:2103.16748 (the StyleGAN2 recipe, recalled; its R1 left out).",
    ),
    "softmax-gan": Entry(
        "softmax_gan",
        "One softmax over the real and the generated batch.",
        Recipe(),
        "Lin, 2017, arXiv:1704.06191 (recipe recalled).",
    ),
    "realness-gan": Entry(
        "realness(outcomes=51)",
        "The discriminator answers with a distribution over 51 outcomes.",
        Recipe(d_norm="sn", batch_size=32),
        "Xiangli et al., ICLR 2020, arXiv:2002.05512; recipe of the authors' code (the anchors are ours).",
    ),
    "sphere-gan": Entry(
        "spheregan(dimension=1024, moments=3)",
        "The discriminator answers with a point on a sphere, judged by moments of its distance to a pole.",
        Recipe("adam", 1e-4, 1e-4, betas=(0.0, 0.9), d_norm="ln", batch_size=64),
        "Park and Kwon, CVPR 2019 (no arXiv version known here); recipe of the authors' code, which sums one moment by "
        "default and recommends three.",
    ),
    "topk-gan": Entry(
        "bce_ns + topk(share=0.5, gamma=0.99)",
        "The non-saturating GAN whose generator learns from its best samples only.",
        Recipe(),
        "Sinha et al., NeurIPS 2020, arXiv:2002.06224, section 3.1 (share, gamma and recipe recalled).",
    ),
    "pacgan2": Entry(
        "bce_ns + pack(size=2)",
        "The non-saturating GAN whose discriminator sees two samples at once.",
        Recipe(batch_size=64),
        "Lin et al., NeurIPS 2018, arXiv:1712.04086, section 2 (number recalled); recipe of the authors' code, without "
        "its two generator steps for one of the discriminator.",
    ),
    "gan-qp": Entry(
        "wasserstein + gan_qp(lam=10, norm=1)",
        "A quadratic potential instead of a Lipschitz constraint.",
        Recipe(critic_steps=2, batch_size=64),
        "Su, 2018, arXiv:1811.07296, equation 21 (number recalled); recipe of the author's code.",
    ),
    "ls-gan": Entry(
        "loss_sensitive(real=0) + lsgan_qi(weight=1, scale=0.0002)",
        "The loss-sensitive GAN: a fake's loss exceeds a real one's by a margin as wide as they are apart.",
        Recipe("adam", 1e-4, 1e-4, betas=(0.5, 0.999), batch_size=64),
        "Qi, IJCV 2020, arXiv:1701.06264, equations 4 and 5 (numbers recalled); scale and recipe of the author's code.",
    ),
}
