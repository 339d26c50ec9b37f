"""Devices: what is accepted, what auto means, and what a record calls the accelerator."""

import pytest
import torch

from bench.execution.device import accelerator_name, resolve


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
