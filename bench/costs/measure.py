"""From methods and settings to records: each path is timed against the reference, profiled and stored at once."""

import math
import statistics
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec
import torch
from msgspec import Struct

import losses
from bench.common.errors import first_line
from bench.common.threads import torch_threads
from bench.config.protocol import REFERENCE_METHOD
from bench.config.trial import Precision
from bench.costs import machine as machines
from bench.costs import modes
from bench.costs.blocks import DEFAULT_EFFORT, Call, Effort, interleave
from bench.costs.paths import REFERENCE_PATHS, Paths
from bench.costs.profiling import profile
from bench.costs.stopwatch import Stopwatch
from bench.events import OnProgress
from bench.methods import label, part_components
from bench.store.environment import commit
from bench.store.kernels import KERNEL_SCHEMA, KernelRecord, KernelSetting, KernelStore, Machine, Timing, kernel_id
from bench.training.memory import keep_freed_memory
from bench.training.precision import check_precision, choose_device, configure
from bench.training.version import ENGINE_VERSION
from losses import Method
from losses.profiling import watching

_IN_STAGES: Final = ("penalty", "terms", "d_step", "g_step")


class Measured(Struct, frozen=True, tag="measured"):
    """A method has been measured and stored."""

    record: KernelRecord


class Known(Struct, frozen=True, tag="known"):
    """A method has a record from this machine in this setting already."""

    label: str
    setting: KernelSetting
    id: str


class Refused(Struct, frozen=True, tag="refused"):
    """A method cannot be measured in a setting."""

    label: str
    setting: KernelSetting
    reason: str


Event = Measured | Known | Refused


def measure(
    methods: Sequence[Method],
    settings: Sequence[KernelSetting],
    store: KernelStore,
    *,
    device: str,
    threads: int | None = None,
    effort: Effort = DEFAULT_EFFORT,
    on_progress: OnProgress | None = None,
) -> Iterator[Event]:
    """Measure every method in every setting that the store has no record of, and store each record at once.

    Args:
        methods: in the order in which they are measured.
        settings: one table each. The precision is set for the whole process while it is measured.
        store: where records are read and written.
        device: "cpu", "cuda" or "cuda:N".
        threads: intra-op threads of the CPU, part of the machine's fingerprint; by default torch's own number, which
            is $OMP_NUM_THREADS or that of the cores.
        effort: how long each path is measured.
        on_progress: called with the label of a method and how many of its paths are done.
    """
    where = torch.device(device)
    choose_device(where)
    threads = threads or torch.get_num_threads()
    keep_freed_memory()  # as the trainer does
    with torch_threads(threads):
        known: dict[Precision, Machine] = {}
        for setting in settings:
            try:
                check_precision(where, setting.precision)
            except ValueError as error:
                yield from (Refused(label(method), setting, str(error)) for method in methods)
                continue
            configure(setting.precision)
            if setting.precision not in known:
                known[setting.precision] = machines.describe(where, threads, setting.precision)
            yield from _measure_setting(methods, setting, store, known[setting.precision], where, effort, on_progress)


