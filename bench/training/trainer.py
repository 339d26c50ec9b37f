"""One trial from its description to its outcome: build, train in blocks, evaluate, conclude."""

import resource
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

import losses
from bench import data
from bench.config.protocol import PROTOCOL_VERSION
from bench.config.trial import Trial
from bench.events import Progress
from bench.metrics.evaluate import Scores
from bench.metrics.inception import Inception, samples_of, unmeasurable, verified
from bench.metrics.inception_weights import Weights
from bench.networks import build_discriminator, build_generator
from bench.store.record import History, Outcome, Status
from bench.training import artifacts as files
from bench.training.aside import Aside, aside_for
from bench.training.average import MovingAverage
from bench.training.batches import Batches, to_uint8
from bench.training.blocks import BLOCK_STEPS, block_ends
from bench.training.capture import Recorder, recorder_for, watched
from bench.training.clock import BlockClock
from bench.training.evaluations import Evaluations
from bench.training.memory import keep_freed_memory
from bench.training.monitors import MONITORS, Block, Monitors
from bench.training.precision import configure
from bench.training.sampling import further_latents
from bench.training.seeding import Stream
from bench.training.stability import step_measures
from bench.training.step import TrainingStep
from bench.training.verdict import course, status_of

PHASE_STEPS = 16
"""Updates of each player that are timed apart when training has ended; the most common interval of a lazy term."""

ALONE_BLOCKS = 4
"""Blocks of steps by which a trial that never ran long alone is timed at the end; the first one warms up."""

_PROGRESS_INTERVAL = 0.25


def train(
    trial: Trial,
    *,
    data_dir: Path | None,
    device: str,
    threads: int,
    artifacts: Path,
    emit: Callable[[Progress], None],
    inception: Weights | None = None,
    capture: bool = False,
) -> Outcome:
    """Train and evaluate one trial.

    Args:
        trial: what to train; its protocol version must be this program's.
        data_dir: the folder of downloaded data sets; `None` for the default one.
        device: "cpu", "cuda" or "cuda:N".
        threads: intra-op threads of the CPU.
        artifacts: an existing folder that receives `generator.safetensors` and `samples.png`.
        emit: called with the trial's progress, a few times a second at most.
        inception: the weights that FID, KID and the Inception score are measured with once training has ended.
        capture: replay steps as CUDA graphs where the method allows it, and evaluate beside them. No number depends on
            it; a method that cannot be captured is trained plainly, and the outcome's message says why.

    Raises:
        ValueError: for a trial of another protocol version, for data or weights that cannot be had, and for a capture
            without CUDA.
    """
    place = torch.device(device)
    recorder = recorder_for(place) if capture else None
    prepare_process(trial, threads)
    with aside_for(place, trial.spec.precision, capture=capture) as aside:
        run = Run(
            trial, data_dir=data_dir, device=place, emit=emit, recorder=recorder, inception=inception, aside=aside
        )
        run.train()
        return run.conclude(artifacts)


def prepare_process(trial: Trial, threads: int) -> None:
    """Set what holds for the whole process: threads, memory and precision.

    Raises:
        ValueError: for a trial of another protocol version.
    """
    if trial.spec.protocol_version != PROTOCOL_VERSION:
        raise ValueError(f"the trial follows protocol {trial.spec.protocol_version}; this is {PROTOCOL_VERSION}")
    torch.set_num_threads(threads)
    keep_freed_memory()
    configure(trial.spec.precision)


def build_step(trial: Trial, images: Tensor, device: torch.device, *, stack: int = 1) -> TrainingStep:
    """Build everything that trains: both networks, their streams and the step, on the device."""
    spec = trial.spec

    def normal_for(player: str) -> Callable[[str, tuple[int, ...]], Tensor]:
        return lambda name, shape: Stream(spec.seed, f"init/{player}/{name}").normal(0, shape)[0]

    def place(module: nn.Module) -> nn.Module:
        return module.to(device).to(memory_format=torch.channels_last)

    method = losses.get(spec.method)
    discriminator = build_discriminator(
        spec.network, normal_for("discriminator"), pack=method.pack, outputs=method.outputs
    )
    return TrainingStep(
        method,
        place(build_generator(spec.network, normal_for("generator"))),
        place(discriminator),
        Batches(
            images,
            stack=stack,
            batch_size=spec.batch_size,
            latent_size=spec.network.latent_size,
            seed=spec.seed,
        ),
        optimizer=spec.optimizer,
        critic_steps=spec.critic_steps,
        precision=spec.precision,
        seed=spec.seed,
        judges_alone=discriminator.judges_alone,
    )


