"""The adversarial objectives, one module a family. Importing this registers them.

Legend for every formula: a = logits of real images, b = logits of generated ones, both large on real; E = batch mean;
sp(t) = log(1 + exp(t)); relu(t) = max(0, t).
"""

from losses.objectives import (
    absolute,
    alpha,
    contrastive,
    f_divergence,
    hinge,
    importance,
    kernel,
    least_squares,
    legacy,
    logistic,
    moments,
    relativistic,
    transport,
    vector,
    wasserstein,
)

__all__ = [
    "absolute",
    "alpha",
    "contrastive",
    "f_divergence",
    "hinge",
    "importance",
    "kernel",
    "least_squares",
    "legacy",
    "logistic",
    "moments",
    "relativistic",
    "transport",
    "vector",
    "wasserstein",
]
