"""A published folder, wherever it lies: its tables, its checks, and what is read from it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest
from own_loss import OWN
from published_folders import WORLD, change, make
from synthetic import write
from whole_records import whole

from bench.config.trial import trial_id
from bench.report.publication import TABLES
from bench.store.journal import read_record
from bench.training.version import ENGINE_VERSION
from losses import registry

REPOSITORY = Path(__file__).parents[3]


def test_the_table_of_records_stays_as_another_arrow_wrote_it(bench, folder):
    path = folder / "records.parquet"
    pq.write_table(pq.read_table(path), path, compression="snappy")
    other = path.read_bytes()
    assert bench("verify", folder).exit_code == 1, "the manifest names other bytes"
    assert bench("publish", folder).exit_code == 0
    assert path.read_bytes() == other
    assert bench("verify", folder).exit_code == 0


def test_a_published_folder_verifies_wherever_it_lies(bench, folder, monkeypatch):
    result = bench("verify", folder)
    assert (result.exit_code, result.stdout) == (0, f"{folder}: fine (18 records)\n")
    monkeypatch.chdir(folder)
    assert bench("verify", ".").exit_code == 0
    assert sorted(path.name for path in folder.iterdir()) == [
        *sorted(TABLES),
        "manifest.json",
        "records",
        "records.parquet",
    ]


@pytest.mark.parametrize("name", TABLES)
def test_the_command_in_a_table_gives_its_bytes(bench, folder, monkeypatch, name):
    content = (folder / name).read_text(encoding="utf-8")
    command = f"python -m bench leaderboard --format {TABLES[name]} --results results/published/three"
    assert command in content
    monkeypatch.chdir(folder.parents[2])
    assert bench(*command.split()[3:]).stdout == content


def test_no_file_names_a_path_of_this_machine(folder):
    for path in folder.rglob("*"):
        if path.is_file():
            assert str(folder.parents[3]).encode() not in path.read_bytes()


def test_publishing_again_changes_nothing(bench, folder):
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert bench("publish", folder).exit_code == 0
    assert bench("publish", folder, "--from", folder).exit_code == 0
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_another_name_of_the_folder_is_found(bench, folder):
    moved = folder.rename(folder.with_name("four"))
    result = bench("verify", moved)
    assert result.exit_code == 1
    assert "manifest.json: is of 'three', and the folder is called 'four'" in result.stdout


def test_results_of_older_components_are_older_and_not_wrong(bench, tmp_path):
    old = []
    for record in make(WORLD, 3):
        components = {**record.components, "engine": "0"}
        identity = trial_id(record.spec, components)
        old.append(msgspec.structs.replace(record, components=components, trial_id=identity))
    folder = tmp_path / "results" / "published" / "old"
    assert bench("publish", folder, "--from", write(old, tmp_path / "source")).exit_code == 0
    result = bench("verify", folder)
    assert result.exit_code == 0
    assert "note: " in result.stdout
    assert f"18 records of engine 0, older than this program's {ENGINE_VERSION}" in result.stdout


def test_a_workload_without_a_scale_can_be_published(bench, tmp_path):
    made = [
        whole(msgspec.structs.replace(record, metrics={**record.metrics, "distance_floor": 0.0}))
        if record.spec.workload == "digits"
        else record
        for record in make(WORLD, 3)
    ]
    folder = tmp_path / "results" / "published" / "x"
    assert bench("publish", folder, "--from", write(made, tmp_path / "source")).exit_code == 0
    assert "digits is in no score" in (folder / "leaderboard.md").read_text(encoding="utf-8")
    assert bench("verify", folder).exit_code == 0


def test_what_protocol_1_0_has_published_is_scored_by_its_own_rule():
    folder = REPOSITORY / "results" / "published" / "classics"
    rows = {row["method"]: row for row in json.loads((folder / "leaderboard.json").read_text())["tables"][0]["rows"]}
    # As published with protocol 1.0, before fidelity entered the score.
    assert (rows["rpgan"]["digits_score"], rows["rpgan"]["ring8_score"]) == (0.4105342299, 0.7988752197)
    assert rows["rpgan"]["score"] == pytest.approx((rows["rpgan"]["digits_score"] + rows["rpgan"]["ring8_score"]) / 2)
    assert [row["rank"] for row in rows.values()] == list(range(1, 11))
    assert rows["wgan"]["ring8_high_quality"] < 0.06


def test_several_folders_are_verified_and_one_that_is_off_decides(bench, published, folder):
    (folder / "leaderboard.md").unlink()
    result = bench("verify", published, folder)
    assert result.exit_code == 1
    assert f"{published}: fine" in result.stdout
    assert f"{folder}: 1 thing off" in result.stdout


def test_a_folder_of_published_folders_is_verified_folder_by_folder(bench, published, tmp_path):
    """As results/published is one: with a file that git needs beside them."""
    place = tmp_path / "place"
    shutil.copytree(published, place / published.name)
    (place / ".gitkeep").touch()
    result = bench("verify", place)
    assert result.exit_code == 0, result.stdout
    assert f"{place / published.name}: fine (" in result.stdout
    (place / "forgotten").mkdir()
    result = bench("verify", place, "--json")
    assert result.exit_code == 1
    folders = json.loads(result.stdout)["folders"]
    assert [(Path(each["folder"]).name, each["fine"]) for each in folders] == [
        ("forgotten", False),
        (published.name, True),
    ]


@pytest.mark.parametrize("arguments", [["verify"], ["verify", "nowhere"], ["publish", "x", "--from", "nowhere"]])
def test_bad_folders_are_bad_input(bench, arguments):
    assert bench(*arguments).exit_code == 2


def test_what_this_repository_publishes_verifies(bench):
    place = REPOSITORY / "results" / "published"
    result = bench("verify", place)
    assert result.exit_code == 0, result.stdout
    assert result.stdout.count(": fine (") == len([each for each in place.iterdir() if each.is_dir()])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--output", "{}/x.tex"], r"\toprule"),
        (["--output", "{}/x.html"], "<!DOCTYPE html>"),
        (["--output", "{}/deep/x.txt"], "Ranking"),
        (["--format", "md", "--output", "{}/x.txt"], "#### Ranking"),
    ],
)
def test_leaderboard_into_a_file(bench, published, tmp_path, arguments, words):
    arguments = [argument.format(tmp_path) for argument in arguments]
    result = bench("leaderboard", "--results", published, *arguments)
    assert (result.exit_code, result.stdout) == (0, f"1 table: {arguments[-1]}\n")
    text = Path(arguments[-1]).read_text(encoding="utf-8")
    assert words in text
    assert "\x1b" not in text


def test_reading_published_records_imports_no_torch(published):
    code = (
        "import sys\nfrom bench.cli.main import cli\n"
        f"for verb in (['leaderboard', '--results', {str(published)!r}], ['verify', {str(published)!r}]):\n"
        "    cli.main(verb, standalone_mode=False)\n"
        "print('torch' in sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "False"


def test_trials_are_drawn_and_compared_with_those_trained_elsewhere(bench, folder, published):
    """The folder's records are of protocol 1.0: nothing is trained here, and the way to train them is said."""
    alone = bench("verify", folder, "--rerun", 2)
    assert alone.exit_code == 1, "whoever asks has not been told that any is right"
    assert alone.stdout.count("follows protocol 1.0, and this program trains") == 2
    assert f"git worktree add ../rerun-{COMMIT[:12]} {COMMIT}\n" in alone.stdout
    assert f"--rerun 2 --reruns ../rerun-{COMMIT[:12]}/reruns" in alone.stdout
    both = bench("verify", folder, "--rerun", 2, "--reruns", published)
    assert both.exit_code == 0, both.stdout
    assert "of 2 trials trained again 2 have every number to the last bit, 0 ran" in both.stdout
    drawn = [line for line in both.stdout.splitlines() if "has every number to the last bit" in line]
    assert len(drawn) == 2
    path = folder / "records" / drawn[0].partition(".0.json")[0].rpartition("/")[2]
    path = path.with_name(f"{path.name}.0.json")
    other = folder.parent / "other" / "records"
    other.mkdir(parents=True)
    change(Path(shutil.copy(path, other)), stability={**read_record(path).stability, "signal_last": 2.5})
    off = bench("verify", folder, "--rerun", 2, "--reruns", other.parent)
    assert off.exit_code == 1
    assert "gives other numbers when it is trained again: stability.signal_last" in off.stdout


