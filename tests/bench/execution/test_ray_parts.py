"""What the Ray executor is made of, without a cluster: what travels, what a node keeps, what is compared."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest
from idx_files import write_tiny_files

from bench import data
from bench.data import Arrays
from bench.execution import ray_freight, ray_versions
from bench.execution.interface import Resources, Task
from bench.execution.ray import RayExecutor
from bench.execution.ray_messages import LOSSES_VARIABLE, LossFile, Need
from bench.execution.ray_stock import Stock, unpack_losses
from bench.extractors.inception_weights import InceptionPlan
from bench.extractors.judge_weights import SOURCES
from bench.extractors.weight_files import Weights, cached_path
from bench.store import environment
from bench.store.checkpoints import checkpoint_path
from bench.training.run_options import RunOptions
from losses.plugins import FILES_VARIABLE

MakeTask = Callable[..., Task]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(autouse=True)
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Caches and data of the node that this process stands for."""
    monkeypatch.setenv("GAN_LOSS_BENCH_CACHE", str(tmp_path / "node" / "cache"))
    monkeypatch.setenv("GAN_LOSS_BENCH_DATA", str(tmp_path / "node" / "data"))
    return tmp_path / "node"


def test_versions_that_differ_are_named_and_equal_ones_are_not() -> None:
    here = ray_versions.program()
    assert {"python", "torch", "numpy", ray_versions.SOURCES} <= here.keys()
    assert ray_versions.difference(here, dict(here)) == ""
    there = {**here, "torch": "2.0"}
    del there["numpy"]
    assert (
        ray_versions.difference(here, there)
        == f"numpy missing and not {here['numpy']}, torch 2.0 and not {here['torch']}"
    )


def test_a_changed_source_is_another_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = []
    for content in ("A = 1\n", "A = 2\n"):
        for package in ("bench", "losses"):
            (tmp_path / content[4] / package).mkdir(parents=True)
            (tmp_path / content[4] / package / "__init__.py").write_text(content)
        monkeypatch.setattr(environment, "__file__", str(tmp_path / content[4] / "bench" / "store" / "environment.py"))
        sources.append(ray_versions.program()[ray_versions.SOURCES])
    assert sources[0] != sources[1]


def test_files_of_losses_travel_with_the_neighbors_that_they_import(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "own.py").write_text("import os\nfrom near import A\n")
    (folder / "near.py").write_text("import nearer.part\n")
    (folder / "nearer.py").write_text("from . import far\nimport own\n")
    (folder / "far.py").write_text("")
    packed = ray_freight.loss_files([folder / "own.py"])
    assert [(file.name, file.named) for file in packed] == [
        ("0/own.py", True),
        ("0/near.py", False),
        ("0/nearer.py", False),
    ]
    there = tmp_path / "there"
    variables = unpack_losses(packed, there)
    assert variables == {"GAN_LOSS_BENCH_LOSSES": str(there / "0" / "own.py")}
    assert (there / "0" / "near.py").read_bytes() == (folder / "near.py").read_bytes()
    assert all(file.sha256 == sha256((there / file.name).read_bytes()) for file in packed)


