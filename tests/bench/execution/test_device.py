"""Devices: what is accepted, what auto means, and what a record calls the accelerator."""

import pytest
import torch

from bench.execution.device import accelerator_name, resolve, visible_gpu


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "cpu:0", ""])
def test_devices_that_do_not_exist(device: str) -> None:
    with pytest.raises(ValueError, match="--device takes"):
        resolve(device)


def test_a_device_that_is_not_there_says_how_many_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ValueError, match="torch finds 1 CUDA devices"):
        resolve("cuda:1")


def test_auto_takes_cuda_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [resolve(device) for device in ("auto", "cpu", "cuda", "cuda:1")] == ["cuda", "cpu", "cuda", "cuda:1"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve("auto") == "cpu"


def test_the_accelerators_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert accelerator_name("cpu") is None
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert accelerator_name("cuda") is None
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"GPU of {device}")
    assert accelerator_name("cuda:1") == "GPU of cuda:1"


@pytest.mark.parametrize(
    ("device", "listed", "expected"),
    [
        ("cpu", "0,1", None),
        ("cuda", None, "0"),
        ("cuda:3", None, "3"),
        ("cuda", "", ""),
        ("cuda", "2,5", "2"),
        ("cuda:1", "2, 5", "5"),
        ("cuda:1", "GPU-8932f937,GPU-46865f25", "GPU-46865f25"),
        ("cuda:0", "MIG-41b35014", "MIG-41b35014"),
    ],
)
def test_a_process_sees_the_one_gpu_that_was_chosen(device: str, listed: str | None, expected: str | None) -> None:
    environment = {} if listed is None else {"CUDA_VISIBLE_DEVICES": listed}
    assert visible_gpu(device, environment) == expected


def test_a_gpu_that_is_not_listed_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'cuda:2' is not among the GPUs that \$CUDA_VISIBLE_DEVICES lists: 4, 6"):
        visible_gpu("cuda:2", {"CUDA_VISIBLE_DEVICES": "4,6"})
