"""`baseline freeze`."""

import math
import re
from dataclasses import replace

import msgspec
import pytest
from planted_records import make_toy, make_workload, planted_record
from synthetic import World, make, write

from bench.store.baseline import read_baseline
from bench.store.journal import Store

WORLD = World(methods=("nsgan", "hinge"), workloads=("digits", "polygons"), scatter=0.1)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return write(make(WORLD, 3, 0), tmp_path / "results")


def test_freeze_writes_where_compare_looks(bench, folder):
    result = bench("baseline", "freeze", "main", "--results", folder)
    assert result.exit_code == 0
    found = read_baseline(folder.parent / "baselines" / "main.jsonl")
    assert result.stdout == (f"12 trials of 4 cells: baselines/main.jsonl, digest {found.header.digest[:12]}\n")
    again = bench("compare", "main", folder)
    assert again.exit_code == 0
    assert "4 equivalent" in again.stdout


def test_freezing_twice_gives_the_same_bytes(bench, folder):
    for name in ("a", "b"):
        bench("baseline", "freeze", "main", "--results", folder, "--output", folder / f"{name}.jsonl")
    assert (folder / "a.jsonl").read_bytes() == (folder / "b.jsonl").read_bytes()


def test_a_baseline_is_replaced_on_request_only_and_says_what_changes(bench, folder):
    bench("baseline", "freeze", "main", "--results", folder)
    path = folder.parent / "baselines" / "main.jsonl"
    old = path.read_bytes()
    other = replace(WORLD, methods=("nsgan", "lsgan"), effects={"nsgan": math.log(2)}, failure_rates={"lsgan": 1.0})
    changed = write(make(other, 3, 0), folder.parent / "changed")
    refused = bench("baseline", "freeze", "main", "--results", changed)
    assert refused.exit_code == 2
    assert "--replace" in refused.stderr
    assert path.read_bytes() == old

    result = bench("baseline", "freeze", "main", "--results", changed, "--replace")
    assert result.exit_code == 0
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    nsgan = next(line for line in lines if line.startswith("nsgan digits"))
    assert nsgan.endswith("×2.00")
    assert nsgan.count("(3 runs)") == 2
    assert any(line.startswith("hinge digits") and line.endswith("removed") for line in lines)
    assert any(line.startswith("lsgan digits") and "failed (3 runs) added" in line for line in lines)
    assert {record.spec.method_name for record in read_baseline(path).records} == {"nsgan", "lsgan"}


def test_scores_of_two_scoring_versions_have_no_difference(bench, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    toy = make_toy()
    changes = [
        {"protocol_version": "1.0"},
        {"protocol_version": "1.1", "metrics": {"high_quality": 0.0989}},
        {"protocol_version": "1.1", "metrics": {"high_quality_ceiling": 0.0}},
    ]
    made = [write([planted_record(toy, "nsgan", **each)], tmp_path / str(place)) for place, each in enumerate(changes)]
    bench("baseline", "freeze", "main", "--results", made[0])
    told = []
    for folder in made[1:]:
        result = bench("baseline", "freeze", "main", "--results", folder, "--replace")
        line = next(line for line in result.stdout.splitlines() if line.split()[:1] == ["nsgan"])
        told.append(" ".join(line.split()))
    assert told == [
        "nsgan ring8 score 0.976 (1 run) 0.098 (1 run) other scoring",
        "nsgan ring8 score 0.098 (1 run) – –",
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"components": {"losses": "2", "extractor": "digits-cnn-v1"}}, "×3.00"),
        ({"components": {"losses": "1", "extractor": "digits-cnn-v2"}}, "other measure"),
        ({"components": {"losses": "1", "extractor": "digits-cnn-v1"}, "data_hash": "1" * 64}, "other data"),
    ],
)
def test_distances_that_compare_refuses_have_no_ratio(bench, tmp_path, monkeypatch, changes, said):
    monkeypatch.chdir(tmp_path)
    digits, before = make_workload(), {"losses": "1", "extractor": "digits-cnn-v1"}
    old = write([planted_record(digits, distance=100.0, components=before)], tmp_path / "old")
    new = write([planted_record(digits, distance=300.0, **changes)], tmp_path / "new")
    bench("baseline", "freeze", "main", "--results", old)
    result = bench("baseline", "freeze", "main", "--results", new, "--replace")
    line = next(line for line in result.stdout.splitlines() if line.split()[:1] == ["nsgan"])
    assert " ".join(line.split()) == f"nsgan digits distance 100 (1 run) 300 (1 run) {said}"


@pytest.mark.parametrize("name", ["", "../x", ".hidden", "a b", "x/y"])
def test_a_name_is_a_name(bench, folder, name):
    result = bench("baseline", "freeze", name, "--results", folder)
    assert result.exit_code == 2
    assert "name" in result.stderr


