"""What a part may look at: its view of a phase, with its own random stream and its own memory."""

import torch
from torch import Tensor, nn

from losses.numerics import in_full_precision
from losses.outputs import Output, Scales, describe_output
from losses.phase_state import PhaseState, memory_key
from losses.profiling import D_OTHER, mark
from losses.types import Declared, Need, PartState, Phase, Role
from losses.weights import filters_of, weights_of


class Context:
    """One part's view of a phase: the only thing a part sees besides the tensors it is called with.

    Images are those before the transforms, so input gradients are taken there; logits and features are of the
    transformed ones. `rng` and `state` belong to this part alone.

    Logits and features are those at one scale of the discriminator, and of the whole batch where several processes
    share it; images, latents and gradients are this process's own. A part that needs `logit_per_image` joins them, and
    sees its own of everything.
    """

    def __init__(
        self,
        phase_state: PhaseState,
        part: Declared,
        *,
        stream: str | None = None,
        scale: int = 0,
        own: bool = False,
    ) -> None:
        self._phase_state = phase_state
        self._part = part.name
        self._reads_step = part.reads_step
        # Parts of kinds that cannot declare it are not asked to.
        self._may_see_reals = phase_state.phase == "discriminator" or getattr(part, "needs_real_in_generator", True)
        self._stream = stream or part.name
        self._scale = scale
        self._own = own
        self.saw_discriminator = False
        """Whether the part has used an output of the discriminator."""

    @property
    def phase(self) -> Phase:
        return self._phase_state.phase

    @property
    def step(self) -> int:
        """The count of generator updates so far, for a part that declares "step" in its `needs`."""
        if not self._reads_step:
            raise ValueError(
                f'{self._part} reads the count of steps and does not declare it: add "step" to its `needs`, so that '
                f"a captured step is never replayed at another count"
            )
        step = self._phase_state.inputs.step
        if step is None:
            raise ValueError(
                f"{self._part} reads the count of steps: pass step=, or use losses.Criterion, which counts"
            )
        return step

    @property
    def device(self) -> torch.device:
        """Where the images are, whichever of the two batches there are."""
        return self._phase_state.device

    @property
    def real_images(self) -> Tensor:
        """The real batch [B, ...] in full precision; ValueError in a generator phase that was given none."""
        self._check_reals()
        images = self._given(self._phase_state.real_images, "real images in the generator's step: pass real_images")
        return in_full_precision(images)

    @property
    def fake_images(self) -> Tensor:
        """The generated batch [B, ...] in full precision, with its graph in the generator's phase alone."""
        return in_full_precision(self._given(self._phase_state.fake_images, "fake images: pass fake_images"))

    @property
    def latents(self) -> Tensor:
        """What the fakes were made from."""
        return self._given(self._phase_state.inputs.latents, "the latents of the fakes: pass latents=")

    @property
    def second_latents(self) -> Tensor:
        """A fresh batch shaped like `latents`, from this part's stream; each access draws a new one.

        It is standard normal unless the caller's `sample_latents` draws it.
        """
        latents, sample = self.latents, self._phase_state.inputs.sample_latents
        if sample is None:
            return self.normal_like(latents)
        drawn = sample(latents, self.rng)
        if drawn.shape != latents.shape:
            raise ValueError(
                f"sample_latents returned shape {tuple(drawn.shape)}: let it return that of the latents, "
                f"{tuple(latents.shape)}"
            )
        return drawn

    @property
    def real_logits(self) -> Tensor:
        """The discriminator on the reals, [B] or [B, outputs]; without a graph in the generator's phase."""
        return self._seen(self._reals).logits

    @property
    def fake_logits(self) -> Tensor:
        """The discriminator on the fakes, [B] or [B, outputs]."""
        return self._seen(self._phase_state.fake).logits

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
        return self.features_of(self._seen(self._reals))

    @property
    def fake_features(self) -> Tensor:
        """The features of the same forward as `fake_logits`."""
        return self.features_of(self._seen(self._phase_state.fake))

    @property
    def real_gradient(self) -> Tensor:
        """The gradient of the critic at each real image, shaped like the images; declare it in `needs`."""
        self._check_declared("real_gradient", self.real_images)
        self.saw_discriminator = True
        return self._phase_state.gradient("real", self._scale)

    @property
    def fake_gradient(self) -> Tensor:
        """The gradient of the critic at each fake image, shaped like the images; declare it in `needs`."""
        self._check_declared("fake_gradient", self.fake_images)
        self.saw_discriminator = True
        return self._phase_state.gradient("fake", self._scale)

    @property
    def rng(self) -> torch.Generator | None:
        """This part's random stream; None is torch's global generator."""
        return self._phase_state.stream(self._stream)

    @property
    def state(self) -> PartState:
        """What this part remembers between steps, kept and checkpointed by the caller."""
        return self._phase_state.state_of(self._part, self._scale)

    @property
    def parameters(self) -> list[nn.Parameter]:
        """All parameters of the player that is trained in this phase."""
        return list(self._phase_state.player(self._part).parameters())

    @property
    def weights(self) -> list[nn.Parameter]:
        """Its weight matrices and convolution kernels, without biases and gains."""
        return weights_of(self._phase_state.player(self._part))

    @property
    def filters(self) -> list[Tensor]:
        """The same weights as matrices, [output channels, rest]."""
        return filters_of(self._phase_state.player(self._part))

    def get_state(self, name: str, initial: Tensor) -> Tensor:
        """Return the tensor of that name in `state`. The first call creates it as a detached copy of `initial`."""
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
        """Draw standard normals shaped like the tensor, from this part's stream; ValueError if it holds no floats."""
        if not tensor.is_floating_point():
            raise ValueError(
                f"{self._part} draws normal numbers for a batch of {tensor.dtype}: expected floats; fresh latents of "
                f"another law are drawn by sample_latents"
            )
        return torch.randn(tensor.shape, generator=self.rng, device=tensor.device, dtype=tensor.dtype)

    def discriminator(self, images: Tensor, role: Role = "other") -> Output:
        """Run the discriminator once more, transforms included."""
        with mark(D_OTHER):
            return self._seen(self._phase_state.run_discriminator(images, role, self._part))

    def critic(self, images: Tensor) -> Tensor:
        """Run the discriminator once more and return the objective's critic, [B]."""
        return self.critic_of(self.discriminator(images).logits)

    def critic_of(self, logits: Tensor) -> Tensor:
        """Return the objective's critic, [B], for logits at hand."""
        return self._phase_state.critic(logits, lambda: (self.real_logits, self.fake_logits))

    @property
    def batch_size(self) -> int:
        """How many real images the whole batch has: those of all processes."""
        batch = self._phase_state.inputs.whole
        return self.real_images.shape[0] * (1 if batch is None else batch.processes * batch.micro_batches)

    def whole(self, values: Tensor) -> Tensor:
        """Return values [B, ...], one a sample of this process, of the whole batch: those of all processes.

        For statistics that are not means over samples, such as a maximum or a deviation. Logits and features are of the
        whole batch already, except for a part that joins logits with images.
        """
        batch = self._phase_state.inputs.whole
        return values if batch is None else batch.gathered(values)

    def over_micro_batches(self, statistic: Tensor) -> Tensor:
        """Return a statistic of the batch for the part's memory, without a graph: its mean over the update's
        micro-batches so far, so that what is remembered moves once an update however often its loss is asked for.

        `losses.Criterion` puts the memory back as it was before the update where the statistic is finite in none.
        """
        batch = self._phase_state.inputs.whole
        return statistic.detach() if batch is None else batch.mean(statistic, memory_key(self._part, self._scale))

    def generator(self, latents: Tensor) -> Tensor:
        """Run the generator once more, in full precision; without a graph in the discriminator's phase."""
        return in_full_precision(self._phase_state.generate(latents, self._part))

    def frozen_features(self, images: Tensor) -> Tensor:
        """Return fixed features [B, d] of the images, differentiable in them: the caller's network or random ones."""
        features = self._phase_state.frozen(images)
        if not isinstance(features, Tensor) or features.dim() == 0 or len(features) != len(images):
            raise ValueError(
                f"{self._part} compares images in features of the frozen network, which returned "
                f"{describe_output(features)}: expected features of {len(images)} samples, [B, d]"
            )
        return self.whole(in_full_precision(features))

    def critic_gradient(self, points: Tensor) -> Tensor:
        """Return the gradient of the critic at points that this part made, shaped like them, itself differentiable."""
        batch, objective = self._phase_state.inputs.whole, self._phase_state.objective
        if batch is not None and batch.processes > 1 and not objective.critic_is_logit:
            raise ValueError(
                f"{self._part} takes slopes of the critic of {objective.name}, which is measured against the batch: "
                f"the gradient through what other processes hold of it would be lost; train it in one process"
            )
        points = points.detach().requires_grad_()
        with mark(D_OTHER):
            output = self._phase_state.run_discriminator(points, "other", self._part)[self._scale]
        self.saw_discriminator = True
        return self.input_gradient(points, self.critic_of(output.own.logits))

    def input_gradient(self, points: Tensor, values: Tensor) -> Tensor:
        """Return the gradient of what was computed from the critic at points, [B], shaped like them, differentiable."""
        return self._phase_state.input_gradients([points], [values])[0]

    def features_of(self, output: Output) -> Tensor:
        """Return the features of a forward; ValueError where the discriminator gives none."""
        return self._given(output.features, "features: let the discriminator return (logits, features)")

    def _seen(self, scales: Scales) -> Output:
        """What this part sees of a forward: its own scale, of the whole batch unless it joins logits with images."""
        self.saw_discriminator = True
        output = scales[self._scale]
        return output.own if self._own else output

    def _given(self, tensor: Tensor | None, what: str) -> Tensor:
        if tensor is None:
            raise ValueError(f"{self._part} needs {what}")
        return tensor

    @property
    def _reals(self) -> Scales:
        """The discriminator on the real images."""
        self._check_reals()
        return self._phase_state.real

    def _check_reals(self) -> None:
        if self._phase_state.real_images is None and not self._may_see_reals:
            raise ValueError(
                f"{self._part} looks at real images in the generator's phase and does not declare it: add "
                f"`needs_real_in_generator: ClassVar = True`"
            )

    def _check_declared(self, need: Need, images: Tensor) -> None:
        if not images.requires_grad:
            raise ValueError(
                f"{self._part} reads {need} in the {self.phase}'s phase, where the images have none: "
                f"a discriminator-phase part declares it in `needs`"
            )