def _measure_setting(
    methods: Sequence[Method],
    setting: KernelSetting,
    store: KernelStore,
    machine: Machine,
    device: torch.device,
    effort: Effort,
    on_progress: OnProgress | None,
) -> Iterator[Event]:
    reference: dict[str, Call] | None = None
    for method in methods:
        components = {"engine": ENGINE_VERSION, "losses": losses.VERSION, **part_components(method)}
        identity = kernel_id(str(method), setting, components, machine.fingerprint)
        if store.holds(identity):
            _tell_all_done(on_progress, method)
            yield Known(label(method), setting, identity)
            continue
        try:
            reference = reference or _reference(setting, device)
            timings, notes = _measured(method, setting, reference, device, effort, on_progress)
        except _ImpossibleError as error:
            _tell_all_done(on_progress, method)
            yield Refused(label(method), setting, str(error))
            continue
        except Exception as error:
            if not modes.lacks_something(error):
                raise
            _tell_all_done(on_progress, method)
            yield Refused(label(method), setting, first_line(error))
            continue
        record = KernelRecord(
            schema_version=KERNEL_SCHEMA,
            id=identity,
            method=str(method),
            label=label(method),
            critic_steps=method.critic_steps,
            setting=setting,
            components=components,
            machine=machine,
            timings=timings,
            notes=notes,
            commit=commit(),
            measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        store.append(record)
        yield Measured(record)


class _ImpossibleError(Exception):
    """A method cannot be measured in a setting."""


def _measured(
    method: Method,
    setting: KernelSetting,
    reference: dict[str, Call],
    device: torch.device,
    effort: Effort,
    on_progress: OnProgress | None,
) -> tuple[list[Timing], list[str]]:
    """Return the timings of a method, and notes on why others are missing."""
    try:
        paths = Paths(method, setting, device)
    except ValueError as error:
        raise _ImpossibleError(str(error)) from error
    calls, notes = modes.calls(paths, setting.mode)
    if not calls:  # a record of nothing would keep it from ever being measured
        raise _ImpossibleError(notes[0])
    return _timings(label(method), calls, reference, device, effort, on_progress), notes


def _reference(setting: KernelSetting, device: torch.device) -> dict[str, Call]:
    """Return the reference's calls in this mode, and eager calls for paths that the mode cannot run."""
    method = losses.get(REFERENCE_METHOD)
    eager = Paths(method, msgspec.structs.replace(setting, mode="eager"), device).calls()
    return eager if setting.mode == "eager" else eager | modes.calls(Paths(method, setting, device), setting.mode)[0]


def _tell_all_done(on_progress: OnProgress | None, method: Method) -> None:
    if on_progress is not None:
        on_progress(label(method), 1, 1)


def _timings(
    name: str,
    calls: dict[str, Call],
    reference: dict[str, Call],
    device: torch.device,
    effort: Effort,
    on_progress: OnProgress | None,
) -> list[Timing]:
    timings = []
    for done, (path, call) in enumerate(calls.items()):
        if on_progress is not None:
            on_progress(name, done, len(calls))
        timings.append(_timing(path, call, reference, device, effort))
    if on_progress is not None:
        on_progress(name, len(calls), len(calls))
    return timings


def _timing(path: str, call: Call, reference: dict[str, Call], device: torch.device, effort: Effort) -> Timing:
    reference_path = REFERENCE_PATHS[path]
    blocks = interleave(call, reference[reference_path], effort, cuda=device.type == "cuda")
    call.reset()
    return Timing(
        path=path,
        reference=reference_path,
        calls=blocks.calls,
        reference_calls=blocks.reference_calls,
        blocks=blocks.subject,
        reference_blocks=blocks.reference,
        stages=_stages(call, device, effort) if path in _IN_STAGES else {},
        # The first call of an interval is the one on which every lazy term is due.
        profile=profile(
            lambda: call.run(0),
            device,
            statistics.median(blocks.subject),
            counted=lambda: (call.counted or call.run)(0),
        ),
    )


def _stages(call: Call, device: torch.device, effort: Effort) -> dict[str, float]:
    """Return the median seconds of each range of a call; "rest" is the time outside all ranges.

    The time of a lazy term is spread over its interval: it is the mean of a median for each call of the interval.
    """
    watch = Stopwatch(cuda=device.type == "cuda")
    taken: defaultdict[str, list[list[float]]] = defaultdict(lambda: [[] for _ in range(call.interval)])
    call.reset()
    for index in range(math.ceil(effort.staged_calls / call.interval) * call.interval):
        with watching(watch), watch("rest"):
            call.run(index)
        for name, seconds in watch.take().items():
            taken[name][index % call.interval].append(seconds)
    return {
        name: statistics.fmean(statistics.median(runs) if runs else 0.0 for runs in places)
        for name, places in taken.items()
    }
