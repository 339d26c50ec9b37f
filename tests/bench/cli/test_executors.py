"""`run` and where trials run: options that fit together, and what is said when all of it is lost."""

import pytest

from bench.execution.interface import ExecutorLostError, Resources
from bench.execution.local import LocalExecutor

ONE = ("run", "--method", "nsgan", "--workload", "ring8", "--seeds", "1", "--steps", "40")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--address", "auto"], "--address: only --executor ray"),
        (["--cpus", "2", "--gpu-model", "H100"], "--cpus and --gpu-model: only --executor ray"),
        (["--executor", "inline", "--memory", "2"], "--memory: only --executor ray"),
        (["--executor", "ray", "--device", "cuda:1"], "gives each process a GPU, not 'cuda:1'"),
        (["--executor", "ray", "--gpus", "2"], "not in the range"),
        (["--capture", "--device", "cpu"], "--capture replays steps as CUDA graphs"),
        (["--set", "precision=tf32", "--device", "cpu"], "precision=tf32 needs a CUDA device; on the CPU choose fp32"),
    ],
)
def test_options_that_contradict_each_other_get_one_line(bench, tmp_path, options, words):
    result = bench(*ONE, *options, "--results", tmp_path / "new")
    assert result.exit_code == 2
    assert words in result.stderr
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--address", "auto"], "--address: only --executor ray"),
        (["--executor", "inline", "--workers", "2"], "--executor inline runs one trial at a time"),
        (["--capture", "--device", "cpu"], "--capture replays steps as CUDA graphs"),
        (["--device", "gpu"], "--device takes cpu, cuda, cuda:N or auto, not 'gpu'"),
        (["--set", "precision=tf32", "--device", "cpu"], "precision=tf32 needs a CUDA device; on the CPU choose fp32"),
    ],
)
def test_a_plan_is_refused_for_what_its_run_would_be_refused_for_anywhere(bench, tmp_path, options, words):
    result = bench(*ONE, *options, "--dry-run", "--results", tmp_path / "new")
    assert result.exit_code == 2
    assert words in result.stderr


def test_ray_that_is_not_installed_gets_one_line(bench, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda *_: None)
    result = bench(*ONE, "--executor", "ray", "--results", tmp_path / "new")
    assert result.exit_code == 2
    assert "pip install 'gan-loss-bench[ray]'" in result.stderr


def test_a_cluster_gets_what_was_asked_for_and_its_notes_are_told(bench, tmp_path, monkeypatch):
    asked = {}

    class Cluster(LocalExecutor):
        notes = ("this cluster asks for no token",)
        device = "cpu"

        def __init__(self, address, *, device, resources, workers):
            super().__init__(1)
            asked.update(address=address, device=device, resources=resources, workers=workers)

        def messages(self):
            raise ExecutorLostError("the cluster was lost: Failed to connect")

    monkeypatch.setattr("bench.execution.ray.RayExecutor", Cluster)
    place = ("--address", "head:6379", "--cpus", "2", "--gpus", "0.25", "--memory", "1.5", "--gpu-model", "H100")
    result = bench(*ONE, "--executor", "ray", *place, "--workers", "7", "--results", tmp_path / "new")
    assert asked == {
        "address": "head:6379",
        "device": "auto",
        "resources": Resources(cpus=2, gpus=0.25, memory=3 * 2**29, gpu_model="H100"),
        "workers": 7,
    }
    assert "this cluster asks for no token" in result.stderr
    assert result.exit_code == 1
    lost = "error: the cluster was lost: Failed to connect; what was finished is recorded, and the same command goes on"
    assert lost in result.stderr
    assert "Traceback" not in result.output


def test_a_plan_for_a_cluster_asks_nobody(bench, tmp_path):
    result = bench(*ONE, "--executor", "ray", "--address", "nowhere:1", "--dry-run", "--results", tmp_path / "new")
    assert result.exit_code == 0
    assert "time: not known here: a cluster is asked only when trials run" in result.stdout


def test_workers_that_may_not_open_their_files_are_told(bench, tmp_path, monkeypatch):
    monkeypatch.setattr("bench.execution.local.workers_with_room", lambda wanted: 1)

    def lost(*_):
        raise ExecutorLostError("enough")
        yield

    monkeypatch.setattr("bench.campaign.run", lost)
    result = bench(*ONE[:-4], "--seeds", "2", "--device", "cpu", "--workers", "2", "--results", tmp_path / "new")
    assert "1 at a time and not 2: this process may open no more files; raise `ulimit -n`" in result.stderr
