"""The step as a recording that is replayed: on CUDA, one graph launch instead of several hundred kernel launches.

A recording repeats kernels on the memory they had when they were recorded, without Python. What differs between two
steps therefore lies in memory of its own and is chosen before a replay: which batch and latents are read, where the
generators of the parts begin, which row of the monitors is written. What differs in kind has a recording of its own: a
lazy term that falls due, an update whose ratio is measured.

Each kind runs eagerly first, as training steps like any other, which pays for plans, caches and the optimizers' state.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from typing import Any, Final, NamedTuple, Protocol

import torch

from bench.accelerate.streams import TRAINING_PRIORITY
from bench.common.errors import first_line
from bench.training.batches import Batch
from bench.training.monitors import Monitors
from bench.training.step import TrainingStep
from losses.types import Phase

WARM_UP: Final = 3
"""Updates of a kind that run eagerly before it is recorded."""

Replay = Callable[[], None]


class Recorder(Protocol):
    """Records what a call launches."""

    def run(self, call: Callable[[], object]) -> None:
        """Make a call eagerly, where recordings are made."""
        ...

    def record(self, call: Callable[[], object], generators: Collection[torch.Generator]) -> Replay:
        """Make a call once, and return what repeats it.

        Args:
            call: launches the same work each time, on memory that stays.
            generators: what the call draws from; seeding one before a replay decides what the replay draws.

        Raises:
            RuntimeError: it cannot be recorded, because it reads a value from the device or waits for it.
        """
        ...


class CudaGraphs:
    """Records by CUDA graphs, on the stream that is current when it is made, or on one of its own.

    The default stream cannot be recorded. torch hands out 32 streams in turn, so that the fewer a trial has, the more
    trials share none. All recordings of one recorder lie in one pool of memory: they are replayed one after the other,
    and nothing that one of them makes is read by the next.
    """

    def __init__(self, device: torch.device) -> None:
        current = torch.cuda.current_stream(device)
        is_default = current == torch.cuda.default_stream(device)
        self._device = device
        self._stream = torch.cuda.Stream(device, priority=TRAINING_PRIORITY) if is_default else current
        self._pool = torch.cuda.graph_pool_handle()

    def run(self, call: Callable[[], object]) -> None:
        current = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            call()
        current.wait_stream(self._stream)

    def record(self, call: Callable[[], object], generators: Collection[torch.Generator]) -> Replay:
        graph = torch.cuda.CUDAGraph()
        for generator in generators:
            graph.register_generator_state(generator)
        try:
            with _workspaces_of_its_own(), torch.cuda.stream(self._stream):
                self._capture(graph, call)
        except BaseException:
            torch.cuda.synchronize(self._device)
            raise
        graph.replay()
        return graph.replay

    def _capture(self, graph: torch.cuda.CUDAGraph, call: Callable[[], object]) -> None:
        """Record a call, of which nothing runs yet.

        This is what `torch.cuda.graph` does, but for two things. It stops the device and empties its caches before each
        recording. And where a call fails, the end of the recording fails too: there that second error is raised, which
        says nothing of the cause, and the stream of the recording stays the current one.
        """
        graph.capture_begin(pool=self._pool)
        try:
            call()
        except BaseException:
            with contextlib.suppress(RuntimeError):  # it fails as well, and the first error is the one to tell
                graph.capture_end()
            raise
        graph.capture_end()


@contextlib.contextmanager
def _workspaces_of_its_own() -> Iterator[None]:
    """Let cuBLAS ask for new workspaces inside, and for new ones again afterwards.

    It keeps one for each stream, and a recording goes on using the one that it was made with. Made inside, it lies in
    the recording's own pool and lives as long; otherwise another recording of the stream that is dropped would free it
    (PyTorch issue 193402). The graphs of torch.compile are recorded in the same way.
    """
    torch._C._cuda_clearCublasWorkspaces()
    try:
        yield
    finally:
        torch._C._cuda_clearCublasWorkspaces()


def recorder_for(device: torch.device) -> Recorder:
    """Return what records on a device; ValueError where nothing does."""
    if device.type != "cuda":
        raise ValueError(f"steps are captured as CUDA graphs, which {device} does not have: leave capture out")
    return CudaGraphs(device)


class _Kind(NamedTuple):
    """What tells apart the updates that need recordings of their own."""

    phase: Phase
    due: tuple[str, ...]
    measured: bool


class CapturedStepper:
    """Makes training steps from recordings: each kind of update is recorded once, and replayed from then on.

    Where the method cannot be recorded, `reason` says why, and every step runs eagerly. `sync` waits until no other
    thread uses the device, which a CUDA recording does not bear; it is called before each.
    """

    def __init__(
        self,
        step: TrainingStep,
        monitors: Monitors,
        recorder: Recorder,
        *,
        sync: Callable[[], object] = lambda: None,
    ) -> None:
        step.make_capturable()
        self._step = step
        self._monitors = monitors
        self._recorder = recorder
        self._sync = sync
        self._ran: Counter[_Kind] = Counter()
        self._replays: dict[_Kind, Replay] = {}
        self.reason: str | None = None
        self.replayed_steps = 0
        """Steps of which every update was a replay."""

    @property
    def message(self) -> str:
        """What a record says of a method that could not be captured."""
        return f"trained without capture: {self.reason}" if self.reason else ""

    def cost(self) -> dict[str, float | None]:
        """Return what a record says of the way the steps were made."""
        return {"replayed_steps": self.replayed_steps}

    def snapshot(self) -> dict[str, Any]:
        """Return what a record will say of the steps so far."""
        return {"reason": self.reason, "replayed_steps": self.replayed_steps}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what an earlier stepper returned; a method that could not be recorded is not tried again."""
        self.reason = state.get("reason")
        self.replayed_steps = state.get("replayed_steps", 0)

    def run(self, step: int) -> None:
        """Make one step and store what is watched."""
        self._monitors.begin(step)
        replayed = [
            self._update("discriminator", critic_step, measured=self._step.measures(step, critic_step))
            for critic_step in self._step.critic_range(step)
        ]
        replayed.append(self._update("generator", step, measured=self._step.measures(step)))
        self.replayed_steps += all(replayed)

    def update(self, phase: Phase, index: int) -> bool:
        """Make the update of a phase that has this number; say whether it was made as a long training makes most."""
        return self._update(phase, index, measured=False) or self.reason is not None

    def _update(self, phase: Phase, index: int, *, measured: bool) -> bool:
        """Make the update of a phase that has this number; return whether it was a replay."""
        batch = self._step.batch(phase, index)
        kind = _Kind(phase, tuple(part.name for part in self._step.method.due_terms(phase, index)), measured)
        replay = self._replays.get(kind)
        if replay is not None:
            replay()
            return True

        def call() -> None:
            self._make(phase, batch, measured=measured)

        if self.reason is None and self._ran[kind] >= WARM_UP:
            self._sync()
            try:
                self._replays[kind] = self._recorder.record(lambda: self._in_place(call), self._step.random_generators)
            except RuntimeError as error:
                self._give_up(first_line(error))
            else:
                return False
        self._recorder.run(call)
        self._ran[kind] += 1
        if self._step.method.reads_step(phase):
            self._give_up("a part of the method computes with the count of steps")
        return False

    def _give_up(self, reason: str) -> None:
        self.reason = self.reason or reason
        self._replays.clear()

    def _make(self, phase: Phase, batch: Batch, *, measured: bool) -> None:
        """Make an update eagerly and store what is watched of it, on the device alone."""
        if phase == "discriminator":
            self._monitors.watch_discriminator(self._step.update_discriminator(batch, measured=measured))
        else:
            self._monitors.watch_generator(self._step.update_generator(batch, measured=measured))

    def _in_place(self, call: Callable[[], None]) -> None:
        """Make a call, and write what it put in place of the parts' state to where the state was.

        Where the call fails the state is as it was before: what a recording that failed has put there is no number.
        """
        before = {part: dict(own) for part, own in self._step.state.items()}
        try:
            call()
        except BaseException:
            self._step.criterion.state = before
            raise
        for part, own in self._step.state.items():
            for name, value in own.items():
                kept = before.get(part, {}).get(name)
                if kept is None:
                    raise RuntimeError(f"{part} begins to remember {name} after {WARM_UP} updates")
                if value is not kept:
                    kept.copy_(value)
                    own[name] = kept
