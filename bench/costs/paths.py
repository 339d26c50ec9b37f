"""What is timed of a method: its loss on logits, its penalties through a fixed discriminator, and whole steps.

| path | one call |
|---|---|
| `loss.forward` | the objective's discriminator loss of given logits |
| `loss.backward` | its gradient by the logits, from an existing graph |
| `loss.double_backward` | the gradient of that gradient, from an existing graph |
| `loss` | forward and backward together, as in a step |
| `generator_loss`, `.forward`, `.backward` | the same of the generator's loss |
| `penalty` | terms of the discriminator's phase: forwards of D, input gradients, the backward to D's weights |
| `terms` | terms of the generator's phase: the forwards, and the backward to G's weights |
| `d_step`, `g_step` | one update of that player by the engine's own step |

Inputs rotate, so that no call finds its own inputs in the cache. Lazy terms are due in every call of `penalty` and
`terms`. In the steps they are due as in training.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Final

import torch
from torch import Tensor, nn

from bench.config.protocol import PROTOCOL_VERSION
from bench.config.trial import Network, Spec, Trial, controlled_optimizer
from bench.costs.blocks import Call
from bench.store.kernels import KernelSetting
from bench.training.build import build_step
from bench.training.precision import autocast
from bench.training.seeding import Stream
from losses import Method
from losses.loss_parts import LossParts
from losses.profiling import mark
from losses.streams import PartGenerators
from losses.types import Phase

LATENT_SIZE: Final = 100
IMAGES: Final = 512
"""How many images there are to draw batches from."""
ROTATION: Final = 4
"""How many inputs a path rotates through if it does not draw its own."""
DOUBLE_BACKWARD: Final = "double backward"
"""The range in which a term is differentiated by the weights."""

PATHS: Final = (
    *("loss", "loss.forward", "loss.backward", "loss.double_backward"),
    *("generator_loss", "generator_loss.forward", "generator_loss.backward"),
    *("penalty", "terms", "d_step", "g_step"),
)
REFERENCE_PATHS: Final = {path: path for path in PATHS} | {"penalty": "d_step", "terms": "g_step"}
"""The path of the reference that each path is timed against. It has no terms, so terms are compared with its steps."""


class Paths:
    """One method in one setting on one device, with everything that is timed as calls.

    Raises:
        ValueError: the method's packs do not divide the batch.
    """

    def __init__(self, method: Method, setting: KernelSetting, device: torch.device) -> None:
        if setting.batch_size % method.pack:
            raise ValueError(
                f"{method.name!r} joins {method.pack} samples to one input, which does not divide a batch of "
                f"{setting.batch_size}: choose another --batch"
            )
        self.method, self.setting, self.device = method, setting, device
        size, channels = setting.image_size, setting.channels
        pixels = Stream(0, "kernels/images", device).integers(0, (IMAGES, channels, size, size), 256)[0]
        self.step = build_step(_trial(method, setting), pixels.to(torch.uint8), device)
        self._streams = PartGenerators(0, tuple(part.name for part in method.parts), device)
        self._state: dict[Phase, dict[str, dict[str, Tensor]]] = {"discriminator": {}, "generator": {}}
        self.step.criterion.constrain()  # the weights that are restored later satisfy the constraints
        self._kept = [(tensor, tensor.detach().clone()) for tensor in self._tensors()]

    def calls(self) -> dict[str, Call]:
        """Return the paths that this method has, in the order of `PATHS`."""
        calls = self._loss_calls("loss") | self._loss_calls("generator_loss")
        calls.pop("generator_loss.double_backward", None)  # nobody differentiates it twice
        for path, phase in (("penalty", "discriminator"), ("terms", "generator")):
            if any(part.phase == phase for part in self.method.regularizers):
                calls[path] = Call(self._penalty if path == "penalty" else self._terms, reset=self._restore)
        calls["d_step"] = Call(self.d_step, self._interval("discriminator"), self._restore)
        calls["g_step"] = Call(self.g_step, self._interval("generator"), self._restore)
        return calls

    def d_step(self, index: int) -> None:
        """Make the discriminator's update of that number."""
        self.step.discriminator_gradients(self.step.batch("discriminator", index))
        self.step.apply_discriminator()

    def g_step(self, index: int) -> None:
        """Make the generator's update of that number."""
        self.step.generator_gradients(self.step.batch("generator", index))
        self.step.apply_generator()

    def _interval(self, phase: Phase) -> int:
        return math.lcm(*(part.every for part in self.method.regularizers if part.phase == phase))

    def _tensors(self) -> Iterator[Tensor]:
        for network in (self.step.discriminator, self.step.generator):
            yield from network.parameters()
            yield from network.buffers()

    def _restore(self) -> None:
        """Restore the weights, so that a method whose training diverges is not timed on infinities."""
        with torch.no_grad():
            for tensor, kept in self._kept:
                tensor.copy_(kept)
        self.step.criterion.constrain()

    @cached_property
    def logits(self) -> Sequence[tuple[Tensor, Tensor]]:
        """Leaves that stand for D's logits on reals and fakes: normal, around 1 and -1."""
        objective, samples = self.method.objective, self.setting.batch_size // self.method.pack
        shape = (samples,) if objective.outputs == 1 else (samples, objective.outputs)
        stream = Stream(0, "kernels/logits", self.device)
        return [
            ((1.0 + real).requires_grad_(), (fake - 1.0).requires_grad_())
            for real, fake in stream.normal(0, (2, *shape), ROTATION)
        ]

    def loss(self, name: str) -> tuple[Callable[..., Tensor], Sequence[Sequence[Tensor]]]:
        """Return "loss" or "generator_loss" as a function of logits, and the logits of each turn."""
        objective = self.method.objective
        if name == "loss":
            return objective.discriminator, self.logits
        if objective.needs_real_in_generator:
            return objective.generator, [(fake, real.detach()) for real, fake in self.logits]
        return objective.generator, [(fake,) for _, fake in self.logits]

    def whole_loss(self, name: str, loss: Callable[..., Tensor] | None = None) -> Call:
        """Return forward and backward of a loss as one call, or those of another function in its place.

        It has leaves of its own. A leaf belongs to the stream on which its first graph was made, for as long as that
        graph lives, and the passes that are timed apart keep theirs: a recording that met such a leaf would be refused.
        """
        plain, shared = self.loss(name)
        inputs = [[leaf.detach().clone().requires_grad_(leaf.requires_grad) for leaf in logits] for logits in shared]
        chosen = loss or plain

        def both(index: int) -> None:
            logits = inputs[index % ROTATION]
            value = chosen(*logits)
            if value.requires_grad:
                torch.autograd.grad(value, [leaf for leaf in logits if leaf.requires_grad], allow_unused=True)

        return Call(both)

    def _loss_calls(self, name: str) -> dict[str, Call]:
        """Return the passes of a loss that exist: a linear loss has no second derivative."""
        loss, inputs = self.loss(name)
        calls = {
            name: self.whole_loss(name),
            f"{name}.forward": Call(lambda index: loss(*inputs[index % ROTATION])),
        }
        values = [loss(*logits) for logits in inputs]
        if not values[0].requires_grad:
            return calls
        leaves = [[leaf for leaf in logits if leaf.requires_grad] for logits in inputs]

        def backward(index: int) -> object:
            turn = index % ROTATION
            return torch.autograd.grad(values[turn], leaves[turn], retain_graph=True, allow_unused=True)

        calls[f"{name}.backward"] = Call(backward)
        slopes = [_slopes(loss(*logits), by) for logits, by in zip(inputs, leaves, strict=True)]
        if not slopes[0]:
            return calls
        weights = [[torch.randn_like(gradient) for gradient in gradients] for gradients in slopes]

        def double_backward(index: int) -> object:
            turn = index % ROTATION
            return torch.autograd.grad(slopes[turn], leaves[turn], weights[turn], retain_graph=True, allow_unused=True)

        calls[f"{name}.double_backward"] = Call(double_backward)
        return calls

    @cached_property
    def _batches(self) -> Sequence[tuple[Tensor, Tensor, Tensor]]:
        """Real images, latents and the images made of them."""
        size, channels = self.setting.image_size, self.setting.channels
        stream = Stream(0, "kernels/batches", self.device)
        count = self.setting.batch_size
        batches = []
        for turn in range(ROTATION):
            reals = stream.normal(2 * turn, (count, channels, size, size))[0].tanh()
            latents = stream.normal(2 * turn + 1, (count, LATENT_SIZE))[0]
            with torch.no_grad(), autocast(self.setting.precision, self.device):
                fakes = self.step.generator(latents)
            batches.append((reals.contiguous(memory_format=torch.channels_last), latents, fakes))
        return batches

    def _penalty(self, index: int) -> None:
        reals, latents, fakes = self._batches[index % ROTATION]
        with autocast(self.setting.precision, self.device):
            parts = self.method.discriminator_loss(
                self.step.discriminator,
                reals,
                fakes,
                latents=latents,
                generator=self.step.generator,
                rng=self._random("discriminator", index),
                step=0,
                state=self._state["discriminator"],
                concat_batches=self.step.criterion.concat_batches,
            )
        self._differentiate(parts, self.step.discriminator)

    def _terms(self, index: int) -> None:
        reals, latents, _ = self._batches[index % ROTATION]
        self.step.discriminator.requires_grad_(False)
        with autocast(self.setting.precision, self.device):
            parts = self.method.generator_loss(
                self.step.discriminator,
                self.step.generator,
                latents,
                reals,
                rng=self._random("generator", index),
                step=0,
                state=self._state["generator"],
            )
        self._differentiate(parts, self.step.generator)
        self.step.discriminator.requires_grad_(True)

    @cached_property
    def generators(self) -> Mapping[str, torch.Generator]:
        """The parts' generators as they are at the first step, for a graph that draws on from there."""
        return self._streams.at("discriminator", 0)

    def _random(self, phase: Phase, index: int) -> Mapping[str, torch.Generator]:
        # A generator cannot be seeded while its draws are captured.
        return self.generators if self.setting.mode == "captured" else self._streams.at(phase, index)

    def _differentiate(self, parts: LossParts, player: nn.Module) -> None:
        """Take the gradient of the terms alone, without the objective, by the weights of the player."""
        terms = [part.weighted for name, part in parts.items() if name != self.method.objective.name]
        with mark(DOUBLE_BACKWARD):
            total = torch.stack(terms).sum()
            if total.requires_grad:
                torch.autograd.grad(total, list(player.parameters()), allow_unused=True)


def _slopes(value: Tensor, by: Sequence[Tensor]) -> list[Tensor]:
    gradients = torch.autograd.grad(value, by, create_graph=True, allow_unused=True)
    return [gradient for gradient in gradients if gradient is not None and gradient.requires_grad]


def _trial(method: Method, setting: KernelSetting) -> Trial:
    """Describe the networks and the optimizer to the engine. Nothing of it is trained or recorded as a trial."""
    network = Network(
        name="dcgan-v2",
        width=setting.width,
        channels=setting.channels,
        image_size=setting.image_size,
        latent_size=LATENT_SIZE,
        d_norm=setting.d_norm,
    )
    spec = Spec(
        protocol_version=PROTOCOL_VERSION, track="controlled", method=str(method), method_name=method.name,
        workload="", data_hash="", network=network, optimizer=controlled_optimizer(), critic_steps=1,
        batch_size=setting.batch_size, steps=1, evaluate_every=1, samples=1, precision=setting.precision, seed=0,
    )  # fmt: skip
    return Trial(spec=spec, components={})
