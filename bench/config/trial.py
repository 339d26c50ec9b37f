"""The fully resolved, typed description of one training run, and its identity."""

import hashlib
import math
import re
from collections.abc import Mapping
from typing import Final, Literal

import msgspec
from msgspec import Struct

from bench.config.protocol import CONTROLLED_BETAS, CONTROLLED_LEARNING_RATE
from bench.config.workload import workload_kind

DiscriminatorNorm = Literal["ln", "none", "sn", "bn"]
NetworkName = Literal["dcgan-v1", "dcgan-v2", "mlp-v1"]
"""`dcgan-v1` is of protocol 1.0: its records are read and its generators are sampled, but nothing trains it."""

Precision = Literal["fp32", "tf32", "bf16"]
Track = Literal["controlled", "paper"]

PART: Final = "loss:"
"""Begins the component of one part of a method, which concerns the methods that contain it alone.

Its version is the part's revision, "1"; of a part that the library does not ship it is the hash of its file's content.
"""

_CONTENT_DIGITS: Final = 16
_PACE: Final = re.compile(r"(?:^|\+ )critic_steps\(count=(\d+)\)")


class Network(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fixed generator and discriminator. `d_norm` is the one declared axis."""

    name: NetworkName
    width: int
    channels: int
    image_size: int
    latent_size: int
    d_norm: DiscriminatorNorm


class Optimizer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One optimizer for both players; `betas` is (momentum, decay), and RMSprop reads the second only."""

    name: Literal["adam", "rmsprop", "sgd"]
    lr_generator: float
    lr_discriminator: float
    betas: tuple[float, float]


def controlled_optimizer(learning_rate: float = CONTROLLED_LEARNING_RATE) -> Optimizer:
    """Return the controlled track's optimizer: the same for every method on a workload."""
    return Optimizer(name="adam", lr_generator=learning_rate, lr_discriminator=learning_rate, betas=CONTROLLED_BETAS)


class Spec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is trained, with every default written out. Nothing about where or by whom it runs."""

    protocol_version: str
    track: Track
    method: str
    """The canonical spelling of the method expression."""
    method_name: str
    """The catalogue's name where the expression has one, else the canonical spelling."""
    workload: str
    data_hash: str
    network: Network
    optimizer: Optimizer
    critic_steps: int
    batch_size: int
    steps: int
    evaluate_every: int
    samples: int
    precision: Precision
    seed: int
    allow_invalid: bool = False
    """The run is a labeled variant: its method is not well defined on this discriminator and is never ranked."""


class Trial(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A spec, and the versions of the components that would run it. Equal trials have equal ids on every machine."""

    spec: Spec
    components: dict[str, str]

    @property
    def id(self) -> str:
        return trial_id(self.spec, self.components)


def content_version(content: bytes) -> str:
    """Return the version of a part that comes in a file: the first 16 hexadecimal digits of SHA-256 of its content."""
    return hashlib.sha256(content).hexdigest()[:_CONTENT_DIGITS]


def part_versions(components: Mapping[str, str]) -> dict[str, str]:
    """Return the versions of a method's parts by their names; empty for records of before parts had any."""
    return {name.removeprefix(PART): version for name, version in components.items() if name.startswith(PART)}


def part_names(expression: str) -> list[str]:
    """Return the names of the parts that a canonical expression is made of, in its order."""
    return [term.split("(", 1)[0].strip() for term in expression.split(" + ")]


def declared_pace(expression: str) -> int:
    """Return how many times as many updates of D a method's `critic_steps` ask for, given its canonical expression.

    Parts that the library does not ship may ask for others; their expression does not say how many.
    """
    return math.prod(int(count) for count in _PACE.findall(expression))


def is_from_elsewhere(part_version: str) -> bool:
    """Whether a part's version is that of a file, as of every part that the library does not ship."""
    return len(part_version) == _CONTENT_DIGITS


def has_parts_from_elsewhere(components: Mapping[str, str]) -> bool:
    """Whether a method has a part that the library does not ship, given the components of its trial."""
    return any(is_from_elsewhere(version) for version in part_versions(components).values())


def canonical_json(value: object) -> bytes:
    """Encode a struct so that equal values give equal bytes: sorted keys, no white space, floats in shortest form."""
    return msgspec.json.encode(value, order="deterministic")


def trial_id(spec: Spec, components: dict[str, str]) -> str:
    """Return the identity of a trial: the first 16 hexadecimal digits of SHA-256 over its canonical JSON.

    The display name of the method is left out, so that naming an expression in the catalogue later does not orphan
    the records that were made with the expression. So is the folder of images that a workload reads: `data_hash` says
    what is in it.
    """
    nameless = msgspec.structs.replace(spec, method_name="", workload=workload_kind(spec.workload))
    identity = {"spec": nameless, "components": components}
    return hashlib.sha256(canonical_json(identity)).hexdigest()[:16]


def evaluation_count(spec: Spec, completed: int) -> int:
    """Return how many evaluations a trial has after so many steps: at step 0, at every interval, and at the end.

    A trial that stopped early has no evaluation where it stopped.
    """
    at_end = completed == spec.steps and spec.steps % spec.evaluate_every > 0
    return 1 + completed // spec.evaluate_every + at_end
