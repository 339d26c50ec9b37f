"""Stage 5: how fast the core track trains, each way beside the reference loop or beside another way, in one process."""

import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import torch
import training_speed
from gpu_results import Found, parse
from gpu_setup import Check, Setup
from torch import Tensor
from training_speed import BATCH, Bench, Row

from bench.costs.blocks import Call, Effort, interleave
from bench.training.batches import Batch, Batches
from bench.training.memory import keep_freed_memory
from bench.training.step import TrainingStep

STEPS: Final = 8
"""Of a block, at least."""
TOGETHER: Final = (2, 4, 8, 16)
QUEUES: Final = "CUDA_DEVICE_MAX_CONNECTIONS"
"""How many hardware queues a process has, which is read once, when it first uses the GPU."""
QUEUE_COUNTS: Final = ("1", "8", "32")


def pace(setup: Setup) -> Iterator[Check]:
    keep_freed_memory()
    bench = _bench(setup)
    yield "the engine follows the reference loop", lambda: _checked(bench)
    for precision in setup.precisions:
        yield (
            f"plain, {precision}",
            lambda p=precision: _row(
                bench.against_reference(f"plain, {p}", bench.plain(bench.engine(p)), p, _steps(setup))
            ),
        )
        yield f"captured, {precision}", lambda p=precision: _row(_captured(setup, bench, p))
    for precision in reversed(setup.precisions):
        for count in TOGETHER[:1] if setup.small else TOGETHER:
            yield (
                _name(count, precision),
                lambda given=(precision, count): _row(bench.together(*given, _steps(setup)), trials=given[1]),
            )
    for precision in setup.precisions:
        yield f"layout, {precision}", lambda p=precision: layouts(setup, bench, p)
    for precision in setup.precisions if setup.cuda else ():
        yield f"memory a trial, {precision}", lambda p=precision: memory(setup, bench, p)
    yield "the host's part of a replayed step", lambda: _host(bench)


def _bench(setup: Setup) -> Bench:
    effort = Effort(block_seconds=0.05, seconds=2.0, least=2, most=10)
    return Bench(setup.device, 4, Effort(0.001, 0.01, 1, 1)) if setup.small else Bench(setup.device, 64, effort)


def _steps(setup: Setup) -> int:
    return 1 if setup.small else STEPS


def _name(count: int, precision: str) -> str:
    return f"{count} trials in a process, {precision}"


def _checked(bench: Bench) -> Found:
    try:
        bench.check()
    except SystemExit as difference:  # which the script that times on its own ends with
        return Found("failed", str(difference))
    return Found("ok", "to 0.001 over three steps")


def _captured(setup: Setup, bench: Bench, precision: str) -> Row:
    # The script's own name for what records, which on the CPU is a tape.
    recorder = setup.recorder()
    before, training_speed.recorder_for = training_speed.recorder_for, lambda _: recorder
    try:
        run = bench.captured(bench.engine(precision))
    finally:
        training_speed.recorder_for = before
    return bench.against_reference(f"captured, {precision}", run, precision, _steps(setup))


def _row(row: Row, trials: int = 1) -> Found:
    """Return a line of the table; its seconds are those of a step of one trial."""
    milliseconds = 1000 * statistics.median(row.seconds)
    ratios = statistics.quantiles(row.ratios, n=4) if len(row.ratios) > 1 else 3 * row.ratios
    low, middle, high = ratios
    rate = BATCH / statistics.median(row.seconds)
    said = f"{milliseconds:.3g} ms a step, {rate:,.0f} images/s in all, {middle:.2f} x {row.against}"
    values = {"seconds": row.seconds, "reference": row.reference, "images_per_second": rate, "trials": trials}
    return Found("note", f"{said} ({low:.2f} to {high:.2f})", values)


class _InPlanes:
    """The same batches, one channel after the other in memory."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches

    def at(self, phase: str, step: int) -> Batch:
        return _Planes(self._batches.at(phase, step))


class _Planes(Batch):
    def __init__(self, batch: Batch) -> None:
        super().__init__(lambda: batch.real, lambda: batch.latents)
        self._batch = batch

    @property
    def real(self) -> Tensor:
        return self._batch.real.contiguous()


def in_planes(step: TrainingStep) -> TrainingStep:
    """Let a step that has not been made compute with one channel after the other, instead of channels last."""
    for network in (step.generator, step.discriminator):
        network.to(memory_format=torch.contiguous_format)
    step._batches = _InPlanes(step._batches)  # type: ignore[assignment]
    return step


def layouts(setup: Setup, bench: Bench, precision: str) -> Found:
    """Time NCHW beside NHWC, which is what the engine has: GroupNorm has a kernel for the first alone."""
    make = bench.captured if setup.cuda else bench.plain
    planes, last = make(in_planes(bench.engine(precision))), make(bench.engine(precision))
    blocks = interleave(Call(planes, _steps(setup)), Call(last, _steps(setup)), bench._effort, cuda=setup.cuda)
    return _row(Row(f"NCHW, {precision}", "NHWC", blocks.subject, blocks.reference))


def memory(setup: Setup, bench: Bench, precision: str) -> Found:
    """Say how much a captured trial takes: of the first, and of each further one of eight."""
    made: list[Callable[[int], object]] = []
    reserved = [_reserved(setup)]
    for count in (1, 8):
        while len(made) < count:
            made.append(bench.captured(bench.engine(precision)))
            for index in range(60):
                made[-1](index)
        reserved.append(_reserved(setup))
    first, others = reserved[1] - reserved[0], (reserved[2] - reserved[1]) / 7
    values = {"first_bytes": first, "further_bytes": others}
    return Found("note", f"{first / 2**20:.0f} MiB the first, {others / 2**20:.0f} MiB each further one", values)


def _reserved(setup: Setup) -> int:
    torch.cuda.synchronize(setup.device)
    torch.cuda.empty_cache()
    return torch.cuda.memory_reserved(setup.device)


def _host(bench: Bench) -> Found:
    seconds = bench.host("fp32")
    return Found("note", f"{1000 * seconds:.3g} ms", {"seconds": seconds})


def queues(setup: Setup) -> Iterator[Check]:
    """Time eight trials in a process with other numbers of hardware queues, each in a process of its own."""
    precision = setup.precisions[-1]
    for count in QUEUE_COUNTS[:1] if setup.small else QUEUE_COUNTS:
        yield f"{QUEUES}={count}", lambda given=count: with_queues(setup, given, precision)


def with_queues(setup: Setup, count: str, precision: str) -> Found:
    trials = TOGETHER[0] if setup.small else 8
    script = str(Path(__file__).parent / "gpu_stages.py")
    given = ["--device", setup.device_name, "--output", str(setup.output), *(["--small"] if setup.small else [])]
    done = subprocess.run(
        [sys.executable, script, "pace", *given, "--only", _name(trials, precision)],
        env={**os.environ, QUEUES: count}, stdout=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    for line in done.stdout.splitlines():
        result = parse(line)
        if result is not None:
            return Found(result.state, f"{result.what}: {result.said}", result.values)
    return Found("failed", f"its process ended with {done.returncode} and told nothing")
