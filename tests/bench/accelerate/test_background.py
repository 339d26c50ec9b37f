"""What runs in the background: one call at a time, nothing lost, nothing of the process changed under a step's feet."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from held_background import SECONDS
from torch import Tensor, nn

from bench.accelerate.background import BackgroundRunner, can_overlap
from bench.training.stepper import InlineRunner

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("device", "precision", "expected"),
    [
        ("cuda", "fp32", True),
        ("cuda:1", "bf16", True),
        ("cuda", "tf32", False),
        ("cpu", "fp32", False),
        ("cpu", "bf16", False),
        ("cpu", "tf32", False),
    ],
)
def test_evaluations_overlap_on_cuda_unless_they_change_how_steps_multiply(device, precision, expected):
    assert can_overlap(torch.device(device), precision) is expected


def test_calls_are_made_one_after_the_other_in_their_order():
    order, gate = [], threading.Event()
    with BackgroundRunner(CPU) as runner:
        runner.submit(lambda: order.append("first"))
        held = runner.submit(lambda: gate.wait(SECONDS) and order.append("held"))
        following = runner.submit(lambda: order.append("following"))
        assert not held.done()
        assert not following.done()
        gate.set()
        runner.wait()
        assert held.done()
        assert following.done()
    assert order == ["first", "held", "following"]


def test_the_first_call_is_waited_for():
    """What it loads, it loads alone. The call ends only after the caller would have gone on."""
    gone_on = threading.Event()
    with BackgroundRunner(CPU) as runner:
        first = runner.submit(lambda: gone_on.wait(0.2))
        gone_on.set()
        assert first.result() is False


def test_an_error_stays_with_whoever_asked():
    def failing() -> None:
        raise ValueError("no samples")

    with BackgroundRunner(CPU) as runner:
        failed = runner.submit(failing)
        other = runner.submit(lambda: 3)
        runner.wait()
        assert other.result() == 3
        with pytest.raises(ValueError, match="no samples"):
            failed.result()


def test_an_interruption_waits_for_what_is_under_way_and_forgets_the_rest():
    waiting, started = [], threading.Event()

    def under_way() -> str:
        started.set()
        until = time.monotonic() + SECONDS
        while not (waiting and waiting[0].cancelled()):
            assert time.monotonic() < until, "what was not begun was not forgotten"
            time.sleep(0.001)
        return "ended"

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt), BackgroundRunner(CPU) as runner:  # noqa: PT012 - the interruption comes inside
        runner.submit(lambda: None)
        current = runner.submit(under_way)
        assert started.wait(SECONDS)
        waiting.append(runner.submit(lambda: None))
        raise KeyboardInterrupt
    assert current.result() == "ended"
    assert threading.active_count() == before


def test_an_evaluation_beside_a_step_in_bfloat16_leaves_its_gradients_alone():
    """Autocast casts a weight once and sums its gradients in bfloat16, unless a thread empties its cache between."""
    layer = nn.Linear(64, 64)
    nn.init.orthogonal_(layer.weight)
    images = torch.linspace(-1, 1, 64 * 64).reshape(64, 64).sin()

    def gradient(runner: BackgroundRunner | None) -> Tensor:
        layer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            real = layer(images)
            if runner:
                runner.submit(evaluation).result()
            fake = layer(-2 * images)
        (real.float().square().mean() + fake.float().square().mean()).backward()
        assert layer.weight.grad is not None
        return layer.weight.grad.clone()

    @torch.no_grad()
    def evaluation() -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return layer(images)

    expected = gradient(None)
    with BackgroundRunner(CPU) as runner:
        assert torch.equal(gradient(runner), expected)


@pytest.mark.parametrize("fails", [False, True])
def test_on_cuda_a_call_waits_for_what_was_queued_and_ends_when_the_device_does(monkeypatch, fails):
    """The order of things alone, by streams that only say what is asked of them."""
    happened = []

    class Stream:
        def __init__(self, device: torch.device) -> None:
            self.name = "training" if device is None else "background"

        def record_event(self) -> str:
            happened.append(f"{self.name} records")
            return "event"

        def wait_event(self, event: str) -> None:
            happened.append(f"{self.name} waits for {event}")

        def synchronize(self) -> None:
            happened.append(f"host waits for {self.name}")

    @contextmanager
    def current(stream: Stream) -> Iterator[None]:
        happened.append(f"on {stream.name}")
        yield
        happened.append(f"off {stream.name}")

    def call() -> None:
        happened.append("call")
        if fails:
            raise RuntimeError("out of memory")

    assert all(hasattr(torch.cuda.Stream, name) for name in ("record_event", "wait_event", "synchronize"))
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: Stream(None))
    monkeypatch.setattr(torch.cuda, "stream", current)
    with BackgroundRunner(torch.device("cuda")) as runner:
        future = runner.submit(call)
        assert (future.exception() is not None) is fails
    expected = [
        "training records",
        "on background",
        "background waits for event",
        "call",
        "host waits for background",
        "off background",
    ]
    assert happened == (expected[:-1] if fails else expected)


def test_settings_of_a_thread_are_its_own():
    """What the thread beside training relies on; a release of torch may change it."""
    with BackgroundRunner(CPU) as runner, torch.autocast("cpu", dtype=torch.float16), torch.no_grad():

        def settings() -> tuple[object, ...]:
            return torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu"), torch.is_grad_enabled()

        assert settings() == (True, torch.float16, False)
        assert runner.submit(settings).result() == (False, torch.bfloat16, True)
        with torch.autocast("cuda", dtype=torch.bfloat16, enabled=False):
            assert runner.submit(lambda: torch.get_autocast_dtype("cuda")).result() == torch.float16


def test_the_thread_computes_with_as_many_threads_as_training():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with BackgroundRunner(CPU) as runner:
            assert runner.submit(torch.get_num_threads).result() == 1
    finally:
        torch.set_num_threads(before)


def test_a_call_sees_what_it_was_given_as_it_was():
    """The generator that is evaluated goes on being trained meanwhile."""
    weights, gate = torch.ones(2), threading.Event()
    with BackgroundRunner(CPU) as runner:
        runner.submit(lambda: None)
        future = runner.submit(lambda given: gate.wait(SECONDS) and given.sum().item(), weights)
        weights.zero_()
        gate.set()
        assert future.result() == 2.0


def test_in_line_a_call_is_made_at_once_and_its_error_is_its_futures():
    def failing() -> None:
        raise ValueError("no samples")

    def interrupted() -> None:
        raise KeyboardInterrupt

    runner, weights = InlineRunner(), torch.ones(2)
    assert runner.submit(lambda given: given, weights).result() is weights, "nothing goes on meanwhile"
    failed = runner.submit(failing)
    assert failed.done()
    with pytest.raises(ValueError, match="no samples"):
        failed.result()
    with pytest.raises(KeyboardInterrupt):
        runner.submit(interrupted)
