"""The families: the modules of the loss library that have a page, their order, and their introductions."""

from dataclasses import dataclass
from typing import Final, Literal

from losses import Method, Objective, Part

Group = Literal["Objectives", "Terms of the discriminator", "Terms of the generator", "Transforms", "Constraints"]

PACKAGE: Final = "losses."
"""Other packages describe the parts that they register."""


@dataclass(frozen=True)
class Family:
    """One page: its name, its title, a sentence that says what it is (also in the index), and when to try it."""

    page: str
    group: Group
    title: str
    sentence: str
    advice: str


def _families(group: Group, package: str, **introductions: tuple[str, str, str]) -> dict[str, Family]:
    return {
        f"{PACKAGE}{package}.{module}": Family(module.replace("_", "-"), group, *words)
        for module, words in introductions.items()
    }


FAMILIES: Final[dict[str, Family]] = {
    **_families(
        "Objectives",
        "objectives",
        logistic=(
            "Logistic",
            "Cross-entropy on logits: the original game and its variants.",
            "Start here: `bce_ns` is the baseline, and `bce_mm` shows how a generator's gradient vanishes.",
        ),
        least_squares=(
            "Least squares",
            "Logits pulled to target values by squares.",
            "Try it when a logistic generator's gradient is too weak: it grows with the distance from the target.",
        ),
        absolute=(
            "Absolute differences",
            "Logits pulled to target values, equally hard at every distance.",
            "Try it as a robust alternative to least squares; its asymmetric form needs a bound on the critic's slope.",
        ),
        hinge=(
            "Hinge",
            "A discriminator whose gradient is zero once a logit is beyond its margin.",
            "Try it with `spectral_norm`, the usual combination; the variants differ only in the generator.",
        ),
        wasserstein=(
            "Wasserstein",
            "The plain difference of mean logits.",
            "Never use it alone: add a penalty, clipping or a normalization that bounds the critic's slope.",
        ),
        f_divergence=(
            "f-divergences",
            "The variational bounds of f-GAN, one for each divergence.",
            "Try them to compare the shapes of divergences; the exponential ones need a small learning rate.",
        ),
        alpha=(
            "Alpha-loss",
            "A logistic loss bent towards the exponential or the zero-one loss by one number.",
            "Try it to set how much confident mistakes count, separately for each player.",
        ),
        importance=(
            "Importance weights",
            "Losses that compute the density ratio from the logits.",
            "Try them with a discriminator that is good enough for its logits to mean something.",
        ),
        relativistic=(
            "Relativistic",
            "Is this real image more real than that fake one?",
            "Try the paired form with R1 and R2 (`r3gan`); the averaged forms suffer where BatchNorm hides the means.",
        ),
        contrastive=(
            "Contrastive",
            "One image against the whole other batch, through a log-sum-exp.",
            "Try them with a constant batch size: their values and gradients depend on it.",
        ),
        kernel=(
            "Kernels and energy distance",
            "Distances between two batches of vector heads.",
            "Try them where one logit is too little; `mmd_rq` with a weak gradient penalty is the usual form.",
        ),
        transport=(
            "Optimal transport",
            "What it costs to carry one batch of vector heads to the other, smoothed by entropy.",
            "Try `sinkhorn` at several `epsilon`; `otgan` was published with batches of thousands.",
        ),
        moments=(
            "Moments",
            "The distance between the means, or the covariances, of vector heads.",
            "Try them with `weight_clip`, which keeps the distance bounded.",
        ),
        vector=(
            "Distributions and spheres",
            "Discriminators that answer with a distribution or a point in space.",
            "Try them to see whether a richer answer than one number stabilizes the game.",
        ),
        legacy=(
            "What not to write",
            "A common mistake, kept as a measured reference.",
            "Do not train with it; compare with it, to recognize the mistake in other code.",
        ),
    ),
    **_families(
        "Terms of the discriminator",
        "regularizers",
        gradient_penalty=(
            "One-centered gradient penalties",
            "The slope of the critic should be 1 between or near the data.",
            "Try `gp1` with `wasserstein`; each needs a discriminator without BatchNorm and doubles its step's cost.",
        ),
        zero_centered=(
            "Zero-centered gradient penalties",
            "The critic should be flat on the data.",
            "`r1` makes the game converge locally, with any objective. The published records are of short training, "
            "and do not show it ahead of the plain loss.",
        ),
        lipschitz=(
            "Worst-case slopes",
            "Penalties on the steepest point, a high power of the slope, or a direction sought out.",
            "Try them where a mean over random points misses the steep regions.",
        ),
        slope_gap=(
            "The gap of slopes",
            "The critic should be as steep on the real images as on the generated ones.",
            "Try `diggan` on small data sets; it does not limit the slopes themselves.",
        ),
        smoothness=(
            "Smoothness without double backward",
            "Equal logits for an image and a noisy copy of it.",
            "Try `ar1` where a double backward is too slow or BatchNorm forbids a gradient penalty.",
        ),
        consistency=(
            "Consistency",
            "Equal logits for an image and a mirrored, shifted or nearby copy of it.",
            "Try it on small data sets, and with a normalized discriminator.",
        ),
        anchors=(
            "Anchors",
            "Logits held near zero, or near the other side's running mean.",
            "Try `drift` against Wasserstein critics whose logits drift away, and `lecam` on small data sets.",
        ),
        lagrangian=(
            "Lagrangian constraints",
            "The critic's size held at 1 by an augmented Lagrangian.",
            "Try them with `wasserstein`, instead of a penalty whose weight has to be tuned.",
        ),
        slicing=(
            "Slicing",
            "The direction of the last layer, which has a loss of its own.",
            "Try it on top of any objective of single logits, always together with `san_head`.",
        ),
        potential=(
            "Potential fields",
            "The discriminator learns a potential that the images make, by least squares.",
            "Try it as the discriminator's whole loss, with `loss_sensitive` as the generator's.",
        ),
        margins=(
            "Margins in pixels",
            "Logit differences tied to how far apart the two images are.",
            "Try them with `wasserstein` or `loss_sensitive`, where a distance in pixels means something.",
        ),
        weights=(
            "Weights",
            "Decay, orthogonality and the memory of past weights.",
            "Try `ortho` or `l2_d` as a cheap addition; historical averages help games that run in circles.",
        ),
    ),
    **_families(
        "Terms of the generator",
        "regularizers",
        matching=(
            "Matching",
            "The generated batch should have the real one's features, as a set.",
            "Try `fm` or `mmd_feat` as the generator's whole loss (with `bce_d`), or as a stabilizing addition.",
        ),
        correlation=(
            "Correlation",
            "Second moments of features that should agree between the two batches.",
            "Try `coral` or `corr_channel`; `corr_naive` is a negative control that rewards the mean image.",
        ),
        diversity=(
            "Diversity",
            "Different latents should give different images.",
            "Try them against mode collapse; a term that looks at pixels alone also rewards noise.",
        ),
        jacobian=(
            "The generator's slope",
            "How far the image moves when the latent does.",
            "Try `jacobian_clamp` for a well-conditioned generator; `gp_pathlen` is expensive, so it is lazy.",
        ),
    ),
    **_families(
        "Transforms",
        "transforms",
        augmentation=(
            "Augmentation",
            "Every image that the discriminator sees is changed at random, real and fake alike.",
            "Try it whenever the data set is so small that the discriminator can memorize it.",
        ),
        adaptive=(
            "Adaptive augmentation",
            "Augmentation, or noise, whose strength follows the discriminator's overfitting.",
            "Try it where the right strength is not known; it starts at zero, or almost zero.",
        ),
        noise=(
            "Instance noise",
            "Noise on every input of the discriminator.",
            "Try it as the simplest way to make the two distributions overlap.",
        ),
        packing=(
            "Packing",
            "The discriminator judges several samples at once.",
            "Try it against mode collapse: a lack of variety shows in a single input.",
        ),
        logits=(
            "Logit transforms",
            "What the objective reads in place of the logits: fewer, or with a weaker gradient.",
            "Try `topk` to drop the worst fakes, and a controller when one player runs away.",
        ),
    ),
    **_families(
        "Constraints",
        "constraints",
        normalization=(
            "Normalization",
            "The critic's slope bounded by construction.",
            "`spectral_norm` goes with every objective, and adds less than a tenth to D's step on a CPU.",
        ),
        clipping=(
            "Clipping",
            "The critic's weights clamped into a box.",
            "Try it as the historical reference; it bounds the slope, but makes the critic simple.",
        ),
        pace=(
            "Pace",
            "How often and how fast the discriminator is updated.",
            "Try it first when one player is far ahead of the other.",
        ),
    ),
}


def family_of(part: Part | type[Part]) -> Family:
    """Return the family of a part; ValueError where its module has no entry here."""
    module = part.__module__
    if module not in FAMILIES:
        raise ValueError(
            f"the module {module} has no family: give it a title and a sentence in bench/atlas/families.py"
        )
    return FAMILIES[module]


def family_of_method(method: Method) -> Family:
    """Return the family of the first part that is no objective, or else of the objective."""
    return family_of(next((part for part in method.parts if not isinstance(part, Objective)), method.objective))
