import json
import logging
import subprocess
import sys

import numpy as np
import pytest

from bench.data import cache
from bench.data.family import Arrays

BUILD = """
import sys, time
from pathlib import Path
import numpy as np
from bench.data.cache import decoded
from bench.data.family import Arrays

folder = Path(sys.argv[1])

def build():
    with (folder / "builds").open("a") as file:
        file.write("built\\n")
    time.sleep(1.0)
    images, labels = np.arange(64, dtype=np.uint8).reshape(4, 1, 4, 4), np.zeros(4, dtype=np.int64)
    return Arrays(train=images, train_labels=labels, test=images, test_labels=labels)

print(decoded(folder / "decoded", "set", build).content_hash)
"""


def small() -> Arrays:
    images, labels = np.arange(64, dtype=np.uint8).reshape(4, 1, 4, 4), np.zeros(4, dtype=np.int64)
    return Arrays(train=images, train_labels=labels, test=images[:2], test_labels=labels[:2])


def never() -> Arrays:
    pytest.fail("built again")


@pytest.fixture
def kept(tmp_path):
    cache.decoded(tmp_path, "set", small)
    return tmp_path / "set"


def test_what_was_built_is_read_back_and_mapped(tmp_path, kept):
    again = cache.decoded(tmp_path, "set", never)
    assert again.content_hash == small().content_hash
    assert isinstance(again.train.base, np.memmap)
    assert {path.name for path in kept.iterdir()} == {
        *("train.npy", "train_labels.npy", "test.npy", "test_labels.npy", "manifest.json")
    }


def test_writing_to_an_array_does_not_reach_the_disk(tmp_path, kept):
    cache.decoded(tmp_path, "set", never).train[:] = 7
    assert cache.decoded(tmp_path, "set", never).content_hash == small().content_hash


def test_two_processes_at_once_build_once(tmp_path):
    both = [
        subprocess.Popen([sys.executable, "-c", BUILD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    answers = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert answers[0] == answers[1] != ""
    assert (tmp_path / "builds").read_text() == "built\n"
    assert [path.name for path in (tmp_path / "decoded").iterdir() if path.is_dir()] == ["set"]


def test_waiting_for_another_process_is_said(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(cache, "_PATIENCE_SECONDS", 0.05)
    with subprocess.Popen([sys.executable, "-c", BUILD, str(tmp_path)], stdout=subprocess.DEVNULL) as process:
        while not (tmp_path / "builds").exists():
            assert process.poll() is None
        with caplog.at_level(logging.WARNING):
            cache.decoded(tmp_path / "decoded", "set", never)
    assert "another process is decoding set; waiting" in caplog.text


def cut(kept):
    path = kept / "train.npy"
    path.write_bytes(path.read_bytes()[:-10])


def flip(kept):
    path = kept / "test.npy"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def rehash(kept):
    manifest = json.loads((kept / "manifest.json").read_text())
    (kept / "manifest.json").write_text(json.dumps(manifest | {"content_hash": "0" * 64}))


def lose_manifest(kept):
    (kept / "manifest.json").unlink()


def lose_file(kept):
    (kept / "train_labels.npy").unlink()


def scramble_manifest(kept):
    (kept / "manifest.json").write_text("{")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (cut, "train.npy has 182 bytes, expected 192"),
        (flip, "its content hash is"),
        (rehash, "its content hash is"),
        (lose_manifest, "No such file"),
        (lose_file, "No such file"),
        (scramble_manifest, "JSONDecodeError"),
    ],
)
def test_a_damaged_set_is_set_aside_and_made_again(tmp_path, kept, caplog, damage, reason):
    damage(kept)
    with caplog.at_level(logging.WARNING):
        assert cache.decoded(tmp_path, "set", small).content_hash == small().content_hash
    assert reason in caplog.text
    assert "is renamed to set.broken-" in caplog.text
    assert len(list(tmp_path.glob("set.broken-*"))) == 1
    assert cache.decoded(tmp_path, "set", never).content_hash == small().content_hash


def test_a_build_that_fails_leaves_nothing(tmp_path):
    def fail():
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        cache.decoded(tmp_path, "set", fail)
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]
    assert cache.decoded(tmp_path, "set", small).content_hash == small().content_hash


def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path, caplog, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    with caplog.at_level(logging.WARNING):
        assert cache.decoded(tmp_path / "file", "set", small).content_hash == small().content_hash

    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr("numpy.save", full)
    with caplog.at_level(logging.WARNING):
        assert cache.decoded(tmp_path, "set", small).content_hash == small().content_hash
    assert caplog.text.count("cannot be kept") == 2
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]
