"""The process that speaks to a cluster, with a Ray that is made up: what it makes of what nodes say, and of losses."""

import os
import queue
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bench.events import Progress
from bench.execution.interface import Finished, Resources, Started, Task
from bench.execution.ray_messages import Begun, Ended, FromGateway, FromNode, Kept, Parcel, encoded
from bench.store.checkpoints import checkpoint_path
from bench.store.record import Outcome

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'gan-loss-bench[ray]'")
ray_gateway = pytest.importorskip("bench.execution.ray_gateway", reason="Ray is not installed")

MakeTask = Callable[..., Task]
Script = list[FromNode | Exception]
"""What a node says, one after the other; an error is raised where what it is in the place of is looked at."""


class Cluster:
    """Stands for Ray: what is flown to it says what it has been given to say."""

    def __init__(self) -> None:
        self.scripts: list[Script] = []
        """Of each flight to come; the last one is that of all others."""
        self.parcels: list[Parcel] = []

    def remote(self, content: bytes, freight: object) -> Iterator[object]:
        self.parcels.append(msgspec.msgpack.decode(content, type=Parcel))
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        return iter(script)


class Submissions:
    """What the campaign asks for; it ends once nothing is under way."""

    def __init__(self, gateway: Any, *groups: list[Task]) -> None:
        self._gateway = gateway
        self._groups = list(groups)

    def get(self, timeout: float) -> list[Task] | None:
        if self._groups:
            return self._groups.pop(0)
        if self._gateway._flying or self._gateway._waiting:
            raise queue.Empty
        return None


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    made = Cluster()

    def get(said: object) -> bytes:
        if isinstance(said, Exception):
            raise said
        return encoded(said)

    monkeypatch.setattr(ray_gateway.ray, "wait", lambda streams, **_: (list(streams), []))
    monkeypatch.setattr(ray_gateway.ray, "get", get)
    monkeypatch.setattr(ray_gateway, "room", lambda _: 1)
    monkeypatch.setattr(ray_gateway.ray_versions, "program", dict)
    return made


@pytest.fixture
def serve(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[FromGateway]]:
    """Serve groups of tasks to their end; return what the campaign is told."""
    told: list[FromGateway] = []
    monkeypatch.setattr(ray_gateway, "send", lambda _, message: told.append(message))

    def made(*groups: list[Task]) -> list[FromGateway]:
        gateway = ray_gateway.Gateway(0, Resources(), None)
        gateway._attempt = cluster
        gateway.serve(Submissions(gateway, *groups))
        return told

    return made


def ended(task: Task, status: str = "ok") -> Ended:
    outcome = Outcome(status=status, started_at="2026-01-01T00:00:00+00:00", finished_at="2026-01-01T00:00:00+00:00")
    return Ended(trial_id=task.trial.id, outcome=outcome, lost=False, artifacts={"samples.png": b"x"}, log=b"words\n")


def begun(task: Task) -> Begun:
    return Begun(trial_id=task.trial.id, place="node")


LOST = (
    ray.exceptions.WorkerCrashedError(),
    ray.exceptions.NodeDiedError("gone"),
    ray.exceptions.ObjectLostError("", None, ""),
)


@pytest.mark.parametrize("error", LOST, ids=lambda error: type(error).__name__)
def test_a_node_that_is_lost_after_its_last_outcome_costs_nothing(
    cluster: Cluster, serve: Callable[..., list[FromGateway]], make_task: MakeTask, error: Exception
) -> None:
    first, second = make_task(seed=0), make_task(seed=1)
    cluster.scripts = [[begun(first), ended(first), error], [begun(second), ended(second)]]
    told = serve([first], [second])
    assert [each.task.trial.id for each in told if isinstance(each, Finished)] == [first.trial.id, second.trial.id]
    assert len(cluster.parcels) == 2, "nothing is flown again"


def test_a_node_that_is_lost_sends_on_what_has_not_ended(
    cluster: Cluster, serve: Callable[..., list[FromGateway]], make_task: MakeTask
) -> None:
    tasks = [make_task(seed=seed) for seed in range(2)]
    cluster.scripts = [[begun(tasks[0]), begun(tasks[1]), ended(tasks[1]), LOST[0]], [begun(tasks[0]), ended(tasks[0])]]
    told = serve(tasks)
    assert [each.task.trial.spec.seed for each in told if isinstance(each, Finished)] == [1, 0]
    assert [len(parcel.tasks) for parcel in cluster.parcels] == [2, 1]
    assert sum(isinstance(each, Progress) and "goes on elsewhere" in each.note for each in told) == 1
    assert (tasks[0].artifacts / "samples.png").read_bytes() == b"x"
    assert Path(tasks[0].log).read_text().endswith("words\n")
    assert sum(isinstance(each, Started) for each in told) == 3


@pytest.mark.parametrize("kind", ["folder", "pipe", "link"])
def test_a_checkpoint_that_cannot_be_read_costs_only_itself(
    cluster: Cluster, serve: Callable[..., list[FromGateway]], make_task: MakeTask, tmp_path: Path, kind: str
) -> None:
    task = make_task(checkpoint_dir=str(tmp_path / "checkpoints"))
    path = checkpoint_path(tmp_path / "checkpoints", task.trial.id)
    path.parent.mkdir()
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        (tmp_path / "elsewhere").write_bytes(b"step 40")
        path.symlink_to(tmp_path / "elsewhere")
    cluster.scripts = [[begun(task), ended(task)]]
    told = serve([task])
    assert [each.outcome.status for each in told if isinstance(each, Finished)] == ["ok"]
    assert cluster.parcels[0].checkpoints == {}
    (note,) = [each.note for each in told if isinstance(each, Progress)]
    assert note.startswith("starts anew: its checkpoint ")


def test_a_log_of_an_attempt_that_was_stopped_is_not_gone_on_with(
    cluster: Cluster, serve: Callable[..., list[FromGateway]], make_task: MakeTask
) -> None:
    task = make_task()
    Path(task.log).parent.mkdir()
    Path(task.log).write_text("what it printed before Ctrl-C\n")
    cluster.scripts = [[begun(task), LOST[0]], [begun(task), ended(task)]]
    serve([task])
    first, *rest = Path(task.log).read_text().splitlines()
    assert "its node was lost (WorkerCrashedError); it goes on elsewhere" in first
    assert rest == ["words"]


def test_a_checkpoint_that_cannot_be_kept_is_said_once(
    cluster: Cluster, serve: Callable[..., list[FromGateway]], make_task: MakeTask, tmp_path: Path
) -> None:
    (tmp_path / "checkpoints").touch()
    task = make_task(checkpoint_dir=str(tmp_path / "checkpoints"))
    kept = Kept(trial_id=task.trial.id, content=b"step 40")
    cluster.scripts = [[begun(task), kept, kept, LOST[0]], [begun(task), kept, ended(task)]]
    notes = [each.note for each in serve([task]) if isinstance(each, Progress)]
    assert len([note for note in notes if note.startswith("its checkpoint cannot be kept (")]) == 1
