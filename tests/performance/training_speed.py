"""How fast training is, beside the reference loop: blocks in the order A B B A in one process, on one machine.

    python tests/performance/training_speed.py --device cpu --output speed.json
    python tests/performance/training_speed.py --device cuda --output speed.json
    python -m bench compare old.json speed.json

Everything is checked before it is timed: the engine follows the reference loop, and on CUDA a captured step makes the
weights of a plain one, bit for bit. The table comes last. The file is one of pytest-benchmark's, with every block.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

import plain_loop
from pytest_benchmark.plugin import pytest_benchmark_generate_machine_info
from pytest_benchmark.stats import Stats
from sides import BATCH, LATENT, Bare, Idle, Reference
from small_trials import make_trial

from bench import campaign
from bench.accelerate.capture import WARM_UP, CapturedStepper, recorder_for
from bench.config.trial import Network, Precision, Trial
from bench.costs.blocks import Call, Effort, interleave
from bench.costs.machine import measure_rates
from bench.costs.traffic import count
from bench.execution.local import LocalExecutor
from bench.execution.training import current_for
from bench.store.journal import Store
from bench.training.blocks import BLOCK_STEPS
from bench.training.build import build_step
from bench.training.memory import keep_freed_memory
from bench.training.monitors import UPDATE_RATIO_EVERY, Monitors
from bench.training.precision import configure
from bench.training.run_options import RunOptions
from bench.training.step import TrainingStep
from bench.training.stepper import EagerStepper

IMAGES = 5000
Lane = tuple[Callable[[], AbstractContextManager[object]], Callable[[int], object]]
"""What makes a trial's stream the current one, and what makes a step of the trial."""

CHECKED_STEPS = 3
HOST_BLOCKS = 40


@dataclass(frozen=True)
class Row:
    """One line of the table: a block's seconds a step of one trial, of the subject and of what it is held against."""

    name: str
    against: str
    seconds: list[float]
    reference: list[float]

    @property
    def ratios(self) -> list[float]:
        return [plain / ours for ours, plain in zip(self.seconds, self.reference, strict=True)]


def trial(width: int, precision: Precision = "fp32") -> Trial:
    network = Network(
        name="dcgan-v2", width=width, channels=3, image_size=32, latent_size=LATENT, d_norm="ln"
    )  # fmt: skip
    return make_trial("nsgan", network=network, batch_size=BATCH, precision=precision)


def flushing(monitors: Monitors, run: Callable[[int], object]) -> Callable[[int], object]:
    """Flush the monitors once a block of steps, as the trainer does."""

    def step(index: int) -> None:
        run(index)
        if index % BLOCK_STEPS == BLOCK_STEPS - 1:
            monitors.flush(index)

    return step


