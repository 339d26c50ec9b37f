"""What is measured once and kept on disk."""

import logging
import threading
import time

import pytest
import torch

from bench.metrics import tensor_cache

NAMES = ("one", "two")


def build():
    return {"one": torch.arange(6.0).reshape(2, 3), "two": torch.tensor(0.5, dtype=torch.float64)}


def test_gives_back_what_was_built(tmp_path):
    built = tensor_cache.once(tmp_path / "new" / "it.safetensors", NAMES, build)
    again = tensor_cache.once(tmp_path / "new" / "it.safetensors", NAMES, lambda: pytest.fail("built again"))
    assert all(torch.equal(built[name], again[name]) for name in NAMES)
    assert again["two"].shape == ()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda content: content[: len(content) // 2], "cannot be read"),
        (lambda content: b"", "cannot be read"),
        (lambda content: content[:-1] + bytes([content[-1] ^ 1]), "is damaged"),
    ],
)
def test_what_is_broken_is_noticed_and_built_again(tmp_path, caplog, damage, reason):
    path = tmp_path / "it.safetensors"
    tensor_cache.once(path, NAMES, build)
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    with caplog.at_level(logging.WARNING):
        found = tensor_cache.once(path, NAMES, build)
    assert torch.equal(found["one"], build()["one"])
    assert reason in caplog.text
    assert path.read_bytes() == whole


def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    with caplog.at_level(logging.WARNING):
        assert tensor_cache.once(tmp_path / "file" / "it", NAMES, build)["two"] == 0.5
    assert "cannot be kept" in caplog.text


def test_a_folder_that_can_only_be_read_is_read_in_silence(tmp_path, caplog):
    """As one that is shared: nobody can take the lock in it."""
    path = tmp_path / "it.safetensors"
    tensor_cache.once(path, NAMES, build)
    lock = tmp_path / ".it.lock"
    lock.unlink(missing_ok=True)
    lock.mkdir()
    with caplog.at_level(logging.WARNING):
        assert tensor_cache.once(path, NAMES, lambda: pytest.fail("built again"))["two"] == 0.5
    assert not caplog.records


def test_two_at_once_build_it_once(tmp_path):
    calls = []

    def build_slowly():
        calls.append(1)
        time.sleep(0.2)
        return build()

    threads = [
        threading.Thread(target=tensor_cache.once, args=(tmp_path / "it.safetensors", NAMES, build_slowly))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1
