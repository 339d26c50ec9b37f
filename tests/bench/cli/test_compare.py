"""`compare`: exit codes, formats, and what may be compared."""

import json
import math
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace

import msgspec
import pytest
from compared_sets import WORLD
from synthetic import make, write


def test_0_where_nothing_got_worse(bench, base, sets):
    result = bench("compare", base, sets())
    assert result.exit_code == 0
    assert result.stdout.startswith("0 of 3 cells worse; ")
    assert "No regression found." in result.stdout


@pytest.mark.parametrize("truth", [{"effects": {"hinge": math.log(1.4)}}, {"speeds": {"hinge": 0.85}}])
def test_1_for_a_regression(bench, base, sets, truth):
    result = bench("compare", base, sets(**truth))
    assert result.exit_code == 1
    assert result.stdout.startswith("1 of 3 cells worse")


@pytest.mark.parametrize("truth", [{"effects": {"hinge": -math.log(1.4)}}, {"speeds": {"hinge": 1.2}}])
def test_1_for_an_improvement_that_is_not_allowed(bench, base, sets, truth):
    new = sets(**truth)
    result = bench("compare", base, new)
    assert result.exit_code == 1
    assert "nobody has explained" in result.stdout
    assert bench("compare", base, new, "--allow-improvement").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["base"], "Missing argument 'NEW'"),
        (["base", "nowhere"], "NEW is nowhere (not there)"),
        (["base", "base", "--stage", "2"], "--stage 2 needs --flagged FILE"),
        (["base", "base", "--flagged", "x.json"], "--flagged belongs to --stage 1"),
        (
            ["base", "base", "--stage", "2", "--flagged", "x.json"],
            "the flagged cells: x.json cannot be read: No such file",
        ),
        (["base", "base", "--output", "report.html"], "name it .md, .json or .xml"),
        (["base", "base", "--threshold", "0"], "--threshold"),
        (["base", "base", "--threshold", "nan"], "nan is no finite number; give one in the range x>0"),
        (["base", "base", "--threshold", "inf"], "inf is no finite number; give one in the range x>0"),
        (["", "base"], "BASE: it is empty, as an unset variable is; write . for the current folder"),
        (["base", ""], "NEW: it is empty"),
        (["base", "base", "--losses", ""], "'--losses': it is empty"),
        ([".", "base"], "both hold the results in "),
        (["base", "."], "both hold the results in "),
        (["base", "base", "--losses", "none.py"], "--losses none.py: there is no such file"),
        (["base", "git:nonsense"], "not a git repository"),
        (["base", "--stage", "3", "base"], "'3' is not one of"),
    ],
)
def test_2_for_bad_input(bench, base, monkeypatch, arguments, words):
    monkeypatch.chdir(base.parent)
    result = bench("compare", *arguments)
    assert result.exit_code == 2
    assert words in result.stderr


def test_a_folder_may_be_compared_with_itself_and_with_what_lies_within_it_apart(bench, base, sets):
    assert bench("compare", base, base).exit_code == 0
    write(make(WORLD, 10, 1), base / "later")
    assert bench("compare", base, base / "later").exit_code == 0
    assert bench("compare", base.parent, base.parent).exit_code == 0


def test_3_on_the_first_run_says_how_to_begin(bench, sets, tmp_path):
    new = sets()
    for missing, name in (("main", "main"), (tmp_path / "nowhere.jsonl", "NAME")):
        result = bench("compare", missing, new)
        assert result.exit_code == 3
        assert f"python -m bench baseline freeze {name} --results {new}" in result.stderr
        assert "Nothing was compared, which is no pass." in result.stdout


def test_an_empty_folder_lends_no_baseline_its_name(bench, sets, tmp_path, monkeypatch):
    """The folder would still be compared after `baseline freeze main`."""
    new = sets()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "main").mkdir()
    result = bench("compare", "main", new)
    assert result.exit_code == 3
    assert f"To begin: python -m bench baseline freeze NAME --results {new}" in result.stderr


@pytest.mark.parametrize("side", ["base", "new"])
def test_3_for_an_empty_folder(bench, base, tmp_path, side):
    empty = tmp_path / "empty"
    empty.mkdir()
    sides = (empty, base) if side == "base" else (base, empty)
    result = bench("compare", *sides)
    assert result.exit_code == 3
    assert f"{side.upper()} has no result" in result.stdout


def test_3_where_the_sets_have_nothing_in_common(bench, base, sets):
    assert bench("compare", base, sets(methods=("wgan-gp",))).exit_code == 3


@pytest.mark.parametrize("worse", ["cats", "dogs"])
def test_1_for_a_regression_on_one_of_two_folders_of_images(bench, image_folders, worse):
    """Two folders are two workloads: neither hides the other, whichever was run last."""
    other = {"cats": "dogs", "dogs": "cats"}[worse]
    base = image_folders("base", "cats", "dogs")
    result = bench("compare", base, image_folders("new", other, **{worse: 3.0}))
    assert result.exit_code == 1
    assert result.stdout.startswith("1 of 2 cells worse")
    rows = bench("compare", base, base.parent / "new", "--format", "md").stdout
    assert re.search(rf"worse \| nsgan \| imagefolder:/photos/{worse}\?size=32 \|", rows)
    assert bench("compare", base, image_folders("both", "dogs", "cats")).exit_code == 0
    root = ET.fromstring(bench("compare", base, base, "--format", "junit").stdout)
    names = {case.get("name").partition(",")[0] for case in root.iter("testcase")}
    assert names == {f"nsgan on imagefolder:/photos/{images}?size=32" for images in ("cats", "dogs")}