class Bench:
    """Makes the sides on one device and times them."""

    def __init__(self, device: torch.device, width: int, effort: Effort) -> None:
        self._device, self._width, self._effort = device, width, effort
        pixels = torch.Generator().manual_seed(0)
        self._images = torch.randint(0, 256, (IMAGES, 3, 32, 32), dtype=torch.uint8, generator=pixels).to(device)
        self._cuda = device.type == "cuda"

    def engine(self, precision: Precision) -> TrainingStep:
        configure(precision)
        return build_step(trial(self._width, precision), self._images, self._device)

    def plain(self, step: TrainingStep) -> Callable[[int], object]:
        monitors = Monitors(BLOCK_STEPS, self._device)
        return flushing(monitors, EagerStepper(step, monitors).run)

    def captured(self, step: TrainingStep) -> Callable[[int], object]:
        monitors = Monitors(BLOCK_STEPS, self._device)
        return flushing(monitors, CapturedStepper(step, monitors, recorder_for(self._device)).run)

    def check(self) -> None:
        """Hold the engine to the reference loop, and captured steps to plain ones."""
        step = self.engine("fp32")
        reference = Reference(step, self._images, self._device)
        stream = self.engine("fp32")._batches
        numbers = [
            (
                stream.at("discriminator", index).real.contiguous(),
                stream.at("discriminator", index).latents,
                stream.at("generator", index).latents,
            )
            for index in range(CHECKED_STEPS)
        ]
        plain = plain_loop.train("nsgan", reference.generator, reference.discriminator, numbers)
        for index, expected in enumerate(plain):
            found = [row.loss.item() for row in step.run(index)]
            if any(abs(ours - theirs) > 1e-3 for ours, theirs in zip(found, expected, strict=True)):
                raise SystemExit(f"step {index}: the engine has {found}, the reference loop {expected}")
        if self._cuda:
            self._check_capture()

    def _check_capture(self) -> None:
        sides = [self.engine("tf32"), self.engine("tf32")]
        runs = [self.plain(sides[0]), self.captured(sides[1])]
        for index in range(60):
            for run in runs:
                run(index)
        states = [{**side.generator.state_dict(), **side.discriminator.state_dict()} for side in sides]
        for name, value in states[0].items():
            if not torch.equal(value, states[1][name]):
                raise SystemExit(f"captured and plain steps differ in {name} after 60 steps")

    def against_reference(self, name: str, run: Callable[[int], object], precision: Precision, steps: int) -> Row:
        configure("fp32")
        reference = Reference(self.engine("fp32"), self._images, self._device)

        def plain(index: int) -> None:
            configure("fp32")
            if index % steps == 0:
                reference.run(steps)  # a block's steps in one pass of the loader, as an epoch would be

        def ours(index: int) -> None:
            configure(precision)
            run(index)

        blocks = interleave(Call(ours, steps), Call(plain, steps), self._effort, cuda=self._cuda)
        return Row(name, "reference loop", blocks.subject, blocks.reference)

    def against_bare(self, precision: Precision, steps: int, *, library: bool = False, captured: bool = False) -> Row:
        """Time the engine's step beside the bare one, both plain or both replayed."""
        engine = self.engine(precision)
        bare = Bare(self.engine(precision), self._images, precision, self._device, library=library)
        ours, plain = (self.captured(engine), self._replayed(bare)) if captured else (self.plain(engine), bare.run)
        blocks = interleave(Call(ours, steps), Call(plain, steps), self._effort, cuda=self._cuda)
        name = f"captured, {precision}" if captured else f"engine, {precision}"
        against = "bare step with the library's losses" if library else "bare step"
        return Row(name, f"{against}, captured" if captured else against, blocks.subject, blocks.reference)

    def _replayed(self, bare: Bare) -> Callable[[int], object]:
        recorder = recorder_for(self._device)
        bare.make_capturable()
        for _ in range(WARM_UP):
            recorder.run(lambda: bare.run(0))
        replay = recorder.record(lambda: bare.run(0), ())
        return lambda _: replay()

    def together(self, precision: Precision, size: int, steps: int) -> Row:
        """Time the steps of so many trials made in turn, as those of a process are; captured on CUDA."""
        prepare = self.captured if self._cuda else self.plain
        lanes: list[Lane] = []
        for _ in range(size):
            current = current_for(self._device, size)
            with current():  # what records is made where its trial's work is queued, as in a process of trials
                lanes.append((current, prepare(self.engine(precision))))

        def all_of_them(index: int) -> None:
            if index % steps == 0:
                self._fork(lanes)
            for current, run in lanes:
                with current():
                    run(index)
            if index % steps == steps - 1:
                self._join(lanes)

        return self._of_one(f"{size} in a process, {precision}", size, all_of_them, precision, steps)

    def _of_one(self, name: str, size: int, run: Callable[[int], object], precision: Precision, steps: int) -> Row:
        row = self.against_reference(name, run, precision, steps)
        return replace(row, seconds=[seconds / size for seconds in row.seconds])

    def _fork(self, lanes: Sequence[Lane]) -> None:
        """Let the lanes' streams begin when what is timed begins."""
        if self._cuda:
            begun = torch.cuda.current_stream(self._device).record_event()
            for current, _ in lanes:
                with current():
                    torch.cuda.current_stream(self._device).wait_event(begun)

    def _join(self, lanes: Sequence[Lane]) -> None:
        """Let what is timed end when the lanes' streams have ended: the clock is read on another."""
        if self._cuda:
            trunk = torch.cuda.current_stream(self._device)
            for current, _ in lanes:
                with current():
                    ended = torch.cuda.current_stream(self._device).record_event()
                trunk.wait_event(ended)

    def host(self, precision: Precision) -> float:
        """Return the host's seconds of a replayed step but for the replay itself: no device makes steps faster."""
        monitors = Monitors(BLOCK_STEPS, self._device)
        captured = CapturedStepper(self.engine(precision), monitors, Idle())
        run = flushing(monitors, captured.run)
        warm_up = 4 * UPDATE_RATIO_EVERY  # in which every kind of update has run often enough to be recorded
        for index in range(warm_up):
            run(index)
        started = time.perf_counter()
        for _ in range(HOST_BLOCKS):
            # Always the same steps, so that no batches are drawn: that is work of the device.
            for index in range(BLOCK_STEPS):
                captured.run(index % UPDATE_RATIO_EVERY)
            monitors.flush(warm_up)
        return (time.perf_counter() - started) / (HOST_BLOCKS * BLOCK_STEPS)

    def floor(self, precision: Precision) -> float:
        """Return the least seconds of a step: its operations at the rate of a large matrix product."""
        bare = Bare(self.engine(precision), self._images, precision, self._device)
        return count(lambda: bare.run(0))[0] / measure_rates(self._device, precision).flops_per_second


