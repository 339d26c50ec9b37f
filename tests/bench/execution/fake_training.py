"""A trainer without torch, for tests of what surrounds training. The trial's method names what it does."""

import atexit
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from bench import data
from bench.config.trial import Trial
from bench.events import Progress
from bench.execution.interface import NeedsOwnProcess
from bench.execution.memory import beside_others
from bench.store.environment import environment
from bench.store.record import Evaluation, History, Outcome
from bench.training.run_options import RunOptions

_ROOM = {"half": 2, "huge": 0}
"""How many trials have room for one of a method."""

Emit = Callable[[Progress], None]


def train(
    trials: Sequence[tuple[Trial, Path]], options: RunOptions, emit: Emit
) -> Iterator[tuple[int, Outcome | Exception]]:
    """Train the last trial first: outcomes come in any order."""
    for index, (trial, artifacts) in reversed(list(enumerate(trials))):
        if trial.spec.method == "break-all":
            raise RuntimeError("nothing goes any more")
        if trial.spec.method == "large" and len(trials) > 1:
            yield index, NeedsOwnProcess("the GPU failed")
            continue
        if (room := _ROOM.get(trial.spec.method)) is not None and len(trials) > room:
            yield index, beside_others(MemoryError("no memory was left"), len(trials) - 1)
            continue
        try:
            outcome = _train_one(trial, artifacts, emit)
            if trial.spec.method == "tell-parent":
                outcome = msgspec.structs.replace(outcome, message=str(os.getppid()))
            if trial.spec.method == "tell-device":
                outcome = _on_its_card(outcome, options)
            if trial.spec.method == "read-data":
                arrays = data.load(trial.spec.workload, options.data_folder, expected=trial.spec.data_hash)
                seen = f"{arrays.content_hash} in {options.data_dir}"
                outcome = msgspec.structs.replace(outcome, message=seen)
            yield index, outcome
        except (RuntimeError, MemoryError) as error:
            yield index, error


def _on_its_card(outcome: Outcome, options: RunOptions) -> Outcome:
    """Say what this process sees, and come from the card that $FAKE_TRAINING_CARDS names for it ("0:H100,1:A100")."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    cards = dict(each.split(":") for each in os.environ.get("FAKE_TRAINING_CARDS", "").split(",") if each)
    card = cards.get(visible or "")
    outcome = msgspec.structs.replace(outcome, message=f"{options.device} among {visible}")
    if card is None:
        return outcome
    place = environment(options.device, options.threads, card)
    return msgspec.structs.replace(outcome, environment=place)


def _train_one(trial: Trial, artifacts: Path, emit: Emit) -> Outcome:
    started = datetime.now(UTC).isoformat()
    emit(Progress(trial_id=trial.id, step=1, steps=trial.spec.steps, images_per_second=10.0, distance=None))
    if trial.spec.method == "tell-pid":
        emit(Progress(trial_id=trial.id, step=2, steps=9, images_per_second=10.0, note=f"pid {os.getpid()}"))
        _sleep(artifacts)
    _BEHAVIOURS.get(trial.spec.method, lambda _: None)(artifacts)
    (artifacts / "samples.png").write_bytes(trial.id.encode())
    distance = int(trial.id, 16) / 2**64
    return Outcome(
        status="nonfinite" if trial.spec.method == "nonfinite" else "ok",
        metrics={"distance": distance, "threads": float(os.environ.get("OMP_NUM_THREADS", "0"))},
        history=History(evaluations=[Evaluation(step=trial.spec.steps, metrics={"fd": distance})]),
        stability={"late_regression": distance / 3},
        cost={"train_seconds": time.perf_counter()},
        started_at=started,
        finished_at=datetime.now(UTC).isoformat(),
    )


def _break(_: Path) -> None:
    raise RuntimeError("the flux capacitor is empty\nand so on")


def _print(_: Path) -> None:
    sys.stdout.write("a library talks to stdout\n")
    subprocess.run([sys.executable, "-c", "print('and so does a child of it')"], check=True)


def _print_late(_: Path) -> None:
    """Print into a buffer that is written when the process ends; those that a process begins with are not any."""
    sys.stdout = os.fdopen(1, "w", buffering=2**16)
    sys.stdout.write("kept back\n")


def _die(_: Path) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _die_once(artifacts: Path) -> None:
    marker = Path(os.environ["FAKE_TRAINING_MARKER"])
    if not marker.exists():
        marker.touch()
        _die(artifacts)


def _sleep(_: Path) -> None:
    time.sleep(60)


def _sleep_once(artifacts: Path) -> None:
    marker = Path(os.environ["FAKE_TRAINING_MARKER"])
    if not marker.exists():
        marker.touch()
        _sleep(artifacts)


def _stay(_: Path) -> None:
    """Do not listen to whoever asks this process to end."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Path(os.environ["FAKE_TRAINING_MARKER"]).write_text(f"{os.getpid()}\n")
    time.sleep(120)


