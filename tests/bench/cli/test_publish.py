"""What `publish` takes, adds and refuses."""

import json
import shutil
from pathlib import Path

import msgspec
import pytest
from planted_kernels import SETTING, planted_kernels
from published_folders import WORLD, change, make, records
from synthetic import World, write

from bench.config.suite import load_suite
from bench.config.trial import trial_id
from bench.plan import expand
from bench.report.folder_contents import MACHINE_PATH
from bench.report.publication import shown
from bench.store.kernels import KernelStore


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


EXPRESSIONS = {"nsgan": "bce_ns", "hinge": "hinge", "mmgan": "bce_mm"}


def add_kernels(folder, names=EXPRESSIONS):
    """Write planted kernel records of the methods of `WORLD`, in the setting of its images."""
    spec = make(WORLD, 1)[0].spec
    setting = msgspec.structs.replace(SETTING, d_norm=spec.network.d_norm, batch_size=spec.batch_size)
    for name in names:
        expression = EXPRESSIONS.get(name, name)
        record = planted_kernels(expression, 1.25, setting=setting)
        KernelStore(folder).append(msgspec.structs.replace(record, label=name))


def test_costs_of_kernel_records_are_published_instead_of_the_times_of_trials(bench, published, tmp_path):
    source = Path(shutil.copytree(published / "records", tmp_path / "source" / "records")).parent
    add_kernels(source, [*EXPRESSIONS, "lsgan"])
    fresh = tmp_path / "results" / "published" / "fresh"
    result = bench("publish", fresh, "--from", source)
    assert result.stdout == f"18 records, 6 files of tables: {fresh}\n"
    assert bench("verify", fresh).stdout == f"{fresh}: fine (18 records)\n"
    table = (fresh / "leaderboard.md").read_text()
    assert "| iteration |" in table
    assert "images/s |" not in table
    # What another method costs belongs elsewhere.
    assert len(list((fresh / "kernels").iterdir())) == 3
    assert sum(name.startswith("kernels/") for name in json.loads((fresh / "manifest.json").read_text())["files"]) == 3
    assert (
        bench("leaderboard", "--format", "md", "--results", fresh).stdout.splitlines()[2:-1]
        == [line for line in table.splitlines() if "Regenerate" not in line][2:]
    )


def test_a_kernel_record_that_was_changed_does_not_verify(bench, folder):
    add_kernels(folder)
    assert bench("publish", folder).exit_code == 0
    path = next((folder / "kernels").iterdir())
    text = path.read_text()
    path.write_text(text.replace('"measured_at":"2027', '"measured_at":"2026'))
    result = bench("verify", folder)
    assert result.exit_code == 1
    assert f"kernels/{path.name}: has other bytes than manifest.json says" in result.stdout
    path.write_text(text.replace('"blocks"', '"blocks":[],"blocks"', 1))
    assert f"kernels/{path.name}: " in bench("verify", folder).stdout


def test_the_kernel_records_that_are_lacking_are_named(bench, folder):
    add_kernels(folder, ["nsgan", "hinge"])
    result = bench("publish", folder)
    assert result.exit_code == 0
    assert "kernels: lacks mmgan, so the costs are the times of trials" in result.stdout
    assert "python -m bench kernels mmgan" in result.stdout
    assert "images/s" in (folder / "leaderboard.md").read_text()


def test_the_trials_of_one_suite_are_published_alone(bench, tmp_path):
    suite = tmp_path / "pair.toml"
    suite.write_text('name = "pair"\nmethods = ["nsgan", "hinge"]\nworkloads = ["digits"]\nseeds = 3\n')
    trials = {(trial.spec.method, trial.spec.seed): trial for trial in expand(load_suite(str(suite)))}
    world = World(methods=("nsgan", "hinge", "mmgan"), workloads=("digits",))
    # A campaign that goes on: another suite's method lacks a seed, and this suite has all of its own.
    made = [record for record in make(world, 3) if (record.spec.method, record.spec.seed) != ("bce_mm", 1)]
    planned = [
        msgspec.structs.replace(
            record,
            spec=msgspec.structs.replace(record.spec, network=trials["bce_ns", 0].spec.network, protocol_version="1.1"),
            protocol_version="1.1",
        )
        for record in made
    ]
    named = [msgspec.structs.replace(each, trial_id=trial_id(each.spec, each.components)) for each in planned]
    source = write(named, tmp_path / "source")
    fresh = tmp_path / "results" / "published" / "fresh"
    assert "mmgan on digits lacks seed 1 of 3" in bench("publish", fresh, "--from", source).stdout
    result = bench("publish", fresh, "--from", source, "--suite", suite)
    assert result.stdout == f"6 records, 6 files of tables: {fresh}\n", result.output
    assert {path.name[:16] for path in records(fresh)} == {trial.id for trial in trials.values()}
    assert bench("verify", fresh).exit_code == 0


def test_a_suite_chooses_among_what_is_there(bench, folder, tmp_path):
    result = bench("publish", folder, "--suite", "quick")
    assert result.exit_code == 2
    assert "--from" in result.stderr
    fresh = tmp_path / "results" / "published" / "fresh"
    result = bench("publish", fresh, "--from", folder, "--suite", "topic-gradients")
    assert result.exit_code == 2
    assert "has no record of this suite's trials" in result.stderr
    assert not fresh.exists()


def test_an_export_replaces_no_published_file(bench, folder, tmp_path):
    before = (folder / "records.parquet").read_bytes()
    for output in ((), ("--output", folder / "records.parquet")):
        result = bench("export", "--format", "parquet", "--results", folder, *output)
        assert result.exit_code == 2
        assert f"{folder / 'records.parquet'} is a published file, and has more" in result.stderr
        assert (folder / "records.parquet").read_bytes() == before
    assert bench("export", "--results", folder, "--output", tmp_path / "records.parquet").exit_code == 0
    assert bench("verify", folder).exit_code == 0
