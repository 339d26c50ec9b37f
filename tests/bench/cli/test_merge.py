"""`merge` as a user meets it."""

import json

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


def test_a_folder_that_is_not_there_is_bad_input(bench, tmp_path):
    assert bench("merge", tmp_path / "none", "--into", tmp_path / "all").exit_code == 2