class Run:
    """One trial while it trains: its steps in blocks, what happens between them, and the outcome.

    Several may share a process, see `bench.training.pack`; then the time of the blocks is not what the trial costs.
    With `aside` evaluations are made beside the steps that follow. What is measured depends on neither.
    """

    def __init__(
        self,
        trial: Trial,
        *,
        data_dir: Path | None,
        device: torch.device,
        emit: Callable[[Progress], None],
        recorder: Recorder | None = None,
        inception: Weights | None = None,
        pack: int = 1,
        aside: Aside | None = None,
    ) -> None:
        spec = trial.spec
        self._started = datetime.now(UTC)
        self._inception = inception
        if inception is not None:
            verified(inception)  # before anything is trained; they are loaded when they are needed
        self._pack = pack
        self._aside = aside
        self._arrays = arrays = data.load(spec.workload, data_dir, expected=spec.data_hash)
        self.workload = data.settled(data.workload(spec.workload), arrays)
        self._trial = trial
        self._device = device
        self._emit = emit
        self._last_emitted = 0.0
        self.evaluations = Evaluations(trial, self.workload, arrays, device, aside)
        images = torch.from_numpy(arrays.train).to(device)
        self.step = build_step(trial, images, device, stack=self.workload.stack)
        self._average = MovingAverage(self.step.generator)
        self._monitors = Monitors(BLOCK_STEPS, device)
        self._watched = watched(self.step, self._monitors, recorder, quiet=aside.finish if aside else None)
        self._clock = self._pace = BlockClock(device)
        self._phases = {"discriminator": BlockClock(device), "generator": BlockClock(device)}
        self._monitored: list[Tensor] = []
        self.curves: dict[str, list[float | None]] = {"step": [], **{name: [] for name in MONITORS}}
        self.first_nonfinite_step: int | None = None
        self.completed_steps = 0

    def train(self) -> None:
        """Make all steps."""
        for step in self.steps():
            self.make(step)

    def steps(self) -> Iterator[int]:
        """Yield the step that is to be made next, and between blocks of them read monitors and evaluate.

        It ends early once a number has ceased to be finite; in the end every evaluation is there.
        """
        spec = self._trial.spec
        self.evaluations.evaluate(0, self.step.generator)
        for first, last in pairwise([0, *block_ends(spec.steps, spec.evaluate_every)]):
            beside = self.evaluations.busy()
            self._clock.start()
            yield from range(first, last)
            self._clock.stop(last - first, beside=beside)
            self.completed_steps = last
            self._keep(self._monitors.flush(last))
            if last == spec.steps:
                self.evaluations.evaluate(last, self.step.generator, self._average.module)
            elif last % spec.evaluate_every == 0:
                self.evaluations.evaluate(last, self.step.generator)
            ended = last == spec.steps or self.first_nonfinite_step is not None
            if ended:
                self.evaluations.collect()
            self._report()
            if ended:
                break
        self._keep(self._monitors.drain())

    def make(self, step: int) -> None:
        """Make one step, keep what is watched, and let the generator's moving average take it in."""
        self._watched.run(step)
        self._average.update(step)

    def conclude(self, artifacts: Path) -> Outcome:
        """Keep the artifacts, measure what is measured at the end, and return the outcome."""
        if self._aside:
            self._aside.finish()  # what other trials of the pack have under way
        lost = files.keep(self.step.generator, self.evaluations.samples, self._trial, self.workload, artifacts)
        fakes = self.fakes() if self._inception is not None else None
        if self._pack > 1 or (self._aside and self._clock.blocks_alone < ALONE_BLOCKS):
            self.time_alone()
        self.time_phases()
        cost = self.cost()
        beside: Scores = {}
        if self._inception is not None:
            started_measuring = time.perf_counter()
            beside = self.measure_inception(fakes, self._inception)
            cost["inception_seconds"] = time.perf_counter() - started_measuring
        return Outcome(
            status=self.status,
            message="; ".join(filter(None, (self._watched.message, lost))),
            metrics=self.evaluations.metrics() | beside,
            history=History(evaluations=self.evaluations.made, training=self.curves),
            stability=self.stability(),
            cost=cost,
            started_at=self._started.isoformat(timespec="seconds"),
            finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    def time_alone(self) -> None:
        """Time blocks of further steps while nothing else runs. What is kept must have been measured before."""
        self._pace = BlockClock(self._device)
        first = self.completed_steps
        for block in range(ALONE_BLOCKS):
            self._pace.start()
            for step in range(first + block * BLOCK_STEPS, first + (block + 1) * BLOCK_STEPS):
                self.make(step)
            self._pace.stop(BLOCK_STEPS)
            self._monitors.flush(step)
        self._monitors.drain()

    def time_phases(self) -> None:
        """Time the players' updates apart. They change the networks, so this comes after everything is measured."""
        first = self.completed_steps
        for step in range(first, first + PHASE_STEPS):
            self._phases["discriminator"].start()
            # One after the other, so that lazy terms, which count the discriminator's own updates, are due in turn.
            self.step.discriminator_gradients(first * self.step.critic_steps + step - first)
            self.step.apply_discriminator()
            self._phases["discriminator"].stop(1)
            self._phases["generator"].start()
            self.step.generator_gradients(step)
            self.step.apply_generator()
            self._phases["generator"].stop(1)

    def _keep(self, block: Block | None) -> None:
        if block is None:
            return
        self.curves["step"].append(block.last_step)
        for name, mean in block.means().items():
            self.curves[name].append(mean)
        self._monitored.append(block.values)
        self.first_nonfinite_step = block.first_nonfinite_step

    def fakes(self) -> Tensor | None:
        """Return the images that Inception looks at: the last evaluation's, and as many more of the bank as it needs.

        None where there are none, since a number has ceased to be finite.
        """
        spec = self._trial.spec
        if self.evaluations.samples is None or self.status == "nonfinite":
            return None
        wanted = samples_of(self.workload, spec.samples)
        more = further_latents(self.workload, spec, wanted - spec.samples, self._device)
        pieces, finite = [self.evaluations.samples.cpu()], True
        for images in self.evaluations.generate(self.step.generator, more):
            finite = finite and bool(images.isfinite().all())
            pieces.append(to_uint8(images).cpu())
        return torch.cat(pieces)[:wanted] if finite else None

    def measure_inception(self, fakes: Tensor | None, weights: Weights) -> Scores:
        """Return FID, KID and the Inception score of the fakes; what there is to say where there are none."""
        if fakes is None:
            return unmeasurable()
        measured, total = 0, len(fakes)

        def report(images: int) -> None:
            nonlocal measured
            measured += images
            self._report(f"FID {measured:,}/{total:,}")

        return Inception(self.workload, self._arrays, weights, self._device).measure(fakes, report)

    def _report(self, doing: str = "") -> None:
        now = time.monotonic()
        done = self.completed_steps == self._trial.spec.steps and not doing
        if now - self._last_emitted < _PROGRESS_INTERVAL and not done:
            return
        self._last_emitted = now
        spec = self._trial.spec
        rate = self._clock.steps_per_second() or 0.0
        self._emit(
            Progress(
                trial_id=self._trial.id,
                step=self.completed_steps,
                steps=spec.steps,
                images_per_second=rate * spec.batch_size,
                distance=next(reversed(self.evaluations.distances), None),
                doing=doing,
            )
        )

    @property
    def status(self) -> Status:
        return status_of(self.evaluations.distances, self.first_nonfinite_step)

    def stability(self) -> dict[str, float | None]:
        """Return the scalar measures of how the run went."""
        found = self.evaluations
        return {
            "first_nonfinite_step": self.first_nonfinite_step,
            "completed_steps": self.completed_steps,
            **course(found.made, found.primary, found.floor),
            **step_measures(torch.cat([torch.empty(0, len(MONITORS)), *self._monitored])),
        }

    def cost(self) -> dict[str, float | None]:
        """Return what the run cost on this machine; only the count of images may cross machines.

        The rates are those of the trial alone. The seconds of training and of evaluations are with whatever ran at the
        side, and together may be more than the trial took. The peak of memory is the process's, and absent where it is
        shared; with evaluations beside training it is of both at once.
        """
        spec = self._trial.spec
        rate = self._pace.steps_per_second()
        return {
            "steps_per_second": rate,
            "images_per_second": None if rate is None else rate * spec.batch_size,
            "train_seconds": self._clock.train_seconds(),
            **{f"{player}_update_seconds": clock.mean_seconds() for player, clock in self._phases.items()},
            "evaluation_seconds": self.evaluations.seconds,
            "discriminator_images": 2 * spec.batch_size * self.step.critic_steps * self.completed_steps,
            **({"pack": self._pack} if self._pack > 1 else {}),
            **self._watched.cost(),
            "peak_memory_bytes": None if self._pack > 1 else _peak_memory(self._device),
        }


def _peak_memory(device: torch.device) -> int:
    """Return the device's peak allocation on CUDA, else the process's peak resident size, in bytes."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
