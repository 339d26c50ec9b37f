"""Attempts on a real cluster of several nodes on loopback: the records of one machine, whatever is lost."""

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cluster_records import IMPATIENT, assert_same, ends, locally
from own_loss import OWN
from ray_clusters import Nodes, cluster

from bench import campaign
from bench.config.suite import load_suite
from bench.events import Progress
from bench.execution.interface import Finished, Resources, Task
from bench.execution.ray import RayExecutor
from bench.plan import expand, use_losses_of
from bench.store.journal import Store
from bench.training.run_options import RunOptions

pytest.importorskip("ray", reason="Ray is not installed: pip install 'gan-loss-bench[ray]'")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

MakeTask = Callable[..., Task]
HERE = Path(__file__).parent


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