def test_lost_runs_are_left_out_and_counted(bench, folder):
    record = Store(folder).records()[0]
    write([msgspec.structs.replace(record, status="timeout")], folder)
    result = bench("baseline", "freeze", "main", "--results", folder)
    assert result.stdout.startswith("11 trials of 4 cells")
    assert "left out: 1 record ended in a timeout or an error" in result.stdout


def test_every_folder_of_images_is_kept(bench, folder, image_folders):
    here = image_folders("photos", "cats", "dogs")
    result = bench("baseline", "freeze", "photos", "--results", here)
    assert result.stdout.startswith("20 trials of 2 cells: ")
    assert "left out" not in result.stdout
    result = bench("baseline", "freeze", "photos", "--results", image_folders("later", dogs=3.0), "--replace")
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert [line for line in lines if line.startswith("nsgan")] == [
        "nsgan imagefolder:/photos/cats?size=32 distance 104 (10 runs) – removed",
        "nsgan imagefolder:/photos/dogs?size=32 distance 104 (10 runs) 314 (10 runs) ×3.00",
    ]


def test_nothing_to_freeze(bench, folder, tmp_path):
    assert bench("baseline", "freeze", "main", "--results", tmp_path / "none").exit_code == 2
    lost = [msgspec.structs.replace(record, status="error") for record in make(WORLD, 2, 0)]
    result = bench("baseline", "freeze", "main", "--results", write(lost, tmp_path / "lost"))
    assert result.exit_code == 2
    assert "has a result" in result.stderr


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (lambda content: b"<<<<<<< ours\n", "is not a baseline"),
        (lambda content: content.replace(b'"schema_version":', b'"schema_version":9', 1), "by a newer program"),
    ],
)
def test_what_is_no_baseline_of_this_program_is_not_replaced(bench, folder, content, words):
    bench("baseline", "freeze", "main", "--results", folder)
    path = folder.parent / "baselines" / "main.jsonl"
    path.write_bytes(content(path.read_bytes()))
    before = path.read_bytes()
    result = bench("baseline", "freeze", "main", "--results", folder, "--replace")
    assert result.exit_code == 2
    assert words in result.stderr
    assert path.read_bytes() == before


def test_no_baseline_is_written_that_compare_takes_for_something_else(bench, folder):
    refused = bench("baseline", "freeze", "main", "--results", folder, "--output", "base.json")
    assert refused.exit_code == 2
    assert "--output base.json: name it base.jsonl" in refused.stderr
    assert not (folder.parent / "base.json").exists()
    for name in ("base.jsonl", "base.txt", "base"):
        assert bench("baseline", "freeze", "main", "--results", folder, "--output", name).exit_code == 0
        assert bench("compare", name, folder).exit_code == 0


def test_a_copy_that_was_edited_is_frozen_again_where_it_lies(bench, folder):
    """Its name is that of the first one, which is whole and stays."""
    bench("baseline", "freeze", "main", "--results", folder)
    whole = folder.parent / "baselines" / "main.jsonl"
    copy = folder.parent / "old.jsonl"
    copy.write_bytes(whole.read_bytes()[:-200])
    refused = bench("compare", copy.name, folder)
    (said,) = re.findall("with: python -m bench (.*)", refused.stderr)
    assert said == "baseline freeze main --output old.jsonl --replace"
    kept = whole.stat().st_mtime_ns
    assert bench(*said.split(), "--results", folder).exit_code == 0
    assert (copy.read_bytes(), whole.stat().st_mtime_ns) == (whole.read_bytes(), kept)


@pytest.mark.parametrize("style", ["table", "json"])
@pytest.mark.parametrize(
    "edited",
    [
        lambda content: content.replace(b'"seed":1', b'"seed":7', 1),
        lambda content: content[:-200],
        lambda content: content.replace(b'"trials":12', b'"trials":13', 1),
    ],
)
def test_a_baseline_that_was_edited_is_frozen_again_as_its_error_says(bench, folder, edited, style):
    bench("baseline", "freeze", "main", "--results", folder)
    path = folder.parent / "baselines" / "main.jsonl"
    before = path.read_bytes()
    path.write_bytes(edited(before))
    refused = bench("compare", "main", folder)
    assert refused.exit_code == 2
    assert "python -m bench baseline freeze main --replace" in refused.stderr
    result = bench("baseline", "freeze", "main", "--replace", "--results", folder, "--format", style)
    assert result.exit_code == 0
    assert result.stderr == (
        "baselines/main.jsonl was no longer as it was written: it is replaced, and its old values are not listed\n"
    )
    assert "added" not in result.stdout
    assert path.read_bytes() == before
