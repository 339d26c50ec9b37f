"""The file of a checkpoint: whole, one's own and harmless, or noticed not to be before anything of it is used."""

import os
import random
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
import torch

from bench.training import checkpoint_file
from bench.training.checkpoint_file import Origin, UnusableCheckpointError, read, write

CPU = torch.device("cpu")
ORIGIN = Origin(trial_id="0123456789abcdef", engine="2", commit="c0ffee", fingerprint="machine")
STATE = {
    "weights": torch.arange(5000.0).reshape(50, 100),
    "strided": torch.arange(48.0).reshape(2, 3, 2, 4).to(memory_format=torch.channels_last),
    "count": torch.tensor(7),
    "nested": [{"nothing": None, "pair": (1, 2.5, "text", True)}],
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "checkpoints" / "0123456789abcdef.checkpoint"
    assert write(path, ORIGIN, STATE) == path.stat().st_size
    return path


def test_what_is_written_is_read_with_its_bits_and_its_strides(path: Path) -> None:
    found = read(path, ORIGIN, CPU)
    assert found is not None
    for name in ("weights", "strided", "count"):
        assert torch.equal(found[name], STATE[name])
        assert found[name].stride() == STATE[name].stride()
    assert found["nested"] == STATE["nested"]
    assert [each.name for each in path.parent.iterdir()] == [path.name], "no half of it is left"


def test_where_there_is_none_nothing_is_said(tmp_path: Path) -> None:
    assert read(tmp_path / "none", ORIGIN, CPU) is None


def test_a_flipped_bit_is_noticed_wherever_it_is(path: Path) -> None:
    whole = path.read_bytes()
    head = whole.index(b"\n") + 1
    draw = random.Random(0)
    places = [*range(0, head, 3), *(draw.randrange(head, len(whole)) for _ in range(150)), len(whole) - 1]
    for place in places:
        flipped = bytearray(whole)
        flipped[place] ^= 1 << draw.randrange(8)
        path.write_bytes(flipped)
        with pytest.raises(UnusableCheckpointError):
            read(path, ORIGIN, CPU)
    path.write_bytes(whole)
    assert read(path, ORIGIN, CPU) is not None


def test_a_file_that_was_cut_off_or_made_longer_is_noticed(path: Path) -> None:
    whole = path.read_bytes()
    head = whole.index(b"\n") + 1
    for length in [0, 1, head // 2, head - 1, head, head + 1, len(whole) // 2, len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(UnusableCheckpointError, match="damaged"):
            read(path, ORIGIN, CPU)
    path.write_bytes(whole + b"\0")
    with pytest.raises(UnusableCheckpointError, match="damaged"):
        read(path, ORIGIN, CPU)


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("trial_id", "is of the trial 0123456789abcdef, and this is another"),
        ("engine", "is of the engine 2, and this is another"),
        ("commit", "is of the program c0ffee, and this is another"),
        ("fingerprint", "is of the machine machine, and this is another"),
    ],
)
def test_that_of_another_trial_program_or_machine_is_refused(path: Path, field: str, words: str) -> None:
    with pytest.raises(UnusableCheckpointError, match=words):
        read(path, msgspec.structs.replace(ORIGIN, **{field: "another"}), CPU)


def test_that_of_a_newer_program_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint_file, "FORMAT", 2)
    write(path, ORIGIN, STATE)
    monkeypatch.undo()
    with pytest.raises(UnusableCheckpointError, match="is of format 2, and this program reads 1"):
        read(path, ORIGIN, CPU)


class Hostile:
    """Unpickled, it would make a file."""

    def __init__(self, made: Path) -> None:
        self._made = made

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self._made),)


def test_nothing_in_it_is_executed_though_its_digest_is_right(path: Path, tmp_path: Path) -> None:
    write(path, ORIGIN, {"weights": Hostile(tmp_path / "executed")})
    with pytest.raises(UnusableCheckpointError, match="something else"):
        read(path, ORIGIN, CPU)
    assert not (tmp_path / "executed").exists()


def test_what_is_no_state_is_refused(path: Path) -> None:
    write(path, ORIGIN, [1, 2])  # type: ignore[arg-type]
    with pytest.raises(UnusableCheckpointError, match="something else"):
        read(path, ORIGIN, CPU)


@pytest.mark.parametrize("kind", ["folder", "pipe", "link"])
def test_what_is_no_file_is_refused_without_waiting(path: Path, kind: str) -> None:
    kept = path.rename(path.with_name("kept"))
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(kept)
    with pytest.raises(UnusableCheckpointError, match=r"cannot be read|symbolic link"):
        read(path, ORIGIN, CPU)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let the system refuse what makes a file larger, as a full disk does."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("room", [100, 3000, 15_000])
def test_one_that_cannot_be_written_leaves_the_one_before(path: Path, room: int) -> None:
    before = path.read_bytes()
    with largest_file(room), pytest.raises(OSError, match="too large"):
        write(path, ORIGIN, {**STATE, "count": torch.tensor(8)})
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == [path.name]


@pytest.mark.slow
def test_writing_takes_no_memory_beside_the_state(tmp_path: Path) -> None:
    big = torch.zeros(2**26)  # 256 MiB
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    write(tmp_path / "big", ORIGIN, {"weights": big})
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**16  # KiB
