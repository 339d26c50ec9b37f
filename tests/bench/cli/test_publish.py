"""What `publish` takes, adds and refuses."""

import json
import shutil
from pathlib import Path

import pytest
from published_folders import WORLD, change, make, records
from synthetic import write

from bench.report.folder_contents import MACHINE_PATH
from bench.report.publication import shown


def test_nothing_is_published_from_nothing(bench, tmp_path):
    result = bench("publish", tmp_path / "results" / "published" / "x", "--from", tmp_path)
    assert result.exit_code == 2
    assert "there are no records" in result.stderr
    assert bench("publish", tmp_path / "a name").exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_does_not_verify(bench, tmp_path):
    result = bench("verify", tmp_path)
    assert result.exit_code == 1
    assert "records: there are none" in result.stdout


def test_incomplete_results_are_not_published(bench, tmp_path):
    source = write(make(WORLD, 3)[1:], tmp_path / "source")
    folder = tmp_path / "results" / "published" / "x"
    result = bench("publish", folder, "--from", source)
    assert result.exit_code == 1
    assert "nsgan on digits lacks seed 0 of 3" in result.stdout
    assert not folder.exists()


def test_a_record_that_is_there_with_other_bytes_stays(bench, folder, tmp_path):
    source = Path(shutil.copytree(folder, tmp_path / "source"))
    path = records(folder)[0]
    before = path.read_bytes()
    change(records(source)[0], commit="other")
    result = bench("publish", folder, "--from", source)
    assert result.exit_code == 2
    assert "another record of the same attempt" in result.stderr
    assert path.read_bytes() == before


def test_more_seeds_can_be_added(bench, folder, tmp_path):
    source = write(make(WORLD, 4), tmp_path / "source")
    assert bench("publish", folder, "--from", source).exit_code == 0
    assert bench("verify", folder).stdout == f"{folder}: fine (24 records)\n"


def test_sample_grids_of_the_source_stay_there_and_those_of_the_folder_are_listed(bench, published, folder, tmp_path):
    source = Path(shutil.copytree(published, tmp_path / "source"))
    trial = records(folder)[0].name[:16]
    for root in (source, folder):
        (root / "artifacts" / trial).mkdir(parents=True)
        (root / "artifacts" / trial / "samples.png").write_bytes(b"png")
    fresh = tmp_path / "results" / "published" / "fresh"
    assert bench("publish", fresh, "--from", source).exit_code == 0
    assert bench("verify", fresh).exit_code == 0
    assert not (fresh / "artifacts").exists()
    assert bench("verify", folder).exit_code == 1
    assert bench("publish", folder).exit_code == 0
    assert bench("verify", folder).exit_code == 0
    assert f"artifacts/{trial}/samples.png" in json.loads((folder / "manifest.json").read_text())["files"]


def test_publishing_where_a_campaign_ran_names_what_does_not_belong(bench, folder):
    (folder / "logs").mkdir()
    (folder / "logs" / "x.log").write_text("x")
    result = bench("publish", folder)
    assert result.exit_code == 1
    assert "logs/x.log: does not belong" in result.stdout


@pytest.mark.parametrize(
    ("message", "found"),
    [
        ("cannot read /home/a/b", True), ("(/data/x/y.png)", True), ("C:\\Users\\me", True), ("~/data", True),
        ("FileNotFoundError: '/tmp/x'", True), ("a/b/c", False), ("https://example.org/a/b", False), ("1/2", False),
        ("loss is nan at step 3", False), ("and/or", False),
    ],
)  # fmt: skip
def test_paths_of_machines_are_told_from_other_slashes(message, found):
    assert bool(MACHINE_PATH.search(message)) == found


def test_a_folder_is_named_without_the_machine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shown(tmp_path / "elsewhere" / "results" / "published" / "x") == "results/published/x"
    assert shown(tmp_path / "results" / "local") == "results/local"
    assert shown(Path("./results/local/")) == "results/local"