COMMIT = "0123456789abcdef"


def test_records_are_not_compared_with_themselves(bench, published, tmp_path):
    link = tmp_path / "again"
    link.symlink_to(published)
    result = bench("verify", published.parent, "--rerun", 1, "--reruns", link)
    assert result.exit_code == 2
    assert "would be compared with themselves" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [["--up-to-first-evaluation"], ["--reruns", "."], ["--images", "."], ["--losses", "x.py"], ["--rerun", "0"]],
)
def test_bad_wishes_for_reruns_are_bad_input(bench, published, arguments):
    assert bench("verify", published, *arguments).exit_code == 2


@pytest.mark.slow
def test_fresh_records_are_published_verified_and_trained_again(bench, tmp_path):
    suite = ["--method", "nsgan", "--workload", "ring8", "--seeds", "2", "--steps", "120", "--set", "evaluate_every=60"]
    results = tmp_path / "local"
    ran = bench("run", *suite, "--results", results)
    assert ran.exit_code == 0, ran.output
    folder = tmp_path / "results" / "published" / "fresh"
    assert bench("publish", folder, "--from", results).exit_code == 0
    for further in ([], ["--up-to-first-evaluation"]):
        result = bench("verify", folder, "--rerun", 1, *further)
        assert result.exit_code == 0, result.stdout
        assert "of 1 trial trained again 1 have every number to the last bit" in result.stdout


