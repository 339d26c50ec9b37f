"""The words that the whole library shares: kinds, phases, roles and needs, and the types of what a caller passes in.

It imports nothing of the library, so that everything else can import it.
"""

from collections.abc import Callable, Mapping, MutableMapping
from typing import ClassVar, Final, Literal, Protocol, get_args

import torch
from torch import Tensor

Kind = Literal["objective", "regularizer", "transform", "constraint", "method"]
Phase = Literal["discriminator", "generator"]
PHASES: Final[tuple[Phase, ...]] = get_args(Phase)
Role = Literal["real", "fake", "other"]
"""What a batch is to the discriminator: the real one, the generated one, or points that some part made up."""
Need = Literal[
    "real_gradient",
    "fake_gradient",
    "input_gradient",
    "weight_gradient",
    "features",
    "frozen_features",
    "generator",
    "second_latents",
    "state",
    "step",
    "weights",
    "logit_per_image",
    "image_shape",
]
"""What a part asks of the caller or of the networks, beyond logits and images.

- real_gradient, fake_gradient: the gradient of the critic at the real or the generated images (leaves are made for it).
- input_gradient: a gradient at points of the part's own.
- weight_gradient: a gradient of the logits by weights, on the way to the value.
- features: the discriminator returns (logits, features).
- frozen_features: a fixed network; the library has a default one.
- generator: in the discriminator's phase, the generator and the latents of the fakes.
- second_latents: one more forward of the generator, on fresh latents or on those of the fakes, moved.
- state: something is remembered between steps.
- step: the count of generator updates; `context.step` refuses a part that does not declare it.
- weights: the player that is trained is a module whose weights can be listed.
- logit_per_image: logit i belongs to image i, which packing undoes.
- image_shape: inputs are images [B, C, H, W]; there is no such thing for points of the plane.
"""
BatchNorm = Literal["ok", "degraded", "invalid"]

INPUT_GRADIENTS: Final[frozenset[Need]] = frozenset({"real_gradient", "fake_gradient", "input_gradient"})
"""The needs that are differentiated twice: they are ill-posed under BatchNorm and overflow in float16."""

DIFFERENTIATED: Final[frozenset[Need]] = INPUT_GRADIENTS | {"weight_gradient"}
"""The needs of values that have gradients inside, and so a graph even where nobody trains."""

BATCH_NORM_ORDER: Final[tuple[BatchNorm, ...]] = ("ok", "degraded", "invalid")
"""From harmless to ill-posed: what BatchNorm inside the discriminator does to a part."""

Layout = Literal["per_image", "per_patch", "per_scale"]
"""How a discriminator gives its logits; `losses.outputs` explains them."""
LAYOUTS: Final[tuple[Layout, ...]] = get_args(Layout)

Discriminator = Callable[..., object]
"""Images, and labels where there are any, to raw logits in the layout that the caller names, with features or without.
"""
Generator = Callable[..., object]
"""Latents, and labels where there are any, to images, or to a tuple whose first element they are."""
Features = Callable[[Tensor], Tensor]
"""A fixed network: images to features [B, d]."""
SampleLatents = Callable[[Tensor, torch.Generator | None], Tensor]
"""Latents and a random generator to fresh latents, drawn as those were: their shape, device and law."""
Rng = torch.Generator | Mapping[str, torch.Generator] | None
"""One generator for everything, or one for each part name, or None for torch's global generator."""

PartState = dict[str, Tensor]
"""What one part remembers between steps, by name."""
State = MutableMapping[str, PartState]
"""What all parts remember, by part name."""


class CriticHead(Protocol):
    """What is asked of an objective to read a discriminator's output: `losses.Objective` has it all."""

    name: ClassVar[str]

    @property
    def outputs(self) -> int:
        """How many numbers the discriminator gives for a sample."""
        ...

    @property
    def critic_is_logit(self) -> bool:
        """Whether the critic is the logit itself, so that no batch is needed to measure it against."""
        ...

    def critic(self, logits: Tensor, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return one number a sample, [B]."""
        ...


class Declared(Protocol):
    """What a context must know of the part that it belongs to: `losses.Part` has it all."""

    name: ClassVar[str]

    @property
    def reads_step(self) -> bool:
        """Whether the part has declared that it reads the count of steps."""
        ...