def test_files_of_losses_that_lay_in_one_folder_lie_in_one_there(tmp_path: Path) -> None:
    """One imports the other, which registers its losses once: two copies would register them twice."""
    for place in ("mine/first.py", "mine/second.py", "other/first.py"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_text("import first\n" if "second" in place else "")
    named = [tmp_path / place for place in ("mine/second.py", "other/first.py", "mine/first.py")]
    packed = ray_freight.loss_files(named)
    assert {file.name for file in packed} == {"0/second.py", "0/first.py", "1/first.py"}
    assert len(packed) == 3
    assert all(file.named for file in packed)
    there = unpack_losses(packed, tmp_path / "there")["GAN_LOSS_BENCH_LOSSES"].split(os.pathsep)
    assert sorted(there) == sorted(str(tmp_path / "there" / file.name) for file in packed)


def test_losses_that_are_not_what_was_sent_are_refused(tmp_path: Path) -> None:
    forged = LossFile(name="0/own.py", content=b"other", sha256=sha256(b"own"), named=True)
    with pytest.raises(ValueError, match=r"0/own\.py is not what was sent"):
        unpack_losses([forged], tmp_path)
    assert list(tmp_path.rglob("own.py")) == []
    assert unpack_losses([], tmp_path) == {"GAN_LOSS_BENCH_LOSSES": ""}, "a node's own files are not meant"


def test_files_of_another_content_are_not_the_data_that_are_needed(node: Path) -> None:
    write_tiny_files(node / "data" / "FashionMNIST" / "raw")
    write_tiny_files(node / "data" / "MNIST" / "raw")
    here = data.load("fashion-mnist", node / "data").content_hash
    stock = Stock(RunOptions())
    assert stock.has(Need(kind="data", name="fashion-mnist", digest=here))
    assert not stock.has(Need(kind="data", name="fashion-mnist", digest=made(1).content_hash))
    assert not stock.has(Need(kind="data", name="mnist", digest=data.workload("mnist").content_hash))


def made(seed: int) -> Arrays:
    pixels = np.full((4, 1, 32, 32), seed, np.uint8)
    labels = np.zeros(4, np.int64)
    return Arrays(pixels, labels, pixels[:2], labels[:2])


def test_data_that_were_handed_over_are_loaded_in_place_of_a_download(node: Path) -> None:
    pinned = data.workload("mnist").content_hash
    folder = node / "data"
    assert not data.is_here("mnist", pinned, folder)
    assert data.is_here("digits", data.workload("digits").content_hash, folder), "the program has them"
    arrays = made(1)
    need = Need(kind="data", name="imagefolder:/photos", digest=arrays.content_hash)
    stock = Stock(RunOptions())
    assert not stock.has(need)
    with pytest.raises(ValueError, match="is something else"):
        stock.add(need, [made(2).train, made(2).train_labels, made(2).test, made(2).test_labels])
    stock.add(need, [arrays.train, arrays.train_labels, arrays.test, arrays.test_labels])
    assert stock.has(need)
    found = data.load("imagefolder:/photos", folder, expected=arrays.content_hash)
    assert found.content_hash == arrays.content_hash
    (kept,) = (folder / "decoded").glob("handed-over-*")
    (kept / "train.npy").write_bytes(b"damaged")
    assert not stock.has(need)
    stock.add(need, [arrays.train, arrays.train_labels, arrays.test, arrays.test_labels])
    assert stock.has(need)


def test_a_folder_of_data_that_all_machines_have_is_used(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    stock = Stock(RunOptions(data_dir=str(shared)))
    assert stock.options(RunOptions(), [], tmp_path).data_dir == str(tmp_path / "node" / "data")
    shared.mkdir()
    stock = Stock(RunOptions(data_dir=str(shared)))
    assert stock.options(RunOptions(), [], tmp_path).data_dir == str(shared)


def test_a_classifier_that_was_sent_does_not_replace_the_nodes_own(node: Path) -> None:
    sent, own = b"weights of the plan", b"weights trained here"
    need = Need(kind="classifier", name="cnn-1.safetensors", digest=sha256(sent))
    mine = node / "cache" / "extractors" / need.name
    mine.parent.mkdir(parents=True)
    mine.write_bytes(own)
    stock = Stock(RunOptions())
    assert not stock.has(need)
    assert stock.environment([need]) == {"GAN_LOSS_BENCH_CACHE": str(node / "cache")}
    with pytest.raises(ValueError, match="is something else"):
        stock.add(need, own)
    stock.add(need, sent)
    assert stock.has(need)
    cache = Path(stock.environment([need])["GAN_LOSS_BENCH_CACHE"])
    assert (cache / "extractors" / need.name).read_bytes() == sent
    assert mine.read_bytes() == own
    mine.write_bytes(sent)
    assert stock.environment([need]) == {"GAN_LOSS_BENCH_CACHE": str(node / "cache")}, (
        "the same weights, the same cache"
    )


def test_weights_of_inception_are_found_where_they_lie(node: Path, tmp_path: Path) -> None:
    plan = InceptionPlan(weights=Weights(path="/elsewhere/inception.pth", sha256=sha256(b"inception")))
    options = RunOptions(inception=plan)
    need = Need(kind="inception", name="inception.pth", digest=plan.weights.sha256)
    stock = Stock(options)
    assert not stock.has(need)
    stock.add(need, b"inception")
    changed = stock.options(options, [need], tmp_path / "checkpoints")
    assert changed.inception is not None
    assert Path(changed.inception.weights.path).read_bytes() == b"inception"
    assert changed.inception.weights.sha256 == plan.weights.sha256
    assert changed.checkpoint_dir == str(tmp_path / "checkpoints")


@pytest.mark.parametrize("name", ["clip-vit-b-32", "vgg16"])
def test_weights_of_the_other_judges_travel_and_are_found_where_they_lie(
    node: Path, make_task: MakeTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    here = tmp_path / "mine.pt"
    here.write_bytes(b"weights")
    weights = Weights(path=str(here), sha256=sha256(b"weights"), network=name)
    task = make_task(also_in=(weights,))
    parcel = ray_freight.parcel([task], {"torch": "2"})
    (need,) = [need for need in parcel.needs if need.kind != "data"]
    assert ray_freight.content_of(need, [task]) == b"weights"
    stock = Stock(task.options)
    assert not stock.has(need)
    stock.add(need, b"weights")
    (placed,) = stock.options(task.options, parcel.needs, tmp_path / "checkpoints").also_in
    assert (placed.network, placed.sha256) == (name, weights.sha256)
    assert node in Path(placed.path).parents
    assert Path(placed.path).read_bytes() == b"weights"
    Path(placed.path).write_bytes(b"damaged")
    assert not stock.has(need)
    hub = cached_path(SOURCES[name])
    hub.parent.mkdir(parents=True)
    hub.write_bytes(b"weights")
    (placed,) = stock.options(task.options, parcel.needs, tmp_path / "checkpoints").also_in
    assert Path(placed.path) == hub, "what torch.hub has is as good"


def test_a_parcel_has_the_checkpoints_that_there_are(make_task: MakeTask, tmp_path: Path) -> None:
    first, second = make_task(checkpoint_dir=str(tmp_path)), make_task(seed=1, checkpoint_dir=str(tmp_path))
    checkpoint_path(tmp_path, second.trial.id).write_bytes(b"step 40")
    parcel = ray_freight.parcel([first, second], {"torch": "2"})
    assert parcel.checkpoints == {second.trial.id: b"step 40"}
    assert [need.kind for need in parcel.needs] == ["data"]
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(parcel), type=type(parcel)) == parcel


def test_ray_that_is_not_installed_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ValueError, match=r"pip install 'gan-loss-bench\[ray\]'"):
        RayExecutor()


@pytest.mark.slow
def test_a_cluster_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'gan-loss-bench[ray]'")
    monkeypatch.setattr("bench.execution.ray.ANSWER_SECONDS", 0.0)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(ValueError, match="the cluster nowhere:1 has not answered for 0 minutes"):
        RayExecutor("nowhere:1")
    assert list(tmp_path.glob("ray-*")) == []


def test_a_card_of_a_cluster_has_no_number() -> None:
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'gan-loss-bench[ray]'")
    with pytest.raises(ValueError, match="'cuda:1'"):
        RayExecutor(device="cuda:1")


@pytest.mark.parametrize(
    ("node_has", "wanted", "expected"),
    [
        ({"CPU": 8.0}, Resources(cpus=2), 4),
        ({"CPU": 8.0}, Resources(cpus=3), 2),
        ({}, Resources(), 0),
        ({"CPU": 8.0}, Resources(gpus=0.5), 0),
        ({"CPU": 8.0, "GPU": 2.0}, Resources(gpus=0.5), 4),
        ({"CPU": 3.0, "GPU": 2.0}, Resources(gpus=0.5), 3),
        ({"CPU": 8.0, "GPU": 1.0}, Resources(gpus=0.1), 8),
        ({"CPU": 8.0, "GPU": 2.0}, Resources(gpus=0.4), 4),
        ({"CPU": 8.0, "GPU": 4.0}, Resources(gpus=0.7), 4),
        ({"CPU": 80.0, "GPU": 2.0}, Resources(gpus=0.1), 20),
        ({"CPU": 8.0, "GPU": 1.5}, Resources(gpus=0.5), 3),
        ({"CPU": 8.0, "GPU": 4.0}, Resources(gpus=1), 4),
        ({"CPU": 8.0, "GPU": 5.0}, Resources(gpus=2), 2),
        ({"CPU": 8.0, "memory": 5e9}, Resources(memory=2 * 10**9), 2),
        ({"CPU": 8.0, "GPU": 1.0, "accelerator_type:H100": 1.0}, Resources(gpus=1, gpu_model="H100"), 1),
        ({"CPU": 8.0, "GPU": 1.0, "accelerator_type:A100": 1.0}, Resources(gpus=1, gpu_model="H100"), 0),
    ],
)
def test_how_many_processes_fit_on_a_node(node_has: dict[str, float], wanted: Resources, expected: int) -> None:
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'gan-loss-bench[ray]'")
    from bench.execution.ray_cluster import fitting

    assert fitting(node_has, wanted) == expected


class FakeRay:
    """A cluster of two nodes, of which one is lost when it is asked for its versions."""

    def __init__(self, *, is_known: bool) -> None:
        self.lost: set[str] = set()
        self.is_known = is_known
        """Whether the cluster knows of the loss."""

    def nodes(self) -> list[dict[str, object]]:
        about = {"NodeManagerHostname": "worker", "NodeManagerAddress": "10.0.0.7", "Resources": {"CPU": 1.0}}
        return [{"NodeID": name, "Alive": name not in self.lost, **about} for name in ("a" * 56, "b" * 56)]

    def remote(self, function: Callable[[], object]) -> "FakeRay":
        return self

    def options(self, *, scheduling_strategy: Any, **_: object) -> Any:
        return SimpleNamespace(remote=lambda: scheduling_strategy.node_id)

    def get(self, node_id: str, timeout: float) -> tuple[dict[str, str], str]:
        if node_id[0] == "a":
            return ray_versions.program(), ""
        if self.is_known:
            self.lost.add(node_id)
        raise RuntimeError("the node is gone\nand more")


def test_a_node_that_is_lost_while_versions_are_compared_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'gan-loss-bench[ray]'")
    from bench.execution import ray_cluster

    monkeypatch.setattr(ray_cluster, "ray", FakeRay(is_known=True))
    ray_cluster.check_versions(Resources())
    monkeypatch.setattr(ray_cluster, "ray", FakeRay(is_known=False))
    with pytest.raises(
        ray_cluster.DeclinedError, match=r"^the node worker \(10\.0\.0\.7\) does not answer: the node is"
    ):
        ray_cluster.check_versions(Resources())


def test_rays_own_processes_do_without_torch() -> None:
    assert LOSSES_VARIABLE == FILES_VARIABLE
    code = "import sys, bench.execution.ray_node, bench.execution.ray; sys.exit('torch' in sys.modules)"
    subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, check=True
    )


def test_ray_is_told_what_each_process_takes_and_to_leave_retries_alone() -> None:
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'gan-loss-bench[ray]'")
    from bench.execution.ray_cluster import at_most, ray_options

    told = ray_options(Resources(cpus=2, gpus=0.25, memory=3 * 2**30, gpu_model="H100"))
    assert (told["num_cpus"], told["num_gpus"], told["memory"], told["accelerator_type"]) == (
        2,
        0.25,
        3 * 2**30,
        "H100",
    )
    assert told["max_retries"] == 0, "a retry of Ray's would begin anew, without the checkpoint"
    assert {"memory", "accelerator_type"} & ray_options(Resources()).keys() == set()
    assert [at_most(5, None), at_most(5, 3), at_most(2, 3)] == [5, 3, 2]
