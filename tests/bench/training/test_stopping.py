"""SIGTERM: at once where nothing would be lost, and else when whoever trains has kept what there is."""

import os
import signal
import threading

import pytest

from bench.training.stopping import Stopped, StopRequest


def test_outside_training_it_ends_where_it_comes() -> None:
    stop = StopRequest()
    with stop.listening(), pytest.raises(Stopped) as stopped:
        os.kill(os.getpid(), signal.SIGTERM)
    assert stopped.value.code == 128 + signal.SIGTERM
    assert stop.requested


def test_while_it_is_deferred_it_is_only_noted_and_then_ends_what_may_be_ended() -> None:
    stop = StopRequest()
    with stop.listening(), stop.deferred():
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.requested
        with pytest.raises(Stopped), stop.at_once():
            pytest.fail("there is nothing to be begun any more")


def test_inside_what_may_be_ended_it_ends_where_it_comes() -> None:
    stop = StopRequest()
    with stop.listening(), stop.deferred():
        with pytest.raises(Stopped), stop.at_once():
            os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)  # asked again


def test_what_listens_already_is_left_alone() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    try:
        stop = StopRequest()
        with stop.listening():
            os.kill(os.getpid(), signal.SIGTERM)
        assert heard == [signal.SIGTERM]
        assert not stop.requested
    finally:
        signal.signal(signal.SIGTERM, before)


def test_another_thread_listens_to_nothing() -> None:
    found: list[object] = []

    def listen() -> None:
        with StopRequest().listening():
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert found == [signal.SIG_DFL]


def test_afterwards_the_signal_is_the_systems_again() -> None:
    with StopRequest().listening():
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
