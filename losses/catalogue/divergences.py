"""Methods that minimize a named divergence or distance: f-GANs, kernels, moments, features."""

from typing import Final

from losses.catalogue.entry import Entry
from losses.recipe import Recipe

_NOWOZIN = "Nowozin et al., NeurIPS 2016, arXiv:1606.00709, table 2 (recipe recalled)."
_BINKOWSKI = Recipe("adam", 1e-4, 1e-4, betas=(0.5, 0.9), critic_steps=5, d_norm="none", batch_size=64)
_MROUEH = Recipe("rmsprop", 5e-5, 5e-5, betas=(0.0, 0.99), critic_steps=5)

METHODS: Final[dict[str, Entry]] = {
    "fgan-kl": Entry("fgan_kl", "f-GAN with the Kullback-Leibler divergence.", Recipe(), _NOWOZIN),
    "fgan-rkl": Entry("fgan_rkl", "f-GAN with the reverse Kullback-Leibler divergence.", Recipe(), _NOWOZIN),
    "fgan-js": Entry(
        "fgan_js", "f-GAN with the Jensen-Shannon divergence: nsgan, less a constant.", Recipe(), _NOWOZIN
    ),
    "fgan-pearson": Entry("fgan_pearson", "f-GAN with the Pearson divergence.", Recipe(), _NOWOZIN),
    "fgan-neyman": Entry("fgan_neyman", "f-GAN with the Neyman divergence.", Recipe(), _NOWOZIN),
    "fgan-hellinger": Entry("fgan_hellinger2", "f-GAN with the squared Hellinger distance.", Recipe(), _NOWOZIN),
    "fgan-tv": Entry("fgan_tv", "f-GAN with the total variation distance, which saturates.", Recipe(), _NOWOZIN),
    "fgan-alpha": Entry("fgan_alpha(alpha=0.5)", "f-GAN with Amari's alpha-divergence at 1/2.", Recipe(), _NOWOZIN),
    "fisher-gan": Entry(
        "wasserstein + fisher(rho=1e-06)",
        "Mean difference with the critic's second moment held at 1 by an augmented Lagrangian.",
        Recipe(critic_steps=2, batch_size=64),
        "Mroueh and Sercu, NeurIPS 2017, arXiv:1705.09675, algorithm 1 (number recalled); recipe of the authors' code.",
    ),
    "sobolev-gan": Entry(
        "wasserstein + sobolev(rho=1e-05)",
        "Mean difference with the critic's mean squared slope held at 1 by an augmented Lagrangian.",
        Recipe(d_norm="none", batch_size=64),
        "Mroueh et al., ICLR 2018, arXiv:1711.04894, algorithm 1 (rho recalled); recipe of the authors' "
        "semi-supervised code, whose rho is 2e-8.",
    ),
    "mcgan-mean": Entry(
        "mcgan_mean + weight_clip(c=0.01)",
        "McGAN: the distance of mean embeddings.",
        _MROUEH,
        "Mroueh et al., ICML 2017, arXiv:1702.08398, section 3 (recipe recalled).",
    ),
    "mcgan-cov": Entry(
        "mcgan_cov + weight_clip(c=0.01)",
        "McGAN: the distance of the embeddings' covariances.",
        _MROUEH,
        "Mroueh et al., ICML 2017, arXiv:1702.08398, section 4 (recipe recalled).",
    ),
    "cramer-gan": Entry(
        "cramer(dimension=256) + gp1(weight=10)",
        "The energy distance of 256-dimensional heads, with a gradient penalty on its critic.",
        _BINKOWSKI,
        "Bellemare et al., 2017, arXiv:1705.10743, algorithm 1; recipe of the public code of Binkowski et al., ICLR "
        "2018, arXiv:1801.01401, without its falling learning rates.",
    ),
    "mmd-gan-rbf": Entry(
        "mmd_rbf(dimension=16) + weight_clip(c=0.01)",
        "MMD-GAN with Gaussian kernels and clipped weights.",
        Recipe("rmsprop", 5e-5, 5e-5, betas=(0.0, 0.99), critic_steps=5, batch_size=64),
        "Li et al., NeurIPS 2017, arXiv:1705.08584; recipe of the authors' code (its autoencoder, its one-sided mean "
        "penalty and its 128 outputs left out).",
    ),
    "mmd-gan-rq": Entry(
        "mmd_rq(dimension=16) + gp1(weight=1)",
        "MMD-GAN with rational quadratic kernels and a gradient penalty on the witness.",
        _BINKOWSKI,
        "Binkowski et al., ICLR 2018, arXiv:1801.01401; recipe of the authors' CIFAR-10 run, without its falling "
        "learning rates and its penalty on the squared heads.",
    ),
    "mmd-gan-repulsive": Entry(
        "mmd_repulsive(dimension=16) + spectral_norm",
        "MMD-GAN whose discriminator spreads the reals and gathers the fakes.",
        Recipe("adam", 5e-4, 2e-4, betas=(0.5, 0.999), d_norm="none", batch_size=64),
        "Wang et al., ICLR 2019, arXiv:1812.09916; recipe of the authors' first CIFAR-10 script, which has the "
        "bounded kernel of this loss. Their later one has the unbounded kernel and the two rates the other way round.",
    ),
    "smmd-gan": Entry(
        "mmd_gaussian + smmd(scale=10)",
        "The scaled MMD-GAN: an MMD of the logits, divided by how steep the discriminator is on the reals.",
        Recipe("adam", 1e-4, 1e-4, betas=(0.5, 0.9), critic_steps=5, d_norm="none", batch_size=64),
        "Arbel et al., NeurIPS 2018, arXiv:1805.11565; recipe of the authors' CelebA run without spectral "
        "normalization (ten critic steps now and then, and the decay of the rate, left out).",
    ),
    "sn-smmd-gan": Entry(
        "mmd_gaussian + smmd(scale=10) + spectral_norm",
        "The scaled MMD-GAN with spectrally normalized layers.",
        Recipe("adam", 1e-4, 1e-4, betas=(0.5, 0.9), critic_steps=5, d_norm="none", batch_size=64),
        "Arbel et al., NeurIPS 2018, arXiv:1805.11565; recipe of the authors' CelebA and CIFAR-10 runs (their trained "
        "scale of each layer, ten critic steps now and then, and the decay of the rate, left out).",
    ),
    "sinkhorn-gan": Entry(
        "sinkhorn(dimension=16, epsilon=0.1, iterations=20, cosine=True)",
        "The Sinkhorn divergence of the two batches, by the cosine of learned features.",
        Recipe("rmsprop", 5e-5, 5e-5, betas=(0.0, 0.99), critic_steps=5, batch_size=64),
        "Genevay et al., AISTATS 2018, arXiv:1706.00292, with the cosine cost of OT-GAN in place of a squared distance "
        "whose features must be bounded (its parameters are ours; the recipe is that of MMD-GAN's code, recalled).",
    ),
    "ot-gan": Entry(
        "otgan(dimension=256, epsilon=0.002, iterations=100)",
        "Optimal transport between halves of the batches, by the cosine of learned features.",
        Recipe("adam", 3e-4, 3e-4, betas=(0.5, 0.999), d_norm="none"),
        "Salimans et al., ICLR 2018, arXiv:1803.05573; rates and epsilon of the authors' code (its 5000 images a "
        "batch, five generator steps for one of the critic, 500 iterations and wide heads left out; d_norm recalled).",
    ),
    "feature-matching": Entry(
        "bce_d + fm(weight=1)",
        "The generator matches mean features of the discriminator and nothing else.",
        Recipe("adam", 3e-4, 3e-4, betas=(0.5, 0.999), d_norm="none", batch_size=100),
        "Salimans et al., NeurIPS 2016, arXiv:1606.03498, section 3.1 (number recalled); rates of the authors' "
        "semi-supervised CIFAR-10 run, which takes absolute differences of the means and normalizes weights.",
    ),
    "sliced-wasserstein": Entry(
        "bce_d + swg(weight=1)",
        "The generator minimizes the sliced Wasserstein distance of discriminator features.",
        Recipe("adam", 1e-4, 1e-4, betas=(0.5, 0.999), batch_size=64),
        "Deshpande et al., CVPR 2018, arXiv:1803.11188; recipe of the authors' code (which has 10,000 projections).",
    ),
    "max-sliced-wasserstein": Entry(
        "bce_d + max_swg(weight=1)",
        "The generator minimizes the Wasserstein distance of the logits, sorted.",
        Recipe("adam", 1e-4, 1e-4, betas=(0.5, 0.999), batch_size=64),
        "Deshpande et al., CVPR 2019, arXiv:1904.05877 (the classifier as surrogate, and the recipe, recalled).",
    ),
    "coulomb-gan": Entry(
        "loss_sensitive(real=0) + coulomb(weight=1, dimension=3, epsilon=1)",
        "The discriminator learns the potential of charges at the images; the generator climbs it.",
        Recipe("adam", 1e-4, 5e-5, betas=(0.9, 0.999), batch_size=128),
        "Unterthiner et al., ICLR 2018, arXiv:1708.08819; recipe of the authors' LSUN run, without its weight decay.",
    ),
    "coral-gan": Entry(
        "bce_ns + coral(weight=100)",
        "The non-saturating GAN with matched feature covariances.",
        Recipe(),
        "CORAL of Sun and Saenko, ECCV workshops 2016, arXiv:1607.01719, equation 1; as a generator's term it is ours.",
    ),
    "gfmn-random": Entry(
        "bce_d + mmd_feat(weight=1)",
        "The generator matches frozen random features by MMD; the discriminator only watches.",
        Recipe(),
        "After dos Santos et al., ICCV 2019, arXiv:1904.02762, with random features and an MMD (ours).",
    ),
}
