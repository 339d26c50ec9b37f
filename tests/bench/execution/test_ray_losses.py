"""Clusters that lose what they had, lack what is needed, or are started for one run: real ones, on loopback."""

import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from cluster_records import IMPATIENT, assert_same, ends, locally
from ray_clusters import cluster
from small_trials import toy_trial

from bench import campaign, data
from bench.events import Event, Progress, TrialRetried
from bench.execution.interface import ExecutorLostError, Task
from bench.execution.local import LocalExecutor
from bench.execution.ray import RayExecutor
from bench.store.checkpoints import checkpoint_path
from bench.store.journal import Store
from bench.training.run_options import RunOptions

pytest.importorskip("ray", reason="Ray is not installed: pip install 'gan-loss-bench[ray]'")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

MakeTask = Callable[..., Task]
HERE = Path(__file__).parent
LOST = (
    r"^the cluster was lost, and its gateway with it: it (ended with exit code \d+|was killed by SIG[A-Z]+), "
    r"\d+ s after its last message, with 1 running and 0 waiting(\. Ray's last words: .+)?$"
)
LONG = {"steps": 2000, "evaluate_every": 250}


@pytest.fixture(autouse=True)
def _found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The trainers made for tests are found here, and by the nodes of clusters that are started here."""
    monkeypatch.syspath_prepend(str(HERE))


@pytest.mark.parametrize("ask", [False, True], ids=["SIGKILL", "SIGTERM"])
def test_a_lost_node_costs_a_trial_what_it_did_since_its_checkpoint(tmp_path: Path, ask: bool) -> None:
    trial = toy_trial(**LONG)
    store = Store(tmp_path / "cluster")
    kept = checkpoint_path(store.checkpoints, trial.id)
    with cluster() as nodes:
        first = nodes.add()
        stream = campaign.run([trial], RayExecutor(nodes.address), store, RunOptions(), trainer=IMPATIENT)
        events: list[Event] = []
        for event in stream:
            events.append(event)
            if kept.exists():
                break
        assert not store.latest()
        nodes.add()  # nodes that join are used
        nodes.kill(first, ask=ask)
        events += stream
    notes = [event.note for event in events if isinstance(event, Progress) and event.note]
    # Which of its errors Ray raises depends on what it notices first: the node, or what was on it.
    assert any(re.fullmatch(r"its node was lost \(\w+\); it goes on elsewhere", note) for note in notes), notes
    assert any(note.startswith("goes on at step ") for note in notes), notes
    assert not [event for event in events if isinstance(event, TrialRetried)], "it says nothing of the trial"
    (record,) = store.latest().values()
    assert record.cost["earlier_seconds"] > 0
    assert_same(store.latest(), locally(tmp_path / "local", [trial]))
    assert not kept.exists(), "its record is there"


@pytest.mark.parametrize("ask", [False, True], ids=["SIGKILL", "SIGTERM"])
def test_the_loss_of_the_head_is_told_and_the_same_plan_goes_on(tmp_path: Path, ask: bool) -> None:
    trials = [toy_trial(seed=0), toy_trial(seed=1, **LONG)]
    store = Store(tmp_path / "results")
    with cluster() as nodes:
        nodes.add()
        stream = campaign.run(trials, RayExecutor(nodes.address), store, RunOptions(), trainer=IMPATIENT)
        for _ in stream:
            if store.latest() and checkpoint_path(store.checkpoints, trials[1].id).exists():
                break
        nodes.kill_head(ask=ask)
        with pytest.raises(ExecutorLostError, match=LOST):
            list(stream)
    assert list(store.latest()) == [trials[0].id]
    events = list(campaign.run(trials, LocalExecutor(1), store, RunOptions(), trainer=IMPATIENT))
    assert any(isinstance(event, Progress) and event.note.startswith("goes on at step ") for event in events)
    assert_same(store.latest(), locally(tmp_path / "local", trials))


DRIVER = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[1:2]
from small_trials import toy_trial
from bench import campaign
from bench.execution.ray import RayExecutor
from bench.store.journal import Store
from bench.training.run_options import RunOptions
trials = [toy_trial(seed=0), toy_trial(seed=1, steps=2000, evaluate_every=250)]
store = Store(Path(sys.argv[3]))
for _ in campaign.run(trials, RayExecutor(sys.argv[2]), store, RunOptions(), trainer="impatient_training:train"):
    pass
"""


