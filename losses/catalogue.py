"""The named methods: an expression, the recipe its paper trained with, and where it comes from.

Recipes are recommendations. What could not be confirmed in a public configuration or the authors' own code is marked
"recalled" in the citation: check it against the paper before printing it as the paper's.
"""

from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from losses import grammar
from losses.kinds import Kind
from losses.method import Method, Recipe
from losses.registry import parts


@dataclass(frozen=True)
class Entry:
    """One named method, as the catalogue writes it."""

    expression: str
    summary: str
    recipe: Recipe
    citation: str


_GOODFELLOW = "Goodfellow et al., NeurIPS 2014, arXiv:1406.2661; recipe of Radford et al., ICLR 2016, arXiv:1511.06434."

CATALOGUE: Final[dict[str, Entry]] = {
    "nsgan": Entry(
        "bce_ns",
        "The non-saturating GAN, the reference every other method is compared with.",
        Recipe(batch_size=128),
        _GOODFELLOW,
    ),
    "mmgan": Entry(
        "bce_mm",
        "The minimax GAN as first written down; its generator starves when the discriminator wins.",
        Recipe(batch_size=128),
        _GOODFELLOW,
    ),
    "lsgan": Entry(
        "lsgan(a=0, b=1, c=1)",
        "Least-squares GAN with 0-1 targets.",
        Recipe(),
        "Mao et al., ICCV 2017, arXiv:1611.04076 (recipe recalled; 1e-3 on LSUN, recalled).",
    ),
    "hinge": Entry(
        "hinge",
        "The hinge GAN; its papers keep the discriminator in check with spectral normalisation.",
        Recipe(betas=(0.0, 0.9), critic_steps=5, d_norm="sn"),
        "Lim and Ye, 2017, arXiv:1705.02894; Tran et al., 2017, arXiv:1702.08896; recipe of Miyato et al., ICLR 2018, "
        "arXiv:1802.05957.",
    ),
    "wgan": Entry(
        "wasserstein + weight_clip(c=0.01)",
        "The Wasserstein GAN with clipped weights; five critic steps where the paper spends 100 at the start.",
        Recipe("rmsprop", 5e-5, 5e-5, betas=(0.0, 0.99), critic_steps=5),
        "Arjovsky et al., ICML 2017, arXiv:1701.07875 (RMSprop's smoothing constant recalled).",
    ),
    "wgan-gp": Entry(
        "wasserstein + gp1(weight=10)",
        "The Wasserstein GAN with a gradient penalty in place of the clipping.",
        Recipe("adam", 1e-4, 1e-4, betas=(0.0, 0.9), critic_steps=5, d_norm="ln"),
        "Gulrajani et al., NeurIPS 2017, arXiv:1704.00028 (layer normalisation in its DCGAN critic recalled).",
    ),
    "dragan": Entry(
        "bce_ns + dragan(weight=10, k=1)",
        "The non-saturating GAN with unit slope asked for near the real data.",
        Recipe(d_norm="none"),
        "Kodali et al., 2017, arXiv:1705.07215 (optimiser and discriminator recalled).",
    ),
    "nsgan-r1": Entry(
        "bce_ns + r1(gamma=10)",
        "The non-saturating GAN, made locally convergent by R1.",
        Recipe("rmsprop", 1e-4, 1e-4, betas=(0.0, 0.99), d_norm="none"),
        "Mescheder et al., ICML 2018, arXiv:1801.04406 (RMSprop's smoothing constant recalled).",
    ),
    "rpgan": Entry(
        "rp_bce",
        "The paired relativistic GAN (RSGAN).",
        Recipe(batch_size=32),
        "Jolicoeur-Martineau, ICLR 2019, arXiv:1807.00734.",
    ),
    "r3gan": Entry(
        "rp_bce + r1(gamma=1) + r2(gamma=1)",
        "R3GAN's loss: paired relativistic with R1 and R2. The paper anneals gamma; its stacked-MNIST run starts at 1.",
        Recipe(betas=(0.0, 0.9), d_norm="none"),
        "Huang et al., NeurIPS 2024, arXiv:2501.05441 (gamma of the stacked-MNIST run recalled; schedules of gamma, "
        "learning rate and beta left out).",
    ),
}


@cache
def methods() -> dict[str, Method]:
    """Return the catalogue's methods by name, in its order."""
    return {
        name: replace(grammar.parse(entry.expression, {}), name=name, recipe=entry.recipe, citation=entry.citation)
        for name, entry in CATALOGUE.items()
    }


@cache
def _by_spelling() -> dict[str, Method]:
    return {str(method): method for method in methods().values()}


def get(expression: str) -> Method:
    """Return the method of a catalogue name or an expression.

    An expression that says the same as a catalogue method is that method, with its name, recipe and citation.

    Raises:
        ValueError: for anything that cannot be read, naming the nearest valid spelling.
    """
    method = grammar.parse(expression, methods())
    return _by_spelling().get(str(method), method)


def names(kind: Kind | None = None) -> list[str]:
    """Return the sorted names of one kind, or of all parts and methods. A name may be both (`hinge`)."""
    if kind == "method":
        return sorted(CATALOGUE)
    known = parts(kind)
    return sorted(known if kind else {*known, *CATALOGUE})
