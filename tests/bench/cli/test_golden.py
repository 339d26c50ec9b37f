"""`golden`, and `compare` of what it writes."""

import json

import pytest


@pytest.fixture
def recorded(bench, tmp_path, monkeypatch):
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    path = tmp_path / "base.json"
    result = bench("golden", "nsgan", "hinge", "--output", path)
    assert result.exit_code == 0
    assert result.stdout == f"2 golden traces: {path}\n"
    return path


def changed(path, to):
    document = json.loads(path.read_text())
    document["traces"][1]["values"]["generator_loss"][3] *= 1.01
    to.write_text(json.dumps(document))
    return to


def test_from_the_recording_to_the_verdict(bench, recorded, tmp_path):
    same = bench("compare", recorded, recorded)
    assert same.exit_code == 0
    assert same.stdout.startswith("0 of 2 golden traces changed; 2 equivalent.\nNo regression found.\n")
    new = changed(recorded, tmp_path / "new.json")
    files = [tmp_path / f"found.{suffix}" for suffix in ("md", "json", "xml")]
    outputs = [word for file in files for word in ("--output", file)]
    result = bench("compare", recorded, new, "--allow-improvement", *outputs)
    assert result.exit_code == 1
    assert result.stdout.startswith("1 of 2 golden traces changed; 1 equivalent.\nChanged: ")
    assert "generator_loss at step 3: " in result.stdout
    assert "Likely culprit: bce_ns, in that method and in no method that did not change: raise" in result.stdout
    assert "| changed | nsgan | 9.9e-03 | generator\\_loss at step 3" in files[0].read_text()
    document = json.loads(files[1].read_text())
    assert document["outcome"] == "regression"
    assert [words.split()[0] for words in document["warnings"]] == ["Numbers", "Likely"]
    assert {row["name"]: row["verdict"] for row in document["rows"]} == {"hinge": "equivalent", "nsgan": "worse"}
    assert 'name="golden" tests="2" failures="1"' in files[2].read_text()


@pytest.mark.slow
def test_a_file_of_before_revisions_is_read_and_damage_is_told(bench, recorded, tmp_path):
    document = json.loads(recorded.read_text())
    assert document["schema_version"] == 2
    for trace in document["traces"]:
        del trace["revisions"]
    old = tmp_path / "old.json"
    old.write_text(json.dumps(document | {"schema_version": 1}))
    result = bench("compare", old, recorded)
    assert result.exit_code == 0
    assert "Numbers changed" not in result.stdout
    old.write_text(json.dumps(document).replace('"device": "cpu"', '"device": "cpu", "device": "cpu"'))
    result = bench("compare", old, recorded)
    assert result.exit_code == 2
    assert "the key 'device' is there twice" in result.stderr


def test_without_a_baseline_it_is_no_pass_and_says_how_to_begin(bench, recorded, tmp_path):
    result = bench("compare", tmp_path / "none.json", recorded)
    assert result.exit_code == 3
    assert "python -m bench golden --output FILE" in result.stderr


@pytest.mark.slow
def test_two_of_a_kind(bench, recorded, tmp_path):
    timings = tmp_path / "timings.json"
    timings.write_text(
        json.dumps({"machine_info": {}, "benchmarks": [{"fullname": "r1", "stats": {"data": [1.0, 1.1]}}]})
    )
    (tmp_path / "folder").mkdir()
    for one, other in ((recorded, timings), (timings, recorded), (recorded, tmp_path / "folder")):
        result = bench("compare", one, other)
        assert result.exit_code == 2
        assert "golden traces" in result.stderr
        assert "give two of a kind" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nsgn", "--output", "x.json"], "nsgan"),
        (["nsgan", "--output", "x.txt"], "name it .json"),
        (["nsgan"], "Missing option '-o' / '--output'"),
        (["bce_ns + pack(size=3)", "--output", "x.json"], "does not divide the batch of 16"),
    ],
)
def test_bad_input(bench, arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = bench("golden", *arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert not list(tmp_path.iterdir())
