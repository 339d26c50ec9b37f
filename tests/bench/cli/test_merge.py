"""`merge` as a user meets it."""

import errno
import json
import os

import pytest
from planted_records import planted_record
from synthetic import write

from bench import data

DIGITS = data.workload("digits")


def planted(seed, **changes):
    return planted_record(DIGITS, "bce_ns", seed, name="nsgan", **changes)


def test_folders_are_united_and_what_was_done_is_counted(bench, tmp_path):
    one = write([planted(0), planted(1)], tmp_path / "one")
    two = write([planted(1), planted(2)], tmp_path / "two")
    result = bench("merge", one, two, "--into", tmp_path / "all")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "note: 1 record: in the folder already",
        f"3 records added: {tmp_path / 'all'}",
    ]
    assert bench("leaderboard", "--results", tmp_path / "all").exit_code == 0


def test_a_contradiction_is_named_and_fails_a_build(bench, tmp_path):
    one, two = write([planted(0)], tmp_path / "one"), write([planted(0, distance=3.0)], tmp_path / "two")
    result = bench("merge", one, two, "--into", tmp_path / "all")
    assert result.exit_code == 1
    assert f"{two}/records/{planted(0).trial_id}.0.json: nsgan on digits, seed 0, differs in history, " in result.stdout
    document = json.loads(bench("merge", one, two, "--into", tmp_path / "all", "--json").stdout)
    assert document["conflicts"][0]["trial_id"] == planted(0).trial_id
    assert "metrics.distance" in document["conflicts"][0]["differing"]


def test_a_folder_is_not_united_with_itself(bench, tmp_path):
    one = write([planted(0)], tmp_path / "one")
    result = bench("merge", one, "--into", one)
    assert result.exit_code == 2
    assert "cannot be united with itself" in result.stderr


def test_a_damaged_record_is_named_and_nothing_is_said_to_be_added(bench, tmp_path):
    one = write([planted(0)], tmp_path / "one")
    path = next((one / "records").iterdir())
    path.write_text("{")
    result = bench("merge", one, "--into", tmp_path / "all")
    assert result.exit_code == 2
    assert str(path) in result.stderr


@pytest.mark.timeout(60)
@pytest.mark.parametrize("odd", ["pipe", "dangling", "device"])
@pytest.mark.parametrize("place", ["artifacts/{}/samples.png", "logs/{}.0.log"])
def test_what_cannot_be_copied_is_named(bench, tmp_path, odd, place):
    one = write([planted(0)], tmp_path / "one")
    path = one / place.format(planted(0).trial_id)
    path.parent.mkdir(parents=True)
    if odd == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("nowhere" if odd == "dangling" else "/dev/full")
    result = bench("merge", one, "--into", tmp_path / "all")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {path}")
    assert "cannot be read: " in result.stderr
    path.unlink()
    assert bench("merge", one, "--into", tmp_path / "all").stdout.startswith("1 record added")


def test_a_full_disk_is_named_by_the_record_that_it_has_no_room_for(bench, tmp_path, monkeypatch):
    one = write([planted(0)], tmp_path / "one")

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    result = bench("merge", one, "--into", tmp_path / "all")
    assert result.exit_code == 1
    name = f"{planted(0).trial_id}.0.json"
    assert result.stderr == f"error: {tmp_path / 'all' / 'records' / name}: No space left on device\n"


def test_folders_without_records_are_named(bench, tmp_path):
    """As the folder around those that were meant, or that of a job that has not begun."""
    around = write([planted(0)], tmp_path / "around" / "one").parent
    result = bench("merge", around, "--into", tmp_path / "all")
    assert result.exit_code == 2
    assert f"there are no records in {around}; " in result.stderr
    assert not (tmp_path / "all").exists()
    result = bench("merge", around, around / "one", "--into", tmp_path / "all")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"note: there are no records in {around}",
        f"1 record added: {tmp_path / 'all'}",
    ]


def test_a_folder_that_is_not_there_is_bad_input(bench, tmp_path):
    assert bench("merge", tmp_path / "none", "--into", tmp_path / "all").exit_code == 2
