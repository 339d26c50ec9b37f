"""Every GPU of a machine: which there are, which process gets which, and what is told of cards that differ.

No GPU is needed: what a process sees is what its environment lists, which a trainer made for the test tells.
"""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from bench.campaign import divide, run
from bench.execution.device import resolve
from bench.execution.interface import Finished, Place, Started, Task
from bench.execution.local import LocalExecutor
from bench.execution.placement import Placement, mixed_cards, places_on
from bench.store.journal import Store

MakeTask = Callable[..., Task]
UUIDS = "GPU-8932f937, GPU-46865f25"
SLICES = "MIG-41b35014,MIG-9a1cc6b2"


def gpus(*names: str) -> tuple[Place, ...]:
    return tuple(Place(name=f"GPU {name}", environment={"CUDA_VISIBLE_DEVICES": name}) for name in names)


@pytest.mark.parametrize(
    ("device", "listed", "found_by_torch", "expected"),
    [
        ("cpu", None, 4, (Place(),)),
        ("cuda", None, 1, gpus("0")),
        ("cuda", None, 3, gpus("0", "1", "2")),
        ("cuda:1", None, 3, gpus("1")),
        ("cuda", "5,2", 2, gpus("5", "2")),
        ("cuda:1", "5,2", 2, gpus("2")),
        ("cuda", "5,9,2", 1, gpus("5")),  # CUDA stops at the first that is not there
        ("cuda", UUIDS, 2, gpus("GPU-8932f937", "GPU-46865f25")),
        ("cuda:1", UUIDS, 2, gpus("GPU-46865f25")),
        ("cuda", SLICES, 1, gpus("MIG-41b35014", "MIG-9a1cc6b2")),  # CUDA shows this process one of them
        ("cuda:1", SLICES, 1, gpus("MIG-9a1cc6b2")),
    ],
)
def test_cuda_is_every_visible_gpu_and_cuda_n_is_that_one(
    device: str,
    listed: str | None,
    found_by_torch: int,
    expected: tuple[Place, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: found_by_torch)
    assert places_on(device, {} if listed is None else {"CUDA_VISIBLE_DEVICES": listed}) == expected


def test_a_slice_of_a_divided_card_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", SLICES)
    assert resolve("cuda:1") == "cuda:1"
    with pytest.raises(ValueError, match="torch finds 2 CUDA devices"):
        resolve("cuda:2")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", UUIDS)
    with pytest.raises(ValueError, match="torch finds 1 CUDA devices"):
        resolve("cuda:1")


@pytest.mark.parametrize(
    ("planned", "workers", "gpus_used", "expected"),
    [(8, None, 4, (4, 4)), (8, 8, 4, (8, 2)), (2, None, 4, (2, 8)), (8, None, 1, (1, 16))],
)
def test_each_gpu_has_a_process_and_the_threads_are_divided(
    planned: int,
    workers: int | None,
    gpus_used: int,
    expected: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bench.campaign.usable_cpus", lambda: 16)
    assert divide(planned, workers, "cuda", gpus_used) == expected


def test_processes_are_spread_evenly_as_they_come_and_go() -> None:
    placement = Placement(gpus("0", "1"))
    first, second, third = placement.place(), placement.place(), placement.place()
    assert [first.__enter__().name, second.__enter__().name, third.__enter__().name] == ["GPU 0", "GPU 1", "GPU 0"]
    first.__exit__(None, None, None)
    third.__exit__(None, None, None)
    with placement.place() as fourth, placement.place() as fifth:
        assert [fourth.name, fifth.name] == ["GPU 0", "GPU 0"]
    with pytest.raises(ValueError, match="at least one place"):
        Placement([])


@pytest.mark.slow
def test_every_gpu_gets_its_share_of_processes_and_each_process_sees_one(make_task: MakeTask) -> None:
    with LocalExecutor(4, gpus("3", "GPU-46865f25")) as executor:
        for seed in range(6):
            executor.submit(make_task("tell-device", seed))
        running: Counter[str] = Counter()
        most: Counter[str] = Counter()
        placed: dict[str, str] = {}
        for message in executor.messages():
            if isinstance(message, Started):
                placed[message.task.trial.id] = message.place
                running[message.place] += 1
                most |= running
            elif isinstance(message, Finished):
                place = placed[message.task.trial.id]
                running[place] -= 1
                assert message.outcome.message == f"cpu among {place.removeprefix('GPU ')}"
    assert most == {"GPU 3": 2, "GPU GPU-46865f25": 2}


def test_a_process_is_placed_when_it_starts(make_task: MakeTask) -> None:
    with LocalExecutor(2, gpus("0", "1")) as executor:
        for method, seed in (("sleep", 0), ("plain", 0), ("plain", 1)):
            executor.submit(make_task(method, seed))
        places: dict[str, list[str]] = {"sleep": [], "plain": []}
        for message in executor.messages():
            if isinstance(message, Started):
                places[message.task.trial.spec.method].append(message.place)
            if len(places["plain"]) == 2:
                break
    (busy,) = places["sleep"]
    (free,) = {"GPU 0", "GPU 1"} - {busy}
    assert places["plain"] == [free, free]


@pytest.mark.slow
def test_trials_on_different_cards_name_their_card_and_differ_in_their_machine(
    make_task: MakeTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_TRAINING_CARDS", "0:H100,1:A100")
    store = Store(tmp_path / "results")
    trials = [make_task("tell-device", seed).trial for seed in range(4)]
    list(run(trials, LocalExecutor(2, gpus("0", "1")), store, trainer="fake_training:train"))
    machines = [record.environment for record in store.records() if record.environment]
    assert Counter(machine.device_name for machine in machines) == {"H100": 2, "A100": 2}
    assert len({machine.fingerprint for machine in machines}) == 2


def test_cards_are_told_where_they_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    models = ["NVIDIA H100", "NVIDIA A100", "NVIDIA H100"]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(models))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: models[index])
    assert mixed_cards("cuda", gpus("0", "1", "2")) == "2 x NVIDIA H100, 1 x NVIDIA A100"
    assert mixed_cards("cuda:1", gpus("1")) == ""
    models[1] = "NVIDIA H100"
    assert mixed_cards("cuda", gpus("0", "1", "2")) == ""