@pytest.mark.slow
def test_a_loss_of_ones_own_is_trained_again_from_its_file(bench, tmp_path, monkeypatch):
    library = dict(registry.parts())
    monkeypatch.setattr(registry, "_parts", dict(library))
    monkeypatch.setenv("GAN_LOSS_BENCH_LOSSES", "")
    first, copy = tmp_path / "mine.py", tmp_path / "copy.py"
    for path in (first, copy):
        path.write_text(OWN)
    budget = ("--workload", "ring8", "--seeds", "1", "--steps", "60", "--set", "evaluate_every=60")
    ran = bench("run", "--losses", first, "--method", "own_hinge", *budget, "--results", tmp_path / "local")
    assert ran.exit_code == 0, ran.output
    folder = tmp_path / "results" / "published" / "own"
    assert bench("publish", folder, "--from", tmp_path / "local").exit_code == 0
    monkeypatch.setattr(registry, "_parts", dict(library))  # as another process that knows nothing of the file
    monkeypatch.setenv("GAN_LOSS_BENCH_LOSSES", "")
    unknown = bench("verify", folder, "--rerun", 1)
    assert unknown.exit_code == 1
    assert "cannot be trained here" in unknown.stdout
    known = bench("verify", folder, "--rerun", 1, "--losses", copy)
    assert known.exit_code == 0, known.stdout
    assert "of 1 trial trained again 1 have every number to the last bit" in known.stdout


def test_a_readme_is_held_to_the_manifest(bench, folder):
    readme = folder / "README.md"
    readme.write_text("Which loss is best?\n")
    assert "README.md: is not listed in manifest.json; publish again" in bench("verify", folder).stdout
    assert bench("publish", folder).exit_code == 0
    assert bench("verify", folder).exit_code == 0
    readme.write_text("Mine is.\n")
    result = bench("verify", folder)
    assert result.exit_code == 1
    assert "README.md: has other bytes than manifest.json says" in result.stdout
