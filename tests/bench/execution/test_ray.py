"""Attempts on a real cluster of several nodes on loopback: the records of one machine, whatever is lost."""

import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from own_loss import OWN
from ray_clusters import Nodes, cluster
from small_trials import toy_trial

from bench import campaign, data
from bench.config.suite import load_suite
from bench.config.trial import Trial
from bench.events import Event, Progress, TrialRetried
from bench.execution.interface import ExecutorLostError, Finished, Resources, Task
from bench.execution.local import LocalExecutor
from bench.execution.ray import RayExecutor
from bench.plan import expand, use_losses_of
from bench.store.checkpoints import checkpoint_path
from bench.store.journal import Store, differing_fields
from bench.store.record import Record
from bench.training.run_options import RunOptions

pytest.importorskip("ray", reason="Ray is not installed: pip install 'gan-loss-bench[ray]'")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

MakeTask = Callable[..., Task]
HERE = Path(__file__).parent
IMPATIENT = "impatient_training:train"
LONG = {"steps": 2000, "evaluate_every": 250}


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    """Three nodes; one has cards of which Ray believes what it is told."""
    sys.path.insert(0, str(HERE))
    try:
        with cluster(FAKE_TRAINING_MARKER="/nonexistent/marker") as made:
            made.add(memory=4 * 2**30)
            made.add(memory=2**30)
            made.add(memory=2**30, num_gpus=2, resources={"accelerator_type:H100": 1.0})
            yield made
    finally:
        sys.path.remove(str(HERE))


def ends(executor: RayExecutor, *groups: tuple[Task, ...]) -> list[Finished]:
    for group in groups:
        executor.submit(*group)
    return [message for message in executor.messages() if isinstance(message, Finished)]


def assert_same(found: dict[str, Record], expected: dict[str, Record]) -> None:
    assert found.keys() == expected.keys()
    for trial_id, record in expected.items():
        assert differing_fields(found[trial_id], record) == []
        assert found[trial_id].attempt == record.attempt


def locally(folder: Path, trials: list[Trial], **options: object) -> dict[str, Record]:
    """Return the records of the local executor, of one thread each, as a node's processes have."""
    store = Store(folder)
    list(campaign.run(trials, LocalExecutor(1), store, RunOptions(**options), trainer=IMPATIENT))
    return store.latest()


def test_three_nodes_give_the_records_of_one_machine_bit_for_bit(nodes: Nodes, tmp_path: Path) -> None:
    trials = expand(load_suite("smoke", {"methods": ["nsgan", "topk-gan", "wgan-gp"], "seeds": 1}))
    store = Store(tmp_path / "cluster")
    executor = RayExecutor(nodes.address, device="cpu")
    assert executor.workers == 3
    events = list(campaign.run(trials, executor, store, RunOptions(), trainer=IMPATIENT))
    expected = locally(tmp_path / "local", trials)
    assert_same(store.latest(), expected)
    assert any(isinstance(event, Progress) and event.step for event in events)
    for trial in trials:
        for name in ("generator.safetensors", "samples.png"):
            kept = store.artifacts_dir(trial.id) / name
            assert kept.read_bytes() == (Store(tmp_path / "local").artifacts_dir(trial.id) / name).read_bytes()


def test_a_process_has_its_share_of_a_card_and_only_of_the_asked_model(nodes: Nodes, make_task: MakeTask) -> None:
    half = Resources(gpus=0.5, gpu_model="H100")
    with RayExecutor(nodes.address, device="cuda", resources=half) as executor:
        assert executor.workers == 1, "the node with cards has one CPU"
        found = ends(executor, *((make_task("tell-device", seed),) for seed in range(2)))
    assert [end.outcome.message for end in found] == ["cpu among 0", "cpu among 0"]
    with RayExecutor(nodes.address, device="cuda", resources=Resources(gpu_model="A100")) as executor:
        assert "no node has room" in executor.notes[-1]
        assert "of model A100 (there are: H100" in executor.notes[-1]


def test_memory_decides_where_a_process_runs(nodes: Nodes) -> None:
    with RayExecutor(nodes.address, device="cpu", resources=Resources(memory=2 * 2**30)) as executor:
        assert executor.workers == 1


def test_a_lost_process_and_a_timeout_are_as_on_one_machine(nodes: Nodes, make_task: MakeTask) -> None:
    with RayExecutor(nodes.address, device="cpu") as executor:
        found = ends(
            executor,
            (make_task("plain"), make_task("die"), make_task("nap")),
            (make_task("sleep", timeout_minutes=1 / 60),),
            (make_task("break"),),
        )
    outcomes = {end.task.trial.spec.method: end for end in found}
    assert outcomes["die"].lost
    assert "SIGKILL" in outcomes["die"].outcome.message
    assert outcomes["plain"].lost, "it shared the process"
    assert outcomes["sleep"].outcome.status == "timeout"
    assert outcomes["break"].outcome.message == "RuntimeError: the flux capacitor is empty"
    assert "Traceback" in Path(outcomes["break"].task.log).read_text()
    assert outcomes["nap"].outcome.status == "ok", "the last trial is trained first, and had ended"


