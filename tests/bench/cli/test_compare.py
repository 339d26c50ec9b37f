"""`compare`: exit codes, formats, what may be compared, and the way through two stages."""

import json
import math
import re
import shlex
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace

import msgspec
import pytest
from planted_kernels import MACHINE, noisy_kernels
from synthetic import World, make, write

from bench.config.suite import load_suite
from bench.plan import expand
from bench.store.journal import Store
from bench.store.kernels import KernelStore
from bench.store.record import Outcome, make_record

WORLD = World(methods=("nsgan", "hinge", "lsgan"), workloads=("digits",), scatter=0.1)


@pytest.fixture(autouse=True)
def _outside_of_actions(monkeypatch):
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)


@pytest.fixture
def base(tmp_path):
    return write(make(WORLD, 10, 0), tmp_path / "base")


@pytest.fixture
def sets(tmp_path, base):
    """Write a set that differs from the base by luck and by what is given."""

    def make_set(name="new", seeds=10, draw=1, **truth):
        return write(make(replace(WORLD, **truth), seeds, draw), tmp_path / name)

    return make_set


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


def timings(path, seconds, brand="Test CPU"):
    machine = {"cpu": {"brand_raw": brand, "count": 2}, "python_version": "3.12.0"}
    rounds = [seconds * (1 + 0.001 * place) for place in range(20)]
    path.write_text(
        json.dumps({"machine_info": machine, "benchmarks": [{"fullname": "r1", "stats": {"data": rounds}}]})
    )
    return path


def test_kernel_timings(bench, base, tmp_path):
    old, slow, other = (
        timings(tmp_path / name, seconds, brand)
        for name, seconds, brand in (
            ("old.json", 1.0, "Test CPU"),
            ("slow.json", 1.2, "Test CPU"),
            ("other.json", 1.2, "Other CPU"),
        )
    )
    result = bench("compare", old, slow)
    assert result.exit_code == 1
    assert result.stdout.startswith("1 of 1 benchmark worse")
    assert bench("compare", old, old).exit_code == 0
    assert bench("compare", old, other).exit_code == 3
    assert bench("compare", tmp_path / "none.json", slow).exit_code == 3
    for mixed in ((old, base), (base, old)):
        result = bench("compare", *mixed)
        assert result.exit_code == 2
        assert "two of a kind" in result.stderr


@pytest.fixture
def timed(tmp_path):
    """Write kernel records into a results folder."""

    def make_folder(name, seed, **changes):
        for method in ("nsgan", "hinge"):
            KernelStore(tmp_path / name).append(noisy_kernels(method, seed, **changes))
        return tmp_path / name

    return make_folder


def test_folders_of_kernel_records_alone(bench, timed, tmp_path):
    old, new, slow = timed("old", 1), timed("new", 2), timed("slow", 2, slower={"d_step": 1.25})
    result = bench("compare", old, new)
    assert result.exit_code == 0
    assert result.stdout.startswith("0 of 8 benchmarks worse; ")
    assert f"BASE  {old}, 2 kernel records" in result.stdout
    result = bench("compare", old, slow)
    assert result.exit_code == 1
    assert result.stdout.startswith("1 of 8 benchmarks worse")  # nsgan is the reference, which is gated loosely
    assert bench("compare", old, slow, "--threshold", 30).exit_code == 0
    elsewhere = timed("elsewhere", 2, machine=msgspec.structs.replace(MACHINE, fingerprint="e" * 12))
    result = bench("compare", old, elsewhere)
    assert result.exit_code == 3
    assert "8 not comparable: measured on other machines: A CPU x2" in result.stdout
    result = bench("compare", tmp_path / "nowhere", new)
    assert result.exit_code == 3
    assert f"Keep a copy of {new} as the baseline" in result.stderr


def test_trials_and_kernel_records_of_one_folder_in_all_formats(bench, base, sets, timed):
    new = sets()
    assert bench("compare", timed("base", 1), new).stdout.startswith("0 of 3 cells worse")  # one side alone has some
    timed("new", 2, slower={"d_step": 1.25})
    table = bench("compare", base, new)
    assert table.exit_code == 1
    assert table.stdout.startswith("1 of 11 cells worse")
    assert re.search(r"worse +hinge d_step +batch 64, 32x32x3", table.stdout)
    rows = json.loads(bench("compare", base, new, "--format", "json").stdout)["rows"]
    assert sorted(row["name"] for row in rows if row["verdict"] == "worse") == ["hinge d_step"]
    root = ET.fromstring(bench("compare", base, new, "--format", "junit").stdout)
    assert root.find("testsuite[@name='timing']").get("failures") == "1"
    lines = [line for line in bench("compare", base, new, "--format", "md").stdout.splitlines() if line[:1] == "|"]
    assert len({line.count("|") for line in lines}) == 1


