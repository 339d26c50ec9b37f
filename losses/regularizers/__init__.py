"""The weighted terms added to one player's loss, one module a family. Importing this registers them.

Legend for every formula: n(x) = Euclidean norm of the gradient of D's logit by its own image x, over channels, height
and width together, per sample; x_r, x_f = real and generated images; E = batch mean.
"""

from losses.regularizers import (
    anchors,
    consistency,
    correlation,
    diversity,
    gradient_penalty,
    jacobian,
    lagrangian,
    lipschitz,
    margins,
    matching,
    potential,
    slicing,
    slope_gap,
    smoothness,
    weights,
    zero_centered,
)

__all__ = [
    "anchors",
    "consistency",
    "correlation",
    "diversity",
    "gradient_penalty",
    "jacobian",
    "lagrangian",
    "lipschitz",
    "margins",
    "matching",
    "potential",
    "slicing",
    "slope_gap",
    "smoothness",
    "weights",
    "zero_centered",
]