def test_cancel_ends_what_runs_on_the_nodes(nodes: Nodes, make_task: MakeTask) -> None:
    executor = RayExecutor(nodes.address, device="cpu")
    executor.submit(make_task("tell-pid"))
    stream = executor.messages()
    for message in stream:
        if isinstance(message, Progress) and message.note.startswith("pid "):
            break
    pid = int(message.note.removeprefix("pid "))
    assert Path(f"/proc/{pid}").exists()
    executor.cancel()
    assert [each for each in stream if isinstance(each, Finished)] == []
    executor.close()
    end = time.monotonic() + 60
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < end, "it still runs"
        time.sleep(0.1)


def test_the_users_losses_travel_with_what_they_import(
    nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GAN_LOSS_BENCH_LOSSES", raising=False)
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "my_margin_of_ray.py").write_text("MARGIN = 1\n")
    own = folder / "own_of_ray.py"
    own.write_text(
        "from my_margin_of_ray import MARGIN\n" + OWN.replace("own_hinge", "own_of_ray").replace("(1 ", "(MARGIN ")
    )
    use_losses_of([own])
    trials = expand(load_suite("smoke", {"methods": ["own_of_ray"], "seeds": 1}))
    expected = locally(tmp_path / "local", trials)
    executor = RayExecutor(nodes.address, device="cpu")
    store = Store(tmp_path / "cluster")
    events = campaign.run(trials, executor, store, RunOptions(), trainer=IMPATIENT)
    next(events)
    shutil.move(folder, tmp_path / "gone")  # the nodes of this test could read it
    (tmp_path / "gone").rename(folder)
    list(events)
    assert_same(store.latest(), expected)


def test_a_lost_node_costs_a_trial_what_it_did_since_its_checkpoint(tmp_path: Path) -> None:
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
        nodes.kill(first)
        events += stream
    notes = [event.note for event in events if isinstance(event, Progress) and event.note]
    assert "its node was lost (NodeDiedError); it goes on elsewhere" in notes
    assert any(note.startswith("goes on at step ") for note in notes), notes
    assert not [event for event in events if isinstance(event, TrialRetried)], "it says nothing of the trial"
    (record,) = store.latest().values()
    assert record.cost["earlier_seconds"] > 0
    assert_same(store.latest(), locally(tmp_path / "local", [trial]))
    assert not kept.exists(), "its record is there"


def test_the_loss_of_the_head_is_told_and_the_same_plan_goes_on(tmp_path: Path) -> None:
    trials = [toy_trial(seed=0), toy_trial(seed=1, **LONG)]
    store = Store(tmp_path / "results")
    with cluster() as nodes:
        nodes.add()
        stream = campaign.run(trials, RayExecutor(nodes.address), store, RunOptions(), trainer=IMPATIENT)
        for _ in stream:
            if store.latest() and checkpoint_path(store.checkpoints, trials[1].id).exists():
                break
        nodes.kill_head()
        with pytest.raises(ExecutorLostError, match=r"the cluster was lost: .*Failed to connect to GCS"):
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
    for number in range(40):
        Image.new("RGB", (40, 40), (6 * number, 255 - 6 * number, 7)).save(folder / f"{number}.png")
    monkeypatch.setenv("GAN_LOSS_BENCH_DATA", str(tmp_path / "here"))
    workload = data.resolve(f"imagefolder:{folder}")
    there = tmp_path / "there"
    there.mkdir()
    with cluster() as nodes:
        nodes.add(environment={"GAN_LOSS_BENCH_DATA": str(there)})
        shutil.move(folder, tmp_path / "elsewhere")  # what the nodes get, they get through Ray
        with RayExecutor(nodes.address) as executor:
            tasks = [_reading(make_task("read-data", seed), workload.name, workload.content_hash) for seed in range(2)]
            found = ends(executor, *((task,) for task in tasks))
    assert [end.outcome.message for end in found] == [f"{workload.content_hash} in {there}"] * 2
    assert len(list((there / "decoded").glob("handed-over-*"))) == 1


def _reading(task: Task, workload: str, content_hash: str) -> Task:
    spec = msgspec.structs.replace(task.trial.spec, workload=workload, data_hash=content_hash)
    trial = msgspec.structs.replace(task.trial, spec=spec, components={})
    return msgspec.structs.replace(task, trial=trial)


def test_a_node_of_another_program_is_refused_in_one_line(tmp_path: Path) -> None:
    root = HERE.parents[2]
    for package in ("bench", "losses"):
        shutil.copytree(root / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "losses" / "numerics.py").open("a").write("\n# another version\n")
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
        ports = {match[1] for pid in servers if (match := re.search(r"127\.0\.0\.1:(\d+)", commands()[pid]))}
        monkeypatch.setenv("HOME", folder)  # where Ray would look for a token
        with pytest.raises(ValueError, match="cannot be used"):
            RayExecutor(f"127.0.0.1:{ports.pop()}")
    assert end.outcome.status == "ok"
    assert listening, "it does listen"
    assert set(listening) == {"0100007F"}, "127.0.0.1, as the kernel writes it"
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