def test_a_folder_of_several_folders_has_the_kernel_records_of_all(bench, timed, tmp_path):
    timed("all/one", 1)
    assert ", 2 kernel records" in bench("compare", tmp_path / "all", timed("new", 2)).stdout


def test_a_results_folder_may_be_called_kernels(bench, base, timed, tmp_path):
    """As that of the published timings is, which lies beside those of trials."""
    shutil.copytree(base, tmp_path / "all" / "trials")
    (timed("all/kernels", 1) / "README.md").touch()
    result = bench("compare", base, tmp_path / "all")
    assert result.exit_code == 0
    assert ", 2 kernel records" in result.stdout
    assert result.stdout.startswith("0 of 3 cells worse")
    assert "make some with" in bench("report", "--results", tmp_path / "all").stderr
    assert "of kernel timings" not in bench("verify", tmp_path / "all").stdout


def test_kernel_records_that_were_copied_into_each_other_are_named(bench, timed):
    old, new = timed("old", 1), timed("new", 2)
    shutil.copytree(old / "kernels", new / "kernels" / "kernels")
    result = bench("compare", old, new)
    assert result.exit_code == 2
    assert f"{new / 'kernels' / 'kernels'} is not a kernel record" in result.stderr


@pytest.mark.parametrize("name", ["kernels", "records"])
def test_a_results_folder_may_be_called_what_is_in_it(bench, timed, sets, tmp_path, name):
    """As results/published/kernels is, with a README beside its kernel records."""
    (tmp_path / "both").mkdir()
    for place, made in ((name, timed("costs", 1)), ("trials", sets("trained"))):
        made.rename(tmp_path / "both" / place)
    (tmp_path / "both" / name / "README.md").write_text("What was asked.")
    result = bench("compare", tmp_path / "both", tmp_path / "both")
    assert result.exit_code == 0, result.stderr
    assert "30 records, digest" in result.stdout
    assert ", 2 kernel records" in result.stdout


def test_a_damaged_kernel_record_is_bad_input(bench, timed):
    old, new = timed("old", 1), timed("new", 2)
    next((new / "kernels").iterdir()).write_text("{}")
    result = bench("compare", old, new)
    assert result.exit_code == 2
    assert "have it measured again" in result.stderr


def test_two_stages_from_the_screen_to_the_verdict(bench, base, sets, tmp_path):
    truth = {"effects": {"hinge": math.log(1.4)}}
    new, flagged = sets(seeds=5, draw=2, **truth), tmp_path / "flagged.json"
    screen = bench("compare", base, new, "--stage", 1, "--flagged", flagged)
    assert screen.exit_code == 1
    assert "1 flagged, which fresh seeds must confirm" in screen.stdout
    (command,) = json.loads(flagged.read_text())["commands"]
    assert command in screen.stdout

    early = bench("compare", base, new, "--stage", 2, "--flagged", flagged)
    assert early.exit_code == 1
    early = bench("compare", base, new, "--stage", 2, "--flagged", flagged, "--format", "json")
    assert "flagged, and no fresh seed has been run" in early.stdout

    write(make(replace(WORLD, methods=("hinge",), **truth), range(5, 10), 2), new)
    confirmed = bench("compare", base, new, "--stage", 2, "--flagged", flagged)
    assert confirmed.exit_code == 1
    assert confirmed.stdout.startswith("1 of 3 cells worse")

    innocent = sets("innocent", seeds=5, draw=2, **truth)
    write(make(replace(WORLD, methods=("hinge",)), range(5, 10), 2), innocent)
    assert bench("compare", base, innocent, "--stage", 2, "--flagged", flagged).exit_code == 0