def _ask_for_memory(_: Path) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (2**31, resource.RLIM_INFINITY))
    bytearray(2**32)


def _take_memory_in_a_group(_: Path) -> None:
    """Join a group of processes that has little memory, and take more than that."""
    Path(os.environ["FAKE_TRAINING_GROUP"]).write_text(str(os.getpid()))
    kept = []
    for _piece in range(1024):
        kept.append(b"x" * 2**20)


def _nap(_: Path) -> None:
    time.sleep(0.4)


def _tally(artifacts: Path) -> None:
    """Note in the marker that this trial was trained, and take a while."""
    with Path(os.environ["FAKE_TRAINING_MARKER"]).open("a") as file:
        file.write(f"{artifacts.parent.name.partition('.')[0]}\n")
    time.sleep(0.02)


def _sleep_with_child(_: Path) -> None:
    """Leave a grandchild that holds stdout and would outlive a mere kill of this process."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    Path(os.environ["FAKE_TRAINING_MARKER"]).write_text(f"{os.getpid()} {child.pid}")
    time.sleep(60)


def _leave_child(_: Path) -> None:
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    Path(os.environ["FAKE_TRAINING_MARKER"]).write_text(str(child))


def _leave_thread(_: Path) -> None:
    """Leave a thread that runs on, and something to be done at the end of the process."""
    threading.Thread(target=time.sleep, args=(40,)).start()
    atexit.register(Path(os.environ["FAKE_TRAINING_MARKER"]).write_text, "done at the exit")


def _leave_session(_: Path) -> None:
    """Leave a fork that no signal to the group reaches, and that holds both pipes open."""
    child = os.fork()
    if child == 0:
        os.setsid()
        time.sleep(60)
        os._exit(0)
    Path(os.environ["FAKE_TRAINING_MARKER"]).write_text(str(child))


def _leave_session_and_sleep(artifacts: Path) -> None:
    _leave_session(artifacts)
    time.sleep(60)


def _leave_chatter(_: Path) -> None:
    """Leave a fork that left the session and never stops printing into the log's pipe."""
    child = os.fork()
    if child == 0:
        os.setsid()
        ended = time.monotonic() + 60
        while time.monotonic() < ended:
            os.write(2, b"still here\n")
        os._exit(0)
    Path(os.environ["FAKE_TRAINING_MARKER"]).write_text(str(child))


def _flood(_: Path) -> None:
    piece = b"0123456789abcde\n" * 2**12
    os.write(2, b"the beginning\n")
    for _number in range(20 * 2**20 // len(piece)):
        left = piece
        while left:
            left = left[os.write(2, left) :]
    os.write(2, b"the end\n")


def _babble(_: Path) -> None:
    """Write what is no message into the protocol's own pipe, as a fork can that shares its descriptor."""
    for descriptor in range(3, 32):
        try:
            if (
                os.path.sameopenfile(descriptor, 1)
                or str(Path(f"/proc/self/fd/{descriptor}").readlink())[:5] != "pipe:"
            ):
                continue
            os.write(descriptor, b'no message\n{"type": "unknown"}\n\xff\n' + b"[" * 200_000 + b"\n")
        except OSError:
            continue


def _fill_disk(_: Path) -> None:
    """Let the worker, which is the main module of this process, write no outcome any more."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    vars(sys.modules["__main__"])["replace_whole"] = full


_BEHAVIOURS = {
    "leave-thread": _leave_thread,
    "leave-session": _leave_session,
    "leave-session-and-sleep": _leave_session_and_sleep,
    "leave-chatter": _leave_chatter,
    "flood": _flood,
    "babble": _babble,
    "fill-disk": _fill_disk,
    "break": _break,
    "print": _print,
    "print-late": _print_late,
    "die": _die,
    "die-once": _die_once,
    "sleep": _sleep,
    "sleep-once": _sleep_once,
    "stubborn": _stay,
    "hog": _ask_for_memory,
    "hog-group": _take_memory_in_a_group,
    "nap": _nap,
    "brief": lambda _: time.sleep(0.01),
    "tally": _tally,
    "tell-device": _nap,
    "sleep-with-child": _sleep_with_child,
    "leave-child": _leave_child,
}
