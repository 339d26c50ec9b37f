"""GAN losses as composable parts. Imports torch and the standard library, nothing else.

    import losses

    criterion = losses.Criterion("hinge + r1(gamma=1, every=16)", discriminator, generator)
    criterion.follow(d_optimizer, g_optimizer)
    criterion.discriminator_loss(real_images, latents).total.backward()

or, where your loop keeps counts, memory and random streams itself,

    method = losses.get("hinge + r1(gamma=1, every=16)")
    parts = method.discriminator_loss(discriminator, real_images, fake_images, step=step)
    parts.total.backward()

Conventions: logits are raw and large on real images, without a sigmoid in the discriminator; every loss is minimized;
a batch is reduced by its mean; losses are computed in float32 (float64 stays) whatever the networks compute in.
"""

from losses import constraints, objectives, plugins, regularizers, revisions, transforms
from losses.catalogue import game, get, names
from losses.context import Context
from losses.criterion import Criterion
from losses.description import Description, describe
from losses.hyperparameters import parameter
from losses.loss_parts import LossPart, LossParts
from losses.method import Method
from losses.outputs import DiscriminatorOutput
from losses.parts import Constraint, InputTransform, LogitTransform, Objective, Part, Regularizer
from losses.recipe import Recipe
from losses.registry import register
from losses.types import Kind

VERSION = "2"
"""Raised whenever a number changes through code that all parts share: contexts, numerics, pairs, convolutions.

A change in one part raises the `revision` of that part instead, and other parts' records stand.
"""

__all__ = [
    "VERSION",
    "Constraint",
    "Context",
    "Criterion",
    "Description",
    "DiscriminatorOutput",
    "InputTransform",
    "Kind",
    "LogitTransform",
    "LossPart",
    "LossParts",
    "Method",
    "Objective",
    "Part",
    "Recipe",
    "Regularizer",
    "constraints",
    "describe",
    "game",
    "get",
    "names",
    "objectives",
    "parameter",
    "plugins",
    "register",
    "regularizers",
    "revisions",
    "transforms",
]
