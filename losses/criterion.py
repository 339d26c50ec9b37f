"""A method together with what a training loop must keep for it: counts, memory, random streams, constraints."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.hooks import RemovableHandle

from losses.catalogue import get
from losses.loss_parts import LossParts
from losses.memory import Memory, State, copied
from losses.method import Method
from losses.outputs import check_layout
from losses.phase_inputs import PhaseInputs, check_tensor
from losses.phase_state import generate_fakes
from losses.streams import PartGenerators
from losses.types import Features, Layout, Phase, SampleLatents
from losses.whole_batch import AllReduce, WholeBatch


class Criterion(nn.Module):
    """The losses of both players, for your own training loop.

        criterion = losses.Criterion("hinge + r1(every=16) + lecam", discriminator, generator)
        d_optimizer = torch.optim.Adam(criterion.discriminator.parameters(), lr=2e-4 * criterion.learning_rate_factor)
        g_optimizer = torch.optim.Adam(criterion.generator.parameters(), lr=2e-4)
        criterion.follow(d_optimizer, g_optimizer)

        for real_images in batches:
            d_optimizer.zero_grad()
            criterion.discriminator_loss(real_images, torch.randn(len(real_images), 128)).total.backward()
            d_optimizer.step()
            if criterion.generator_is_due:
                g_optimizer.zero_grad()
                criterion.generator_loss(torch.randn(len(real_images), 128), real_images).total.backward()
                g_optimizer.step()

    It puts the discriminator under the method's constraints, counts the updates of each player (a lazy term of the
    discriminator is due by the discriminator's own), keeps what stateful parts remember, and gives each part a random
    stream that depends on the seed, the part and the update alone. Once it follows the optimizers, their steps are
    counted and the constraints are applied by themselves. Losses asked for again before the update are micro-batches
    of it: each draws its own random numbers, and running means move once. After `criterion.eval()` losses
    can be computed without changing counts or memory.

    `state_dict()` has the counts, the memory and the seed, and not the networks: save those as usual. After a
    `load_state_dict` training goes on to the same numbers. The networks are not submodules of it.

    Args:
        method: a name, an expression such as "hinge + r1(gamma=1)", or a `Method`.
        discriminator: the network as it is, before its optimizer is made; train `criterion.discriminator`.
        generator: latents, and labels where there are any, to images or to a tuple that begins with them.
        seed: of the parts' random streams; drawn from torch's global generator by default.
        concat_batches: whether reals and fakes may share a forward of the discriminator, as
            `Method.discriminator_loss` explains.
        logits: how the discriminator gives logits: "per_image", "per_patch" or "per_scale", as explained there.
        frozen: a fixed network for parts that compare images in frozen features.
        sample_latents: how fresh latents are drawn for parts that compare two batches of them (msgan, dsgan), from
            latents of the shape and a random generator; standard normal by default.
        all_reduce: a sum over processes that hold equally large parts of each batch, such as
            `torch.distributed.all_reduce`; gradients are then averaged over them, as DistributedDataParallel does.
        rank: the number of this process, and
        processes: how many there are; those of torch.distributed by default.

    Raises:
        ValueError: for a method that cannot be read. The losses raise it as `Method.discriminator_loss` does,
            for updates that were not counted, and, while training, for a generator update that is not due yet.
    """

    def __init__(
        self,
        method: str | Method,
        discriminator: nn.Module,
        generator: nn.Module,
        *,
        seed: int | None = None,
        concat_batches: bool = False,
        logits: Layout = "per_image",
        frozen: Features | None = None,
        sample_latents: SampleLatents | None = None,
        all_reduce: AllReduce | None = None,
        rank: int | None = None,
        processes: int | None = None,
    ) -> None:
        super().__init__()
        check_layout(logits)
        _check_module("discriminator", discriminator)
        _check_module("generator", generator)
        self.method = get(method)
        self.seed = int(torch.randint(2**62, ())) if seed is None else seed
        self.concat_batches = concat_batches and self.method.samplewise
        self.logits: Layout = logits
        self.discriminator_updates = 0
        self.generator_updates = 0
        # In a dict, so that they are not submodules: an optimizer over the criterion would train both players, and
        # `criterion.train()` would set the frozen network to training.
        self._players: dict[Phase, nn.Module] = {
            "discriminator": self.method.wrap(discriminator),
            "generator": generator,
        }
        self._fixed: dict[str, Any] = {"frozen": frozen, "sample_latents": sample_latents}
        self._memory = Memory(self.method.parts, _whole_batch(all_reduce, rank, processes))
        self._streams: dict[torch.device, PartGenerators] = {}
        self._since_generator = 0
        self._counted: set[Phase] = set()
        self._hooks: list[RemovableHandle] = []
        self._versions: dict[Phase, list[int]] = {}
        self._chosen: Phase | None = None

    @property
    def discriminator(self) -> nn.Module:
        """The discriminator under the method's constraints: the one to train, to evaluate and to save."""
        return self._players["discriminator"]

    @discriminator.setter
    def discriminator(self, network: nn.Module) -> None:
        self._take("discriminator", network)

    @property
    def generator(self) -> nn.Module:
        """The generator."""
        return self._players["generator"]

    @generator.setter
    def generator(self, network: nn.Module) -> None:
        self._take("generator", network)

    def __setattr__(self, name: str, value: Any) -> None:  # noqa: ANN401 - torch's signature
        # torch would make a module a submodule of that name, without a look at the property.
        if isinstance(getattr(type(self), name, None), property):
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    def use(self, *, discriminator: nn.Module | None = None, generator: nn.Module | None = None) -> None:
        """Call these modules from now on: the same networks, compiled or made data parallel.

        `criterion.use(discriminator=DistributedDataParallel(criterion.discriminator))`: the constraints are on the
        discriminator's weights already when it is wrapped again. To assign to `criterion.discriminator` is the same.
        """
        if discriminator is not None:
            self._take("discriminator", discriminator)
        if generator is not None:
            self._take("generator", generator)

    @property
    def state(self) -> State:
        """What stateful parts remember, by part name."""
        return self._memory.state

    @state.setter
    def state(self, state: State) -> None:
        self._memory.state = state

    @property
    def critic_steps(self) -> int:
        """The discriminator's updates for one of the generator, as the method declares them."""
        return self.method.critic_steps

    @property
    def learning_rate_factor(self) -> float:
        """The factor on the discriminator's learning rate, as the method declares it."""
        return self.method.learning_rate_factor

    @property
    def generator_is_due(self) -> bool:
        """Whether the discriminator has made all its updates since the generator's last one."""
        return self._since_generator >= self.critic_steps

    def follow(
        self, discriminator_optimizer: torch.optim.Optimizer, generator_optimizer: torch.optim.Optimizer
    ) -> None:
        """Count the steps of these optimizers from now on, and apply the constraints after the discriminator's.

        Called again, it follows these optimizers alone. A copy of the criterion, also one that was pickled, follows
        none until it is told to: torch does not copy what an optimizer calls.

        Raises:
            ValueError: for an optimizer that does not hold its player's weights, and for equal learning rates where the
                method declares a factor between them.
        """
        optimizers: dict[Phase, torch.optim.Optimizer] = {
            "discriminator": discriminator_optimizer,
            "generator": generator_optimizer,
        }
        for phase, optimizer in optimizers.items():
            held = {id(weights) for group in optimizer.param_groups for weights in group["params"]}
            if not held & {id(weights) for weights in self._players[phase].parameters()}:
                raise ValueError(
                    f"the {phase}'s optimizer holds none of its weights: make it from criterion.{phase}.parameters()"
                )
        rates = [{group["lr"] for group in optimizer.param_groups} for optimizer in optimizers.values()]
        if self.learning_rate_factor != 1 and rates[0] == rates[1]:
            raise ValueError(
                f"{self.method.short} declares a factor of {self.learning_rate_factor:g} on the discriminator's "
                f"learning rate: multiply it by criterion.learning_rate_factor"
            )
        for hook in self._hooks:
            hook.remove()
        self._hooks = [
            discriminator_optimizer.register_step_post_hook(lambda *_: self.discriminator_updated()),
            generator_optimizer.register_step_post_hook(lambda *_: self.generator_updated()),
        ]
        self._counted = {"discriminator", "generator"}

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy takes over: optimizers lose their hooks when they are copied, so nobody counts for it."""
        return {**self.__dict__, "_hooks": [], "_counted": set(), "_versions": {}}

    def discriminator_updated(self) -> None:
        """Say that the discriminator's optimizer has made a step: it is counted, and the constraints are applied.

        For optimizers that are not followed. Call `generator_updated` after the other player's steps, too.
        """
        self.constrain()
        self.discriminator_updates += 1
        self._since_generator += 1
        self._counted.add("discriminator")
        self._memory.end_update("discriminator")

    def generator_updated(self) -> None:
        """Say that the generator's optimizer has made a step."""
        self.generator_updates += 1
        self._since_generator = 0
        self._counted.add("generator")
        self._memory.end_update("generator")

    def constrain(self) -> None:
        """Apply the constraints to the discriminator's weights, without counting an update."""
        self.method.after_step(self.discriminator)

    def choose_update(self, phase: Phase, discriminator_updates: int, generator_updates: int) -> None:
        """Say which update of a phase the next loss belongs to, for a loop that counts by itself.

        Such a loss is the only one of its update: it has no micro-batches.
        """
        self.discriminator_updates, self.generator_updates = discriminator_updates, generator_updates
        self._since_generator = self.critic_steps
        self._memory.end_update(phase)
        self._seed_streams(phase, next(self.generator.parameters()).device)
        self._chosen = phase

    def discriminator_loss(
        self,
        real_images: Tensor,
        latents: Tensor | None = None,
        *,
        fake_images: Tensor | None = None,
        real_labels: Tensor | None = None,
        fake_labels: Tensor | None = None,
    ) -> LossParts:
        """Compute the discriminator's loss on real images, and on fakes made from latents [B, ...] or given.

        Call `.total.backward()`. Nothing flows back into the generator, which runs without a graph.
        """
        check_tensor("real images", real_images)
        if fake_images is None and latents is not None:
            with torch.no_grad():
                fake_images = generate_fakes(self.generator, latents, fake_labels)
        if fake_images is None and not self.method.alone:
            raise ValueError("the discriminator's loss compares with fakes: pass latents, or fake_images")
        with self._memory.one_loss("discriminator"):
            inputs = replace(
                self._phase_inputs("discriminator", real_images.device, real_labels, fake_labels),
                real_images=real_images,
                fake_images=fake_images,
                latents=latents,
                update=self.discriminator_updates,
                concat_batches=self.concat_batches,
            )
            return self.method.loss(inputs)

    def generator_loss(
        self,
        latents: Tensor,
        real_images: Tensor | None = None,
        *,
        real_labels: Tensor | None = None,
        fake_labels: Tensor | None = None,
    ) -> LossParts:
        """Compute the generator's loss on latents [B, ...]; the discriminator's weights get no gradient.

        Call `.total.backward()`. Real images are used only where the method needs them; passing them is always safe.
        The weights are frozen during this call, not during the backward pass. A discriminator with activation
        checkpoints runs again there, so freeze it yourself around both: `criterion.discriminator.requires_grad_(False)`
        before, and True after.
        """
        check_tensor("latents", latents)
        is_new = self.training and not self._memory.losses("generator")
        if is_new and self.critic_steps > 1 and not self.generator_is_due:
            raise ValueError(
                f"{self.method.short} makes {self.critic_steps} updates of the discriminator for one of the generator, "
                f"and there have been {self._since_generator}: train it where criterion.generator_is_due"
            )
        discriminator = self.discriminator
        if isinstance(discriminator, DistributedDataParallel):
            discriminator = discriminator.module  # it would wait for gradients that nobody computes
        with self._memory.one_loss("generator"), _frozen(self.discriminator):
            inputs = replace(
                self._phase_inputs("generator", latents.device, real_labels, fake_labels),
                discriminator=discriminator,
                real_images=real_images,
                latents=latents,
            )
            return self.method.loss(inputs)

    def random_generators(self, device: torch.device) -> Mapping[str, torch.Generator]:
        """The parts' random generators on a device, as they are."""
        if device not in self._streams:
            self._streams[device] = PartGenerators(self.seed, (part.name for part in self.method.parts), device)
        return self._streams[device].generators

    def get_extra_state(self) -> dict[str, Any]:
        """Return what `state_dict` keeps: the method's spelling, the seed, the counts and the memory."""
        return {
            "method": str(self.method),
            "seed": self.seed,
            "discriminator_updates": self.discriminator_updates,
            "generator_updates": self.generator_updates,
            "since_generator": self._since_generator,
            "state": {part: dict(own) for part, own in self.state.items()},
        }

    def set_extra_state(self, state: Any) -> None:  # noqa: ANN401 - torch's signature
        """Take up what `get_extra_state` returned; ValueError where another method kept it.

        The memory goes to where the networks are, wherever it was loaded to.
        """
        if state["method"] != str(self.method):
            raise ValueError(f"this state was kept by {state['method']!r}: this criterion is {str(self.method)!r}")
        self.seed = state["seed"]
        self.discriminator_updates = state["discriminator_updates"]
        self.generator_updates = state["generator_updates"]
        self._since_generator = state["since_generator"]
        self._memory.load(
            state["state"],
            {
                phase: next((weights.device for weights in player.parameters()), None)
                for phase, player in self._players.items()
            },
        )
        self._streams.clear()
        self._versions.clear()

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "Criterion":  # noqa: FBT001, FBT002
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self._memory.move(fn)
        return self

    def _take(self, phase: Phase, network: nn.Module) -> None:
        """Call this network for a player from now on."""
        _check_module(phase, network)
        self._players[phase] = network
        self._versions.pop(phase, None)

    def _phase_inputs(
        self, phase: Phase, device: torch.device, real_labels: Tensor | None, fake_labels: Tensor | None
    ) -> PhaseInputs:
        """Begin a loss, and return the inputs that the criterion keeps for it."""
        whole, state = self._begin_loss(phase, device)
        return PhaseInputs(
            phase=phase,
            discriminator=self.discriminator,
            generator=self.generator,
            real_labels=real_labels,
            fake_labels=fake_labels,
            **self._fixed,
            rng=self._streams[device].generators,
            step=self.generator_updates,
            update=self.generator_updates,
            state=state,
            logits=self.logits,
            whole=whole,
        )

    def _begin_loss(self, phase: Phase, device: torch.device) -> tuple[WholeBatch | None, State]:
        """Place the random streams of a loss, and return the batch that it is part of, and the parts' memory."""
        whole = self._memory.whole
        if self._chosen == phase:
            self._chosen = None
            return whole if whole.processes > 1 else None, self.state
        self._seed_streams(phase, device)
        if not self.training:
            return whole.fresh(), copied(self.state)
        self._check_counted(phase)
        self._memory.begin_loss(phase)
        return whole, self.state

    def _seed_streams(self, phase: Phase, device: torch.device) -> None:
        self.random_generators(device)
        update = self.discriminator_updates if phase == "discriminator" else self.generator_updates
        rank, earlier = self._memory.whole.rank, self._memory.losses(phase)
        process = f"/process {rank}" if rank else ""
        micro_batch = f"/micro-batch {earlier}" if earlier else ""
        self._streams[device].seed(phase, update, process + micro_batch)

    def _check_counted(self, phase: Phase) -> None:
        """Raise ValueError where weights have moved since the first loss, and no update has been counted."""
        if phase in self._counted:
            return
        versions = [weights._version for weights in self._players[phase].parameters()]  # the host's count of changes
        if self._versions.setdefault(phase, versions) != versions:
            raise ValueError(
                f"the {phase}'s weights have changed since its last loss, and no update was counted: call "
                f"criterion.follow(d_optimizer, g_optimizer) once, or criterion.{phase}_updated() after each step"
            )


@contextmanager
def _frozen(network: nn.Module) -> Iterator[None]:
    """Let the weights that are trained ask for no gradient meanwhile."""
    trained = [weights for weights in network.parameters() if weights.requires_grad]
    for weights in trained:
        weights.requires_grad_(False)
    try:
        yield
    finally:
        for weights in trained:
            weights.requires_grad_(True)


def _check_module(player: Phase, network: object) -> None:
    """Raise ValueError for a player whose weights nobody could list."""
    if not isinstance(network, nn.Module):
        raise ValueError(  # noqa: TRY004 - the library's one kind of error for a user's mistake
            f"the {player} is a {type(network).__name__}: expected a torch.nn.Module"
        )


def _whole_batch(all_reduce: AllReduce | None, rank: int | None, processes: int | None) -> WholeBatch:
    if all_reduce is None:  # which several processes need, and are refused without
        return WholeBatch(None, rank or 0, 1 if processes is None else processes)
    if rank is None or processes is None:
        if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
            raise ValueError("all_reduce without rank= and processes=, and torch.distributed is not initialized")
        rank, processes = torch.distributed.get_rank(), torch.distributed.get_world_size()
    return WholeBatch(all_reduce, rank, processes)
