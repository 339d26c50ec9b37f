"""A disk that is full, at every place where something is written: a small file system of its own, filled to the brim.

Mounting one needs a namespace of users, which some machines refuse; tests with made-up errors of a full disk lie with
the code of each place.
"""

import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent


@cache
def can_mount() -> bool:
    return shutil.which("unshare") is not None and (
        subprocess.run(
            ["unshare", "--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"],
            capture_output=True,
            check=False,
        ).returncode
        == 0
    )


def on_a_disk_of(size: str, what: str, folder: Path) -> dict[str, object]:
    if not can_mount():
        pytest.skip("this machine lets nobody mount a file system of their own")
    folder.mkdir()
    program = [sys.executable, str(size), str(folder), str(HERE / "on_a_small_disk.py")]
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", SCRIPT, *program, what],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(HERE)])},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


SCRIPT = 'mount -t tmpfs -o size="$1" none "$2" && exec "$0" "$3" "$2" "$4"'


def test_no_record_is_lost_and_the_folder_that_has_them_is_named(tmp_path: Path) -> None:
    seen = on_a_disk_of("4m", "during_records", tmp_path / "disk")
    assert seen["recorded"] >= 1
    assert seen["recorded"] + seen["rescued"] == 3
    assert seen["rescued"] >= 1
    assert "No space left on device" in seen["said"]
    assert "make room, and move them into" in seen["said"]
    assert len(seen["in the end"]) == 3, "moved to their place, they are whole"
    assert set(seen["in the end"]) <= {"ok", "not_learned"}
    assert ["could not be kept (" in message for message in seen["messages"]] == [False, True, True]
    assert seen["again"] == 0, "and nothing is to be trained again"


def test_a_trial_goes_on_without_its_checkpoint_and_has_the_same_numbers(tmp_path: Path) -> None:
    seen = on_a_disk_of("1m", "during_a_checkpoint", tmp_path / "disk")
    full, roomy = seen["notes"]
    assert full == ["its checkpoint cannot be written (No space left on device): an interruption costs all of it"]
    assert roomy == []
    assert seen["same"]
    assert seen["left"] == []


def test_a_cache_that_has_no_room_costs_time_alone(tmp_path: Path) -> None:
    seen = on_a_disk_of("1m", "during_a_cache", tmp_path / "disk")
    assert (seen["status"], seen["read"], seen["left"]) == ("ok", 250, [])


def test_the_report_before_stays_and_one_line_says_why(tmp_path: Path) -> None:
    seen = on_a_disk_of("256k", "during_a_report", tmp_path / "disk")
    assert seen["code"] == 2, "another place would help"
    assert seen["said"].count("\n") == 1
    assert "No space left on device" in seen["said"]
    assert seen["page"] == "the one before"
    assert seen["left"] == ["of-others", "report.html"]