def test_1_for_a_folder_of_images_that_is_missing(bench, image_folders):
    result = bench("compare", image_folders("base", "cats", "dogs"), image_folders("new", "cats"))
    assert result.exit_code == 1
    assert "Unseen: NEW has no result (1)" in result.stdout
    assert bench("compare", image_folders("new", "cats"), image_folders("base", "cats", "dogs")).exit_code == 0


def test_a_run_that_was_lost_under_another_version_hides_no_results(bench, base, sets):
    """Neither side's numbers are outdated by it; of NEW it is a run that nobody has looked at."""
    worse = sets(effects={"hinge": math.log(1.4)})
    for record in make(replace(WORLD, methods=("hinge",)), 1, 3):
        trial = msgspec.structs.replace(record.trial, components={**record.components, "engine": "99"})
        lost = {"trial_id": trial.id, "components": trial.components, "status": "error", "metrics": {}}
        later = msgspec.structs.replace(record, finished_at="2099-01-01T00:00:00+00:00", **lost)
        write([later], base)
    result = bench("compare", base, worse)
    assert result.exit_code == 1
    assert result.stdout.startswith("1 of 3 cells worse")
    assert bench("compare", base, sets("equal")).exit_code == 0
    result = bench("compare", sets("equal"), base)
    assert result.exit_code == 1
    assert "1 of NEW's runs lost" in result.stdout


def test_3_for_another_protocol(bench, base, tmp_path):
    changed = []
    for record in make(WORLD, 10, 1):
        trial = msgspec.structs.replace(record.trial, spec=msgspec.structs.replace(record.spec, protocol_version="1.1"))
        changed.append(msgspec.structs.replace(record, protocol_version="1.1", spec=trial.spec, trial_id=trial.id))
    result = bench("compare", base, write(changed, tmp_path / "next"))
    assert result.exit_code == 3
    assert "3 not comparable: protocol 1.0 against 1.1" in result.stdout


def test_3_for_too_few_seeds_to_tell_anything(bench, base, sets):
    result = bench("compare", base, sets(seeds=1))
    assert result.exit_code == 3
    assert "Too few seeds for any difference to be found: quality 3 of 3" in result.stdout


def test_other_machines_have_no_throughput_gate_and_it_is_said(bench, base, sets):
    result = bench("compare", base, sets(fingerprint="elsewhere", speeds={"hinge": 0.5}))
    assert result.exit_code == 0
    assert "changed: fingerprint: cafe01234567 → elsewhere" in result.stdout
    assert "Throughput was not compared" in result.stdout


def test_the_threshold_is_a_percentage(bench, base, sets):
    new = sets(speeds={"hinge": 0.85})
    assert bench("compare", base, new, "--threshold", 30).exit_code == 0
    assert bench("compare", base, new, "--threshold", 8).exit_code == 1


def test_all_formats_and_files_agree(bench, base, sets, tmp_path):
    new = sets(effects={"hinge": math.log(1.4)})
    files = [tmp_path / "out" / name for name in ("a.md", "a.json", "a.xml")]
    outputs = [word for path in files for word in ("--output", path)]
    table = bench("compare", base, new, *outputs)
    for style, path in zip(("md", "json", "junit"), files, strict=True):
        printed = bench("compare", base, new, "--format", style)
        assert printed.exit_code == table.exit_code == 1
        assert printed.stdout == path.read_text()
    summary = json.loads(files[1].read_text())["summary"]
    assert table.stdout.startswith(summary)
    assert files[0].read_text().startswith(f"### {summary}")
    assert ET.parse(files[2]).getroot().get("failures") == "1"


def test_markdown_is_appended_to_the_step_summary(bench, base, sets, tmp_path, monkeypatch):
    path = tmp_path / "summary.md"
    path.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
    markdown = bench("compare", base, sets(), "--format", "md").stdout
    assert path.read_text() == f"before\n{markdown}"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "no" / "folder.md"))
    assert bench("compare", base, base).exit_code == 2


@pytest.mark.slow
def test_a_reader_that_leaves_early_costs_no_file(base, sets, tmp_path):
    new = sets(effects={"hinge": math.log(1.4)})
    flagged = tmp_path / "flagged.json"
    command = f"{sys.executable} -m bench compare {base} {new} --stage 1 --flagged {flagged} | head -n 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert "1 flagged" in done.stdout
    assert len(json.loads(flagged.read_text())["cells"]) == 1


def test_git_revisions_and_baselines_are_read(bench, base, sets, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    new = sets(effects={"hinge": math.log(1.4)})
    assert bench("baseline", "freeze", "main", "--results", base).exit_code == 0
    for command in ("init -q", "add -A", "-c user.name=X -c user.email=x@example.org commit -q -m first"):
        subprocess.run(["git", *command.split()], cwd=tmp_path, check=True, capture_output=True)
    said = {
        bench("compare", old, new, "--format", "json").stdout.partition('"base":')[0]
        for old in (base, "main", "baselines/main.jsonl", "git:HEAD:base", "git:HEAD:baselines/main.jsonl")
    }
    assert len(said) == 1
    assert "1 of 3 cells worse" in said.pop()
    assert bench("compare", "git:HEAD", new).exit_code == 3
    assert bench("compare", "git:gone", new).exit_code == 2


def test_a_folder_of_results_folders_is_one_set(bench, base, sets, tmp_path):
    records = make(WORLD, 10, 0)
    write(records[:15], tmp_path / "published" / "a")
    write(records[15:], tmp_path / "published" / "b")
    result = bench("compare", tmp_path / "published", base)
    assert result.exit_code == 0
    assert "3 equivalent" in result.stdout
    assert "identical" in result.stdout