@pytest.mark.parametrize("early", [0, 1])
def test_stage_2_passes_nothing_that_stage_1_could_not_judge(bench, base, sets, tmp_path, early):
    """Of lsgan there is nothing yet, or a single seed, when stage 1 looks; then it turns out to be ten times as bad."""
    truth = {"effects": {"hinge": math.log(1.4), "lsgan": math.log(10.0)}}
    new, flagged = sets(seeds=5, draw=2, methods=("nsgan", "hinge"), **truth), tmp_path / "flagged.json"
    write(make(replace(WORLD, methods=("lsgan",), **truth), early, 2), new)
    assert bench("compare", base, new, "--stage", 1, "--flagged", flagged).exit_code == 1
    write(make(replace(WORLD, methods=("hinge",)), range(5, 10), 2), new)  # which acquit it
    write(make(replace(WORLD, methods=("lsgan",), **truth), 5, 2), new)
    late = bench("compare", base, new, "--stage", 2, "--flagged", flagged, "--allow-missing")
    assert late.exit_code == 1
    assert "Unseen: stage 1 has not judged it: run --stage 1 again (1)." in late.stdout


def test_a_file_of_before_stage_1_said_what_it_lets_pass_can_be_read(bench, base, sets, tmp_path):
    new, flagged = sets(seeds=5, draw=2), tmp_path / "flagged.json"
    bench("compare", base, new, "--stage", 1, "--flagged", flagged)
    document = json.loads(flagged.read_text())
    assert len(document.pop("passed")) == 3
    flagged.write_text(json.dumps(document))
    assert bench("compare", base, new, "--stage", 2, "--flagged", flagged).exit_code == 0


def test_fresh_seeds_of_a_folder_of_results_folders_go_where_the_cell_is(bench, base, tmp_path):
    """Not into the folder that holds them all: once it has records itself, the folders in it are not read."""
    new = tmp_path / "new"
    for place, methods in (("some", ("nsgan", "hinge")), ("others", ("lsgan",))):
        truth = {"hinge": math.log(1.4), "lsgan": math.log(1.5)}
        write(make(replace(WORLD, methods=methods, effects=truth), 10, 2), new / place)
    flagged = tmp_path / "flagged.json"
    bench("compare", base, new, "--stage", 1, "--flagged", flagged)
    said = [shlex.split(command) for command in json.loads(flagged.read_text())["commands"]]
    places = {words[words.index("--method") + 1]: words[words.index("--results") + 1] for words in said}
    assert places == {"hinge": str(new / "some"), "lsgan(a=0, b=1, c=1)": str(new / "others")}
    first = bench("compare", "nowhere", new).stderr
    assert f"merge {new}/others {new}/some --into results/local/united, then python -m bench baseline freeze" in first


def test_the_commands_of_the_screen_run_exactly_the_fresh_seeds(bench, tmp_path):
    """Planned by the program itself, so that the trials of the command and of the records are the same."""
    overrides = {"methods": ["nsgan", "hinge + r1(gamma=1)"], "workloads": ["digits", "ring8"], "steps": 40}
    suite = load_suite("quick", overrides | {"evaluate_every": 20, "seeds": 5, "batch_size": 32})
    made_up = {record.spec.seed: record for record in make(replace(WORLD, methods=("nsgan",)), 5, 0)}
    for name, factor in (("old", 1.0), ("new", 2.0)):
        records = []
        for trial in expand(suite):
            like = made_up[trial.spec.seed]
            metrics = {**like.metrics, "distance": like.metrics["distance"] * factor, "modes": 8.0 / factor}
            metrics |= {"high_quality": 0.9, "high_quality_ceiling": 0.99}
            times = {"started_at": like.started_at, "finished_at": like.finished_at}
            records.append(make_record(trial, 0, Outcome(status="ok", metrics=metrics, cost=like.cost, **times)))
        write(records, tmp_path / name)
    flagged = tmp_path / "flagged.json"
    assert bench("compare", tmp_path / "old", tmp_path / "new", "--stage", 1, "--flagged", flagged).exit_code == 1
    document = json.loads(flagged.read_text())
    assert len(document["cells"]) == 4
    planned = {}
    for command in document["commands"]:
        words = subprocess.run(
            ["bash", "-c", f"for word in {command}; do printf '%s\\0' \"$word\"; done"],
            capture_output=True, text=True, check=True,
        ).stdout.split("\0")[:-1]  # fmt: skip
        assert words[:4] == ["python", "-m", "bench", "run"]
        result = bench(*words[3:], "--dry-run")
        assert result.exit_code == 0
        planned |= {
            line.split()[2 if "to run" in line else 1]: "to run" in line for line in result.stdout.splitlines()[1:-1]
        }
    recorded = {record.trial_id for record in Store(tmp_path / "new").records()}
    assert {name for name, fresh in planned.items() if not fresh} == recorded
    assert len([name for name, fresh in planned.items() if fresh]) == 4 * 5