def campaigns(width: int, steps: int, pairs: int) -> Row:
    """Time whole campaigns of four trials: two workers with a thread each against one with two."""
    trials = [
        make_trial("nsgan", width=width, batch_size=BATCH, seed=seed, steps=steps, evaluate_every=steps, samples=500)
        for seed in range(4)
    ]
    seconds: dict[int, list[float]] = {1: [], 2: []}
    for workers in (1, 2, 2, 1) * pairs:
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            options = RunOptions(threads=2 // workers)
            for _ in campaign.run(trials, LocalExecutor(workers), Store(Path(folder)), options):
                pass
            seconds[workers].append((time.perf_counter() - started) / (4 * steps))
    return Row("two workers, a thread each", "one worker, two threads", seconds[2], seconds[1])


def measure(
    device: torch.device, width: int, effort: Effort, steps: int, sizes: Sequence[int]
) -> tuple[list[Row], dict[str, float]]:
    """Return the lines of the table, and the seconds that stand below it by what they are of."""
    keep_freed_memory()
    bench = Bench(device, width, effort)
    bench.check()
    precisions: tuple[Precision, ...] = ("fp32", "bf16") if device.type == "cpu" else ("fp32", "tf32", "bf16")
    rows = [
        bench.against_reference(f"engine, {each}", bench.plain(bench.engine(each)), each, steps) for each in precisions
    ]
    if device.type == "cuda":
        rows += [
            bench.against_reference(f"captured, {each}", bench.captured(bench.engine(each)), each, steps)
            for each in precisions
        ]
    rows += [bench.together("fp32" if device.type == "cpu" else "tf32", size, steps) for size in sizes]
    rows += [bench.against_bare(each, steps, library=library) for each in precisions for library in (False, True)]
    if device.type == "cuda":
        rows += [bench.against_bare(each, steps, captured=True) for each in precisions]
    below = {f"floor of a step in {each}": bench.floor(each) for each in precisions}
    return rows, below | {"host's part of a replayed step": bench.host(precisions[0])}


def write(path: Path, rows: list[Row]) -> None:
    """Write every block as pytest-benchmark does, so that `bench compare` and `pytest-benchmark compare` read it."""
    benchmarks = []
    for row in rows:
        sides = ((row.name, row.against, row.seconds), (row.against, row.name, row.reference))
        for this, other, seconds in sides:
            name = f"{this} (beside {other})"
            stats = Stats()
            for each in seconds:
                stats.update(each)
            summary = {field: getattr(stats, field) for field in stats.fields} | {"data": stats.data, "iterations": 1}
            benchmarks.append({"group": None, "name": name, "fullname": f"training_speed::{name}", "params": None,
                               "param": None, "extra_info": {}, "options": {}, "stats": summary})  # fmt: skip
    found = {
        "machine_info": pytest_benchmark_generate_machine_info(),
        "commit_info": {},
        "benchmarks": benchmarks,
        "datetime": datetime.now(UTC).isoformat(),
        "version": "training_speed",
    }
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def table(rows: list[Row], below: dict[str, float]) -> str:
    lines = ["| what | beside | ms a step | images/s | x (quartiles) |", "|---|---|---|---|---|"]
    for row in rows:
        low, middle, high = statistics.quantiles(row.ratios, n=4) if len(row.ratios) > 1 else 3 * row.ratios
        seconds = statistics.median(row.seconds)
        lines.append(
            f"| {row.name} | {row.against} | {1000 * seconds:.1f} | {BATCH / seconds:.0f} | "
            f"{middle:.2f} ({low:.2f} to {high:.2f}) |"
        )
    lines += [f"{name}: {1000 * seconds:.3g} ms" for name, seconds in below.items()]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--output", type=Path, required=True, help="the file that takes every block")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=30.0, help="of each line of the table")
    parser.add_argument("--steps", type=int, default=8, help="of a block, at least")
    parser.add_argument("--campaign-steps", type=int, default=0, help="of a trial; 0 leaves campaigns out")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="of torch on the CPU; all by default")
    parser.add_argument(
        "--together", help="trials in a process, such as 1,2,4; on CUDA 1 to 32 by default, on the CPU none"
    )
    chosen = parser.parse_args(arguments)
    device = torch.device(chosen.device)
    if device.type == "cpu":
        torch.set_num_threads(chosen.threads)
    effort = Effort(block_seconds=0.05, seconds=chosen.seconds, least=2, most=20)
    sizes = chosen.together if chosen.together is not None else "1,2,4,8,16,32" if device.type == "cuda" else ""
    counts = [int(size) for size in sizes.split(",") if size]
    rows, below = measure(device, chosen.width, effort, chosen.steps, counts)
    if chosen.campaign_steps:
        rows.append(campaigns(chosen.width, chosen.campaign_steps, 2))
    write(chosen.output, rows)
    sys.stdout.write(table(rows, below) + "\n")


if __name__ == "__main__":
    main()
