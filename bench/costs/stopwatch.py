"""The time of each range of a call, without the ranges inside it."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from bench.training.clock import Instant, elapsed, now


@dataclass
class _Span:
    name: str
    begin: Instant
    end: Instant | None = None
    inside: "list[_Span]" = field(default_factory=list)


class Stopwatch:
    """Times the ranges of `losses.profiling.watching`. On CUDA it uses events and does not wait for the device."""

    def __init__(self, *, cuda: bool) -> None:
        self._cuda = cuda
        self._finished: list[_Span] = []
        self._open: list[_Span] = []

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        span = _Span(name, now(cuda=self._cuda))
        self._open.append(span)
        try:
            yield
        finally:
            self._open.pop()
            span.end = now(cuda=self._cuda)
            (self._open[-1].inside if self._open else self._finished).append(span)

    def take(self) -> dict[str, float]:
        """Return the seconds of each name since the last call, in the order of their ends. Waits for the device."""
        seconds: defaultdict[str, float] = defaultdict(float)
        for span in self._finished:
            _add(span, seconds)
        self._finished.clear()
        return dict(seconds)


def _add(span: _Span, seconds: defaultdict[str, float]) -> float:
    assert span.end is not None
    whole = elapsed(span.begin, span.end)
    seconds[span.name] += whole - sum(_add(inner, seconds) for inner in span.inside)
    return whole
