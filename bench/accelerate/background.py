"""Evaluation in the background: one thread, and on CUDA one stream, so that steps need not wait for evaluations.

A process has one of it, whatever it trains, so that one evaluation at a time takes memory and the device. On the CPU
there is none: training keeps the cores busy, and whatever ran meanwhile would take them away.

What runs here changes no number of the training, nor training one of what runs here. torch keeps most of its state
thread by thread: whether gradients are recorded, autocast, the current stream, the handles of CUDA's libraries. What
belongs to the whole process is seen to: the precision of matrix products by `can_overlap`, autocast's cache of weights
and the loading of libraries by `BackgroundRunner`, the recording of graphs by `bench.accelerate.capture`.
"""

import copy
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Self

import torch

from bench.config.trial import Precision
from bench.training.stepper import Given, Made


def can_overlap(device: torch.device, precision: Precision) -> bool:
    """Say whether evaluations of a trial may run while it trains.

    They do on CUDA, but for tf32: measuring switches it off (`bench.metrics.evaluate.full_precision`), which is a
    setting of the process, and steps that are launched meanwhile would lose it. In fp32 and bf16 the settings are those
    of measuring already.
    """
    return device.type == "cuda" and precision != "tf32"


class BackgroundRunner:
    """Makes one call at a time, in the order in which they were submitted, while the caller goes on.

    Leaving it as a context forgets calls that have not started and waits for the one under way.

    Autocast keeps the weights it has cast in one cache of the process, and a thread that leaves its outermost autocast
    empties it. Emptied in the middle of a step, weights would be cast twice, and their gradients summed in float32
    instead of bfloat16. So this thread always stays inside an autocast, one that is off and caches nothing.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        # Of the lowest priority: what trains meanwhile has a higher one (`bench.accelerate.streams`).
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="background", initializer=self._prepare)
        self._first = True
        self._under_way: list[Future[object]] = []

    def submit(self, call: Callable[[*Given], Made], *given: *Given) -> "Future[Made]":
        """Submit a call with a copy of what is given, which sees everything that is queued so far on the device.

        When the future is done the device is, too. The first call of all is waited for: torch loads its linear algebra
        for CUDA at its first use, and fails where two threads use it first (PyTorch issue 90613).
        """
        copied = copy.deepcopy(given)
        queued = None if self._stream is None else torch.cuda.current_stream(self._device).record_event()
        future = self._thread.submit(self._make, lambda: call(*copied), queued)
        self._under_way = [earlier for earlier in self._under_way if not earlier.done()]
        self._under_way.append(future)  # type: ignore[arg-type]
        if self._first:
            self._first = False
            self.wait()
        return future

    def wait(self) -> None:
        """Wait until nothing is under way. What a call raised stays with its future."""
        wait(self._under_way)
        self._under_way.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown(cancel_futures=True)

    def _prepare(self) -> None:
        torch.autocast(self._device.type, enabled=False, cache_enabled=False).__enter__()

    def _make(self, call: Callable[[], Made], queued: torch.cuda.Event | None) -> Made:
        if self._stream is None or queued is None:
            return call()
        with torch.cuda.stream(self._stream):
            self._stream.wait_event(queued)
            try:
                return call()
            finally:
                # Memory that is given back from here on belongs to other streams, which do not wait for this one.
                self._stream.synchronize()
