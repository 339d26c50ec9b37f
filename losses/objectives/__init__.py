"""The adversarial objectives, one module a family. Importing this registers them.

Legend for every formula: a = logits of real images, b = logits of generated ones, both large on real; E = batch mean;
sp(t) = log(1 + exp(t)); relu(t) = max(0, t).
"""

from losses.objectives import hinge, least_squares, logistic, relativistic, wasserstein

__all__ = ["hinge", "least_squares", "logistic", "relativistic", "wasserstein"]
