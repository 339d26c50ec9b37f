"""What is downloaded, decoded and measured may be read by those who share the folder, as the umask says."""

import hashlib
import os
import stat
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.data import cache, download
from bench.data.family import Arrays
from bench.metrics import tensor_cache


def arrays() -> Arrays:
    images, labels = np.zeros((2, 1, 4, 4), np.uint8), np.zeros(2, np.int64)
    return Arrays(train=images, train_labels=labels, test=images, test_labels=labels)


def fetch(folder: Path) -> None:
    (folder / "server").write_bytes(b"content")
    sum_ = hashlib.md5(b"content").hexdigest()
    download.fetch([(folder / "server").as_uri()], sum_, folder / "file", None)


def decode(folder: Path) -> None:
    cache.decoded(folder, "set", arrays)


def measure(folder: Path) -> None:
    tensor_cache.once(folder / "kept" / "it.safetensors", ["a"], lambda: {"a": torch.ones(2)})


@pytest.mark.parametrize("write", [fetch, decode, measure])
@pytest.mark.parametrize(("umask", "file_mode"), [(0o022, 0o644), (0o002, 0o664)])
def test_new_files_have_the_permissions_that_the_umask_leaves(tmp_path, write, umask, file_mode):
    before = os.umask(umask)
    try:
        write(tmp_path)
    finally:
        os.umask(before)
    found = [path for path in tmp_path.rglob("*") if path.name[0] != "." and path.name != "server"]
    assert found
    for path in found:
        expected = file_mode if path.is_file() else file_mode | 0o111
        assert stat.S_IMODE(path.stat().st_mode) == expected, path
