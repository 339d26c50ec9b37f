"""What a part may look at: one part's view of a phase, with that part's own random stream and its own state."""

from collections.abc import MutableMapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from losses.kinds import Need, Phase, Role
from losses.numerics import in_full_precision
from losses.outputs import Output, Scales, is_its_own_critic
from losses.ranges import D_OTHER, INPUT_GRADIENT, mark

if TYPE_CHECKING:  # a context looks into its evaluation; the evaluation gives one to each transform
    from losses.evaluation import Evaluation

PartState = dict[str, Tensor]
State = MutableMapping[str, PartState]


class Context:
    """One part's view of a phase: the only thing a part sees besides the tensors it is called with.

    Images are those before the transforms, so input gradients are taken there; logits and features are of the
    transformed ones. `rng` and `state` belong to this part alone.

    Logits and features are those at one scale of the discriminator, and of the whole batch where several processes
    share it; images, latents and gradients are this process's own. A part that needs `logit_per_image` joins them, and
    sees its own of everything.
    """

    def __init__(
        self, evaluation: "Evaluation", part: str, *, stream: str | None = None, scale: int = 0, own: bool = False
    ) -> None:
        self._evaluation = evaluation
        self._part = part
        self._stream = stream or part
        self._scale = scale
        self._own = own
        self.judged = False
        """Whether the part has looked at what the discriminator makes of images."""

    @property
    def phase(self) -> Phase:
        return self._evaluation.phase

    @property
    def step(self) -> int:
        """The count of generator updates so far."""
        return self._evaluation.step(self._part)

    @property
    def real_images(self) -> Tensor:
        """The real batch [B, ...] in full precision; ValueError in a generator phase that was given none."""
        images = self._given(self._evaluation.real_images, "real images in the generator's step: pass real_images")
        return in_full_precision(images)

    @property
    def fake_images(self) -> Tensor:
        """The generated batch [B, ...] in full precision, with its graph in the generator's phase alone."""
        return in_full_precision(self._given(self._evaluation.fake_images, "fake images: pass fake_images"))

    @property
    def latents(self) -> Tensor:
        """What the fakes were made from."""
        return self._given(self._evaluation.latents, "the latents of the fakes: pass latents=")

    @property
    def second_latents(self) -> Tensor:
        """A fresh standard normal batch shaped like `latents`, from this part's stream; each access draws anew."""
        return self.normal_like(self.latents)

    @property
    def real_logits(self) -> Tensor:
        """The discriminator on the reals, [B] or [B, outputs]; without a graph in the generator's phase."""
        return self._seen(self._evaluation.real).logits

    @property
    def fake_logits(self) -> Tensor:
        """The discriminator on the fakes, [B] or [B, outputs]."""
        return self._seen(self._evaluation.fake).logits

    @property
    def real_critic(self) -> Tensor:
        """The objective's critic on the reals, [B]: the logits themselves unless it has a vector head."""
        return self.critic_of(self.real_logits)

    @property
    def fake_critic(self) -> Tensor:
        """The objective's critic on the fakes, [B]."""
        return self.critic_of(self.fake_logits)

    @property
    def real_features(self) -> Tensor:
        """The features of the same forward as `real_logits`."""
        return self.features_of(self._seen(self._evaluation.real))

    @property
    def fake_features(self) -> Tensor:
        """The features of the same forward as `fake_logits`."""
        return self.features_of(self._seen(self._evaluation.fake))

    @property
    def real_gradient(self) -> Tensor:
        """The gradient of the critic at each real image, shaped like the images; to be declared in `needs`."""
        self._check_declared("real_gradient", self.real_images)
        self.judged = True
        return self._evaluation.gradient("real", self._scale)

    @property
    def fake_gradient(self) -> Tensor:
        """The gradient of the critic at each fake image, shaped like the images; to be declared in `needs`."""
        self._check_declared("fake_gradient", self.fake_images)
        self.judged = True
        return self._evaluation.gradient("fake", self._scale)

    @property
    def rng(self) -> torch.Generator | None:
        """This part's random stream; None is torch's global generator."""
        return self._evaluation.stream(self._stream)

    @property
    def state(self) -> PartState:
        """What this part remembers between steps, kept and checkpointed by the caller."""
        return self._evaluation.state_of(self._part, self._scale)

    @property
    def parameters(self) -> list[nn.Parameter]:
        """All parameters of the player that is trained in this phase."""
        return list(self._evaluation.player(self._part).parameters())

    @property
    def weights(self) -> list[nn.Parameter]:
        """Its weight matrices and convolution kernels, without biases and gains."""
        return [parameter for parameter in self.parameters if parameter.dim() > 1]

    def remembered(self, name: str, initial: Tensor) -> Tensor:
        """Return the tensor of that name in `state`, created as a detached copy of `initial` at the first look."""
        if name not in self.state:
            self.state[name] = initial.detach().clone()
        return self.state[name]

    def uniform(self, *shape: int, like: Tensor) -> Tensor:
        """Draw from U[0, 1), on the device and in the precision of `like`, from this part's stream."""
        return torch.rand(shape, generator=self.rng, device=like.device, dtype=like.dtype)

    def uniform_per_sample(self, images: Tensor) -> Tensor:
        """Draw one number in [0, 1) a sample, shaped [B, 1, ...] to multiply the images."""
        return self.uniform(images.shape[0], *(1,) * (images.dim() - 1), like=images)

    def normal_like(self, tensor: Tensor) -> Tensor:
        """Draw standard normals shaped like the tensor, from this part's stream."""
        return torch.randn(tensor.shape, generator=self.rng, device=tensor.device, dtype=tensor.dtype)

    def discriminator(self, images: Tensor, role: Role = "other") -> Output:
        """Run the discriminator once more, transforms included."""
        with mark(D_OTHER):
            return self._seen(self._evaluation.judge(images, role, self._part))

    def critic(self, images: Tensor) -> Tensor:
        """Run the discriminator once more and return the objective's critic, [B]."""
        return self.critic_of(self.discriminator(images).logits)

    def critic_of(self, logits: Tensor) -> Tensor:
        """Return the objective's critic, [B], for logits at hand."""
        objective = self._evaluation.objective
        return logits if is_its_own_critic(objective) else objective.critic(logits, self.real_logits, self.fake_logits)

    @property
    def batch_size(self) -> int:
        """How many real images the whole batch has: those of all processes."""
        batch = self._evaluation.whole
        return self.real_images.shape[0] * (1 if batch is None else batch.processes * batch.micro_batches)

    def whole(self, values: Tensor) -> Tensor:
        """Return values [B, ...], one a sample of this process, of the whole batch: those of all processes.

        For what is no mean over samples: a largest one, a deviation. Logits and features are of it already, but for a
        part that joins logits with images.
        """
        batch = self._evaluation.whole
        return values if batch is None else batch.gathered(values)

    def over_micro_batches(self, statistic: Tensor) -> Tensor:
        """Return a statistic of the batch for the part's memory, without a graph: its mean over the update's
        micro-batches so far, so that what is remembered moves once an update however often its loss is asked for.
        """
        batch = self._evaluation.whole
        return statistic.detach() if batch is None else batch.mean(statistic, f"{self._part}/{self._scale}")

    def generator(self, latents: Tensor) -> Tensor:
        """Run the generator once more, in full precision; without a graph in the discriminator's phase."""
        return in_full_precision(self._evaluation.generate(latents, self._part))

    def frozen_features(self, images: Tensor) -> Tensor:
        """Return fixed features [B, d] of the images, differentiable in them: the caller's network or random ones."""
        return self.whole(in_full_precision(self._evaluation.frozen(images)))

    def slope(self, points: Tensor) -> Tensor:
        """Return the gradient of the critic at points of this part's own, shaped like them, itself differentiable."""
        batch, objective = self._evaluation.whole, self._evaluation.objective
        if batch is not None and batch.processes > 1 and not is_its_own_critic(objective):
            raise ValueError(
                f"{self._part} takes slopes of the critic of {objective.name}, which is measured against the batch: "
                f"the gradient through what other processes hold of it would be lost; train it in one process"
            )
        points = points.detach().requires_grad_()
        with mark(D_OTHER):
            judged = self._evaluation.judge(points, "other", self._part)[self._scale]
        self.judged = True
        return self.input_gradient(points, self.critic_of(judged.own.logits))

    def input_gradient(self, points: Tensor, values: Tensor) -> Tensor:
        """Return the gradient of what was computed from the critic at points, [B], shaped like them, differentiable."""
        return self._evaluation.input_gradients([points], [values])[0]

    def features_of(self, output: Output) -> Tensor:
        """Return the features of a forward; ValueError where the discriminator gives none."""
        return self._given(output.features, "features: let the discriminator return (logits, features)")

    def _seen(self, scales: Scales) -> Output:
        """What this part sees of a forward: its own scale, of the whole batch unless it joins logits with images."""
        self.judged = True
        judged = scales[self._scale]
        return judged.own if self._own else judged

    def _given(self, tensor: Tensor | None, what: str) -> Tensor:
        if tensor is None:
            raise ValueError(f"{self._part} needs {what}")
        return tensor

    def _check_declared(self, need: Need, images: Tensor) -> None:
        if not images.requires_grad:
            raise ValueError(
                f"{self._part} reads {need} in the {self.phase}'s phase, where the images have none: "
                f"a discriminator-phase part declares it in `needs`"
            )


def input_gradient(images: Tensor, critic: Tensor) -> Tensor:
    """Return the gradient of each critic value by its own image, shaped like the images, in full precision.

    It is itself differentiable. The gradient of the sum is the per-sample gradient as long as no sample looks at
    another (BatchNorm does).
    """
    (gradient,) = input_gradients([images], [critic])
    return gradient


def input_gradients(batches: Sequence[Tensor], critics: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Return what `input_gradient` returns for each batch of images and its critic values, from one backward pass."""
    with mark(INPUT_GRADIENT):
        gradients = torch.autograd.grad([critic.sum() for critic in critics], batches, create_graph=True)
    return tuple(map(in_full_precision, gradients))