def test_the_loss_of_the_submitting_process_ends_its_work_and_the_same_command_goes_on(tmp_path: Path) -> None:
    trials = [toy_trial(seed=0), toy_trial(seed=1, **LONG)]
    store = Store(tmp_path / "results")
    with cluster() as nodes:
        nodes.add()
        command = [sys.executable, "-c", DRIVER, str(HERE.parents[1] / "helpers"), nodes.address, str(store.root)]
        with subprocess.Popen(command) as driver:
            end = time.monotonic() + 200
            while not (store.latest() and checkpoint_path(store.checkpoints, trials[1].id).exists()):
                assert driver.poll() is None
                assert time.monotonic() < end, "it never got there"
                time.sleep(0.05)
            driver.send_signal(signal.SIGKILL)
        assert list(store.latest()) == [trials[0].id]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        assert done.stdout == "", "Ray prints nothing there"
    assert_same(store.latest(), locally(tmp_path / "local", trials))


def test_a_node_without_the_data_is_sent_them_once(
    make_task: MakeTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(500):
        Image.new("RGB", (32, 32), (number % 256, number // 256, 7)).save(folder / f"{number}.png")
    monkeypatch.setenv("GAN_LOSS_BENCH_DATA", str(tmp_path / "here"))
    workload = data.resolve(f"imagefolder:{folder}")
    there = tmp_path / "there"
    there.mkdir()
    with cluster() as nodes:
        nodes.add(environment={"GAN_LOSS_BENCH_DATA": str(there)})
        with RayExecutor(nodes.address) as executor:
            tasks = [_reading(make_task("read-data", seed), workload.name, workload.content_hash) for seed in range(2)]
            found = ends(executor, *((task,) for task in tasks))
    assert [end.outcome.message for end in found] == [f"{workload.content_hash} in {there}"] * 2
    assert len(list((there / "decoded").glob("handed-over-*"))) == 1


def _reading(task: Task, workload: str, content_hash: str) -> Task:
    spec = msgspec.structs.replace(task.trial.spec, workload=workload, data_hash=content_hash)
    trial = msgspec.structs.replace(task.trial, spec=spec, components={})
    return msgspec.structs.replace(task, trial=trial)


def test_a_node_of_another_program_is_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = HERE.parents[2]
    for package in ("bench", "losses"):
        shutil.copytree(root / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    changed = tmp_path / "losses" / "numerics.py"
    changed.write_text(changed.read_text() + "\n# another version\n")
    monkeypatch.chdir(tmp_path.parent)  # Ray looks into the folder of the submitting process first
    with cluster() as nodes:
        nodes.add(environment={"PYTHONPATH": str(tmp_path)})
        with pytest.raises(ValueError, match=r"the program's source [0-9a-f]{12} and not [0-9a-f]{12}") as told:
            RayExecutor(nodes.address)
    assert "\n" not in str(told.value)


def test_a_cluster_of_this_machine_alone_is_on_loopback_and_asks_for_a_token(
    make_task: MakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RAY_ADDRESS", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    folder = tempfile.mkdtemp(prefix="r-")
    monkeypatch.setattr(tempfile, "tempdir", folder)
    with RayExecutor(device="cpu") as executor:
        assert executor.notes == []
        (end,) = ends(executor, (make_task(),))
        servers = [pid for pid, command in commands().items() if folder in command]
        listening = [address for pid in servers for address in listening_addresses(pid)]
        ports = {
            match[1] for pid in servers if (match := re.search(r"gcs-address=127\.0\.0\.1:(\d+)", commands()[pid]))
        }
        monkeypatch.setenv("HOME", folder)  # where Ray would look for a token
        with pytest.raises(ValueError, match="cannot be used: Failed to connect"):
            RayExecutor(f"127.0.0.1:{ports.pop()}")
    assert end.outcome.status == "ok"
    assert listening, "it does listen"
    assert {address[-8:] for address in listening} == {"0100007F"}, "127.0.0.1, as the kernel writes it"
    assert {address[:-8] for address in listening} <= {"", "0000000000000000FFFF0000"}, "and within IPv6"
    assert list(Path(folder).iterdir()) == []
    shutil.rmtree(folder)


def commands() -> dict[int, str]:
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found[int(path.parent.name)] = path.read_text().replace("\0", " ")
        except OSError:  # it has ended
            continue
    return found


def listening_addresses(pid: int) -> list[str]:
    """Return the addresses that a process listens on, in the hexadecimal digits of the kernel."""
    sockets = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            sockets.add(descriptor.readlink().name.removeprefix("socket:[").removesuffix("]"))
        except OSError:
            continue
    lines = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
    ]
    return [fields[1].partition(":")[0] for fields in lines if fields[3] == "0A" and fields[9] in sockets]
