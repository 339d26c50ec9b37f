"""What lies where a file is expected: read if it is one, and named without waiting if it is none."""

import os
import socket
from pathlib import Path

import pytest
from planted_records import make_workload, planted_record
from synthetic import write

from bench.files.regular import UnusableFileError, read_regular
from bench.store.golden import is_golden
from bench.store.journal import RecordError, Store


def test_a_file_is_read(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    (tmp_path / "link").symlink_to(path)
    assert read_regular(path) == read_regular(path, largest=5) == read_regular(tmp_path / "link") == b"12345"
    with pytest.raises(UnusableFileError, match="it has more than"):
        read_regular(path, largest=4)
    with pytest.raises(UnusableFileError, match="is a symbolic link"):
        read_regular(tmp_path / "link", links=False)


@pytest.mark.timeout(20)
def test_what_is_no_file_is_named_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        for name, words in (
            ("pipe", "a named pipe"),
            ("socket", "cannot be read"),
            (".", "a folder"),
            ("nothing", "No such file"),
            ("x" * 300, "File name too long"),
        ):
            with pytest.raises(UnusableFileError, match=words):
                read_regular(tmp_path / name)
    with pytest.raises(UnusableFileError, match="a device"):
        read_regular(Path("/dev/zero"))


@pytest.mark.timeout(20)
def test_a_pipe_among_the_records_stops_nobody(tmp_path):
    write([planted_record(make_workload())], tmp_path)
    os.mkfifo(tmp_path / "records" / f"{'a' * 16}.0.json")
    with pytest.raises(RecordError, match="a named pipe"):
        Store(tmp_path).records()
    assert not is_golden(tmp_path / "records" / f"{'a' * 16}.0.json")
