"""Writing: whole or not at all, by unforeseeable names, through links, straight into devices, as the umask says."""

import errno
import os
import stat
import threading
from pathlib import Path

import pytest

from bench.files import writing
from bench.files.writing import create_exclusively, named, refusal, replace_whole, write_output


def put(content: bytes):
    return lambda path: path.write_bytes(content)


def only(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


WRITERS = {
    "output": lambda path, content: write_output(path, put(content)),
    "replace": replace_whole,
    "create": create_exclusively,
}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_a_new_file_has_the_permissions_that_the_umask_leaves(tmp_path, write, umask, mode):
    before = os.umask(umask)
    try:
        write(tmp_path / "file", b"1")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode
    assert only(tmp_path) == ["file"]


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_what_cannot_be_written_leaves_nothing_behind(tmp_path, write, monkeypatch):
    def full(self: Path, *_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path / "file", b"1")
    assert only(tmp_path) == []


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_a_name_may_be_as_long_as_the_file_system_allows(tmp_path, write):
    name = "n" * 251 + ".csv"
    write(tmp_path / name, b"1")
    assert only(tmp_path) == [name]


def test_names_of_partial_files_cannot_be_foreseen(tmp_path):
    seen = []
    for _ in range(20):
        write_output(tmp_path / "report.html", lambda path: (seen.append(path), path.write_bytes(b"")))
    assert len(set(seen)) == 20
    assert {path.suffix for path in seen} == {".html"}


def test_a_planted_partial_file_is_not_followed(tmp_path, monkeypatch):
    """Even somebody who foresees the name gets nothing overwritten."""
    (tmp_path / "precious").write_bytes(b"mine")
    monkeypatch.setattr(writing.secrets, "token_hex", lambda _: "foreseen")
    for ending in (".partial.html", ".tmp"):
        (tmp_path / f".foreseen{ending}").symlink_to(tmp_path / "precious")
    for write in WRITERS.values():
        with pytest.raises(FileExistsError):
            write(tmp_path / "report.html", b"new")
    assert (tmp_path / "precious").read_bytes() == b"mine"


def test_an_output_goes_through_links_and_keeps_the_permissions_of_what_it_replaces(tmp_path):
    (tmp_path / "there").mkdir()
    target = tmp_path / "there" / "target.csv"
    target.write_bytes(b"old")
    target.chmod(0o640)
    link = tmp_path / "link.csv"
    link.symlink_to(target)
    write_output(link, put(b"new"))
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    dangling = tmp_path / "dangling.csv"
    dangling.symlink_to(tmp_path / "there" / "made.csv")
    write_output(dangling, put(b"new"))
    assert (tmp_path / "there" / "made.csv").read_bytes() == b"new"
    assert only(tmp_path / "there") == ["made.csv", "target.csv"]


def test_a_kept_file_takes_the_place_of_a_link_and_of_a_pipe(tmp_path):
    (tmp_path / "precious").write_bytes(b"mine")
    (tmp_path / "link").symlink_to(tmp_path / "precious")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe"):
        replace_whole(tmp_path / name, b"new")
        assert stat.S_ISREG((tmp_path / name).lstat().st_mode)
    assert (tmp_path / "precious").read_bytes() == b"mine"


@pytest.mark.timeout(20)
def test_devices_and_pipes_are_written_straight_into(tmp_path):
    pipe, found = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: found.append(pipe.read_bytes()))
    reader.start()
    write_output(pipe, put(b"through"))
    reader.join()
    assert found == [b"through"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    write_output(Path(os.devnull), put(b"away"))
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)
    if Path("/dev/full").exists():
        with pytest.raises(OSError, match="No space left"):
            write_output(Path("/dev/full"), put(b"too much"))
        assert stat.S_ISCHR(Path("/dev/full").stat().st_mode)


def test_a_file_that_is_printed_into_keeps_what_is_printed(tmp_path):
    """`--output /dev/stdout > FILE`: to replace FILE would lose all that comes after."""
    target = tmp_path / "all"
    kept, opened = os.dup(1), os.open(target, os.O_WRONLY | os.O_CREAT)
    try:
        os.dup2(opened, 1)
        before = target.stat().st_ino
        write_output(Path("/dev/stdout"), put(b"table\n"))
        assert target.stat().st_ino == before
        assert target.read_bytes() == b"table\n"
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(opened)


@pytest.mark.parametrize("number", [errno.EBUSY, errno.EACCES, errno.EROFS])
def test_a_file_beside_which_nothing_can_be_put_is_written_in_place(tmp_path, monkeypatch, number):
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    (tmp_path / "mounted").write_bytes(b"old and longer")
    monkeypatch.setattr(Path, "replace", refuse)
    write_output(tmp_path / "mounted", put(b"new"))
    assert (tmp_path / "mounted").read_bytes() == b"new"
    with pytest.raises(OSError, match=os.strerror(number)):
        write_output(tmp_path / "not there", put(b"new"))
    assert only(tmp_path) == ["mounted"]


@pytest.fixture(params=[errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK])
def no_links(request, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(os, "link", refuse)


@pytest.mark.usefixtures("no_links")
def test_without_hard_links_a_file_is_created_all_the_same_and_once(tmp_path):
    create_exclusively(tmp_path / "one", b"first")
    with pytest.raises(FileExistsError):
        create_exclusively(tmp_path / "one", b"second")
    (tmp_path / "dangling").symlink_to("/nowhere")
    with pytest.raises(FileExistsError):
        create_exclusively(tmp_path / "dangling", b"second")
    assert (tmp_path / "one").read_bytes() == b"first"
    assert only(tmp_path) == ["dangling", "one"]


@pytest.mark.usefixtures("no_links")
def test_without_hard_links_one_of_many_writers_comes_first(tmp_path):
    start, stored = threading.Barrier(8), []

    def write(number: int) -> None:
        start.wait()
        for name in range(10):
            try:
                create_exclusively(tmp_path / str(name), str(number).encode())
            except FileExistsError:
                continue
            stored.append((name, number))

    writers = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(name for name, _ in stored) == list(range(10))
    assert {(int(path.name), int(path.read_text())) for path in tmp_path.iterdir()} == set(stored)


@pytest.mark.usefixtures("no_links")
def test_the_claim_of_a_killed_writer_is_no_obstacle_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "_CLAIM_SECONDS", 0.1)
    (tmp_path / ".one.claim").touch()
    create_exclusively(tmp_path / "one", b"first")
    assert only(tmp_path) == ["one"]


def test_a_folder_that_can_be_written_to_is_made_and_left_empty(tmp_path):
    assert refusal(tmp_path / "a" / "b") == ""
    assert only(tmp_path / "a" / "b") == []


def test_a_folder_that_cannot_be_written_to_says_why(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "round").symlink_to(tmp_path / "round")
    assert "File exists" in refusal(tmp_path / "file")
    assert "Not a directory" in refusal(tmp_path / "file" / "below")
    assert "File name too long" in refusal(tmp_path / ("n" * 300))
    assert refusal(tmp_path / "round") != ""
    assert "null" in refusal(tmp_path / "a\0b")


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (OSError(errno.ENOSPC, "no room"), "whole"),
        (OSError(errno.ENOSPC, "no room", "other"), "other"),
        (OSError(errno.ECONNRESET, "reset by peer"), None),
        (OSError("no HTTP"), None),
    ],
)
def test_a_disk_names_the_file_and_a_network_none(error, name):
    with pytest.raises(OSError, match=r"no room|reset|HTTP") as told, named(Path("whole")):
        raise error
    assert told.value.filename == name
