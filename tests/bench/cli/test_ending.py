"""What ends `run` from outside: Ctrl-C, and the signals that ask a process to end."""

import os
import signal

import click
import pytest

from bench.execution.inline import InlineExecutor
from bench.store.journal import Store
from bench.training.stopping import Stopped

PLAN = ("--method", "nsgan", "--method", "hinge", "--workload", "digits", "--seeds", "1", "--device", "cpu")
WAITED = "the trials are waited for"


class Waiting(InlineExecutor):
    """Says when it waits for its trials, and may be disturbed then."""

    notes = ()
    device = "cpu"

    def __init__(self, *_, **__):
        super().__init__()
        self.disturb = lambda: None

    def close(self):
        self.disturb()
        self.disturb = lambda: None
        click.echo(WAITED, err=True)
        super().close()


@pytest.fixture
def executor(monkeypatch):
    """Stands for every kind of executor."""
    made = Waiting()
    for name in ("inline.Inline", "local.Local", "ray.Ray"):
        monkeypatch.setattr(f"bench.execution.{name}Executor", lambda *_, **__: made)
    return made


def send(number):
    assert signal.getsignal(number) is not signal.SIG_DFL, "it would kill this process"
    os.kill(os.getpid(), number)


@pytest.fixture
def ask(pretend):
    """Have the process be asked to end, by the number of a signal, when the second trial is trained."""
    yield lambda number: pretend.behave.update(hinge=lambda: send(number))
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("local", "trials in progress keep their state, for up to 20 s; Ctrl-C again ends them at once"),
        ("inline", "trials in progress go on from their last checkpoints the next time"),
        ("ray", "trials in progress go on from their last checkpoints the next time; the cluster is told"),
    ],
)
@pytest.mark.usefixtures("executor")
def test_ctrl_c_is_told_before_the_trials_are_waited_for(bench, pretend, tmp_path, kind, words):
    def interrupt():
        raise KeyboardInterrupt

    pretend.behave["hinge"] = interrupt
    stopped = bench("run", *PLAN, "--executor", kind, "--results", tmp_path)
    assert stopped.exit_code == 130
    lines = stopped.stderr.splitlines()
    told = next(index for index, line in enumerate(lines) if line.startswith(f"stopping: {words}"))
    assert lines[told + 1] == WAITED
    assert sum(line.startswith("stopping") for line in lines) == 1
    assert ("Ctrl-C" in lines[told]) == (kind != "inline"), "it ends nothing sooner there"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
@pytest.mark.usefixtures("executor")
def test_a_signal_that_asks_it_to_end_does_what_ctrl_c_does(bench, ask, tmp_path, number, code):
    ask(number)
    stopped = bench("run", *PLAN, "--results", tmp_path)
    assert stopped.exit_code == code
    lines = [line for line in stopped.stderr.splitlines() if line.startswith(("stop", WAITED))]
    assert [line.partition(":")[0].partition(";")[0] for line in lines] == ["stopping", WAITED, "stopped", WAITED]
    assert "the same command goes on where this one stopped" in lines[2]
    assert len(Store(tmp_path).records()) == 1


def test_a_signal_that_comes_again_costs_no_checkpoint(bench, ask, tmp_path, executor):
    executor.disturb = lambda: [send(number) for number in (signal.SIGTERM, signal.SIGHUP)]
    ask(signal.SIGTERM)
    stopped = bench("run", *PLAN, "--results", tmp_path)
    assert stopped.exit_code == 143
    assert WAITED in stopped.stderr[: stopped.stderr.index("stopped;")]


def test_a_signal_before_the_first_trial_stops_it_too(bench, pretend, tmp_path, monkeypatch):
    monkeypatch.setattr(Store, "check_writable", lambda _: send(signal.SIGHUP))
    stopped = bench("run", *PLAN, "--results", tmp_path)
    assert (stopped.exit_code, stopped.stderr.splitlines()[-1]) == (129, "error: stopped")
    assert pretend.trained == []


@pytest.mark.usefixtures("executor")
def test_a_signal_that_is_ignored_stays_so(bench, pretend, tmp_path):
    """`nohup` has it ignored."""

    def hang_up():
        os.kill(os.getpid(), signal.SIGHUP)
        raise KeyboardInterrupt

    pretend.behave["hinge"] = hang_up
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert bench("run", *PLAN, "--results", tmp_path).exit_code == 130
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_trials_in_this_process_take_sigterm_themselves(bench, ask, pretend, tmp_path):
    """They keep a checkpoint, as the trials of any process do."""
    ask(signal.SIGHUP)
    heard = []
    pretend.behave["nsgan"] = lambda: heard.append(signal.getsignal(signal.SIGTERM))
    assert bench("run", *PLAN, "--executor", "inline", "--results", tmp_path).exit_code == 129
    assert heard == [signal.SIG_DFL]


def test_a_trial_in_this_process_that_has_kept_its_state_is_told_as_any_other(bench, pretend, tmp_path):
    def stop():
        raise Stopped

    pretend.behave["hinge"] = stop
    stopped = bench("run", *PLAN, "--executor", "inline", "--results", tmp_path)
    assert stopped.exit_code == 143
    lines = [line for line in stopped.stderr.splitlines() if line.startswith("stop")]
    assert [line.partition(":")[0].partition(";")[0] for line in lines] == ["stopping", "stopped"]
    assert len(Store(tmp_path).records()) == 1


@pytest.mark.usefixtures("executor")
def test_a_terminal_that_is_gone_keeps_no_run_from_ending(bench, ask, tmp_path, monkeypatch):
    echo = click.echo

    def hung_up(message, **options):
        if str(message).startswith("stop"):
            raise OSError(5, "Input/output error")
        echo(message, **options)

    monkeypatch.setattr(click, "echo", hung_up)
    ask(signal.SIGHUP)
    stopped = bench("run", *PLAN, "--results", tmp_path)
    assert stopped.exit_code == 129
    assert WAITED in stopped.stderr
