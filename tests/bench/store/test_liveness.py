import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from bench.common import clock as clock_of_campaigns
from bench.store import liveness
from bench.store.liveness import Holder, SignOfLife, is_dead_for_sure, read_holder

OTHER = "0123456789ab"


class Clock(clock_of_campaigns.Clock):
    """Runs forward when it is told to."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def watcher(folder: Path, clock: Clock) -> SignOfLife:
    return SignOfLife(folder, lease=100.0, clock=clock)


def sign_of_another_machine(folder: Path) -> Path:
    path = folder / f"{OTHER}.alive"
    path.write_bytes(msgspec.json.encode(Holder(campaign=OTHER, host="elsewhere", pid=7, boot="another")))
    return path


def test_a_campaign_lives_while_its_context_is_open(tmp_path: Path, clock: Clock) -> None:
    with watcher(tmp_path, clock) as one, watcher(tmp_path, clock) as two:
        name = two.holder.campaign
        assert one.lives(name)
        assert one.lives(one.holder.campaign)
        clock.seconds += 1e6
        assert one.lives(one.holder.campaign), "itself, always"
        assert read_holder(tmp_path, name) == two.holder
        assert str(two.holder).startswith(f"process {os.getpid()} on ")
        assert not is_dead_for_sure(tmp_path, name)
    assert is_dead_for_sure(tmp_path, name)
    assert list(tmp_path.iterdir()) == []


def test_one_of_this_machine_that_is_killed_is_dead_at_once(tmp_path: Path, clock: Clock) -> None:
    code = (
        "import sys, time, pathlib; from bench.store.liveness import SignOfLife; "
        "s = SignOfLife(pathlib.Path(sys.argv[1])); s.__enter__(); print(s.holder.campaign, flush=True); time.sleep(60)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with (
        watcher(tmp_path, clock) as here,
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True, env=environment
        ) as process,
    ):
        name = process.stdout.readline().strip()
        assert here.lives(name)
        process.kill()
        process.wait()
        assert (tmp_path / f"{name}.alive").exists()
        assert not here.lives(name)
        here.forget_the_dead()
        assert [path.stem for path in tmp_path.iterdir()] == [here.holder.campaign]


def test_one_of_another_machine_is_dead_once_its_lease_has_run_out(tmp_path: Path, clock: Clock) -> None:
    sign_of_another_machine(tmp_path)
    with watcher(tmp_path, clock) as here:
        assert here.lives(OTHER), "seen for the first time, however old it is"
        clock.seconds += 99.0
        assert here.lives(OTHER)
        clock.seconds += 1.0
        assert not here.lives(OTHER)
        assert not is_dead_for_sure(tmp_path, OTHER), "one look does not tell"


@pytest.mark.parametrize("jump", [30.0, -3.0e5, 3.0e8, -1.0e9], ids=["a-beat", "back", "far-ahead", "long-back"])
def test_any_change_of_its_time_is_a_sign_of_life_whatever_the_clocks_say(
    tmp_path: Path, clock: Clock, jump: float
) -> None:
    path = sign_of_another_machine(tmp_path)
    with watcher(tmp_path, clock) as here:
        assert here.lives(OTHER)
        clock.seconds += 99.0
        moment = path.stat().st_mtime + jump
        os.utime(path, (moment, moment))
        assert here.lives(OTHER)
        clock.seconds += 99.0
        assert here.lives(OTHER), "a new lease began with that sign"
        clock.seconds += 1.0
        assert not here.lives(OTHER)


def test_a_jump_of_this_machines_clock_kills_nobody(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_of_another_machine(tmp_path)
    with watcher(tmp_path, clock) as here:
        assert here.lives(OTHER)
        monkeypatch.setattr(time, "time", lambda: 4e9)
        assert here.lives(OTHER)
        here.forget_the_dead()
        assert (tmp_path / f"{OTHER}.alive").exists()


def test_signs_are_given_again_and_again(tmp_path: Path, clock: Clock) -> None:
    with SignOfLife(tmp_path, beat=0.01) as other, watcher(tmp_path, clock) as here:
        path = tmp_path / f"{other.holder.campaign}.alive"
        os.utime(path, (1.0, 1.0))
        end = time.monotonic() + 30
        while path.stat().st_mtime == 1.0:
            assert time.monotonic() < end, "no sign came"
            time.sleep(0.01)
        assert here.lives(other.holder.campaign)


def test_a_process_that_is_stopped_for_longer_than_its_lease_is_given_up(tmp_path: Path, clock: Clock) -> None:
    """Its lock is held, as by a process that hangs, and no sign comes."""
    with SignOfLife(tmp_path, beat=1e6) as hanging, watcher(tmp_path, clock) as here:
        assert here.lives(hanging.holder.campaign)
        clock.seconds += 100.0
        assert not here.lives(hanging.holder.campaign)


def test_where_there_are_no_locks_the_lease_decides(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", none)
    with SignOfLife(tmp_path, beat=1e6) as other, watcher(tmp_path, clock) as here:
        assert here.lives(other.holder.campaign)
        clock.seconds += 100.0
        assert not here.lives(other.holder.campaign)


@pytest.mark.parametrize("content", [b"", b"junk", b"{}", b"[" * 9000, b"\xff\xfe"])
def test_a_damaged_sign_is_a_sign_until_its_lease_has_run_out(tmp_path: Path, clock: Clock, content: bytes) -> None:
    (tmp_path / f"{OTHER}.alive").write_bytes(content)
    with watcher(tmp_path, clock) as here:
        assert here.lives(OTHER)
        assert str(read_holder(tmp_path, OTHER)) == f"campaign {OTHER}"
        clock.seconds += 100.0
        assert not here.lives(OTHER)


def test_what_another_machine_left_long_ago_by_the_folders_own_clock_is_tidied_away(
    tmp_path: Path, clock: Clock
) -> None:
    path = sign_of_another_machine(tmp_path)
    with watcher(tmp_path, clock) as here:
        own = (tmp_path / f"{here.holder.campaign}.alive").stat().st_mtime
        os.utime(path, (own, own - liveness.FORGOTTEN_SECONDS + 60))
        here.forget_the_dead()
        assert path.exists()
        os.utime(path, (own, own - liveness.FORGOTTEN_SECONDS - 60))
        here.forget_the_dead()
        assert not path.exists()
