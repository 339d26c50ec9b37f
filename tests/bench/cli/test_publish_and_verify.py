"""A published folder, and everything that can be off with it: each is done to one, and must be found."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from planted_records import planted_record
from synthetic import World, write
from synthetic import make as planted
from whole_records import whole

import losses
from bench import data
from bench.cli.main import cli
from bench.config.protocol import PROTOCOL_VERSION
from bench.config.trial import trial_id
from bench.report import folder_contents
from bench.report.folder_contents import _MACHINE_PATH
from bench.report.publication import TABLES, sha256, shown
from bench.store.journal import read_record
from bench.training.version import ENGINE_VERSION

WORLD = World(methods=("nsgan", "hinge", "mmgan"), workloads=("digits", "ring8"), failure_rates={"mmgan": 0.4})
REPOSITORY = Path(__file__).parents[3]


def make(world, seeds):
    return [whole(record) for record in planted(world, seeds)]


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A published folder whose tables are of few resamples; copied by each test."""
    root = tmp_path_factory.mktemp("repository")
    source = write(make(WORLD, 3), root / "source")
    folder = root / "results" / "published" / "three"
    result = CliRunner().invoke(cli, ["publish", str(folder), "--from", str(source)])
    assert result.exit_code == 0, result.output
    assert result.output == f"18 records, 6 files of tables: {folder}\n"
    return folder


@pytest.fixture
def folder(published, tmp_path):
    return Path(shutil.copytree(published, tmp_path / "results" / "published" / "three"))


def test_the_table_of_records_stays_as_another_arrow_wrote_it(bench, folder):
    path = folder / "records.parquet"
    pq.write_table(pq.read_table(path), path, compression="snappy")
    other = path.read_bytes()
    assert bench("verify", folder).exit_code == 1, "the manifest names other bytes"
    assert bench("publish", folder).exit_code == 0
    assert path.read_bytes() == other
    assert bench("verify", folder).exit_code == 0


def records(folder):
    return sorted((folder / "records").iterdir())


def failed(folder):
    return next(path for path in records(folder) if read_record(path).status != "ok")


def change(path, **changes):
    record = msgspec.structs.replace(read_record(path), **changes)
    path.write_bytes(msgspec.json.encode(record))
    return record


def replace_record(path, **changes):
    """Put a record of another identity in the place of one, under its right name."""
    record = read_record(path)
    changed = msgspec.structs.replace(record, **changes)
    changed = msgspec.structs.replace(changed, trial_id=trial_id(changed.spec, changed.components))
    path.unlink()
    path.with_name(f"{changed.trial_id}.{changed.attempt}.json").write_bytes(msgspec.json.encode(changed))


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


def raise_a_metric(folder):
    path = records(folder)[0]
    change(path, metrics={**read_record(path).metrics, "distance": 3.0})
    return [f"{path.name}: has distance 3, and the last evaluation has ", f"records/{path.name}: has other bytes"]


def make_a_run_better(folder):
    """Change a run whole, so that nothing in it contradicts the rest."""
    path = next(path for path in records(folder) if read_record(path).status == "ok")
    record = read_record(path)
    path.write_bytes(
        msgspec.json.encode(whole(msgspec.structs.replace(record, metrics={**record.metrics, "distance": 3.0})))
    )


def raise_a_metric_and_the_manifest(folder):
    path = records(folder)[0]
    old = path.read_bytes()
    change(path, metrics={**read_record(path).metrics, "distance": 3.0})
    manifest = folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace(sha256(old), sha256(path.read_bytes())))
    return [f"{path.name}: has distance 3, and the last evaluation has "]


def delete_a_failed_seed(folder):
    path = failed(folder)
    record = read_record(path)
    path.unlink()
    return [f"records/{path.name}: is listed", f"mmgan on {record.spec.workload} lacks seed {record.spec.seed} of 3"]


def delete_the_last_seed_of_one_method(folder):
    for path in records(folder):
        if read_record(path).spec.seed == 2 and read_record(path).spec.method_name == "hinge":
            path.unlink()
    return ["hinge on digits lacks seed 2 of 3", "hinge on ring8 lacks seed 2 of 3"]


def delete_an_earlier_attempt(folder):
    path = records(folder)[0]
    record = change(path, attempt=1)
    path.rename(path.with_name(f"{record.trial_id}.1.json"))
    return [f"records/{path.name}: is missing, and a later attempt is there"]


def delete_the_last_seed_of_all(folder):
    """Delete the last seed of every method: what is left is complete, and less than was published."""
    for path in records(folder):
        if read_record(path).spec.seed == 2:
            path.unlink()
    return ["is listed in manifest.json and missing", "leaderboard.md: does not follow from the records"]


def rename_a_record(folder):
    path = records(folder)[0]
    path.rename(path.with_name(f"{'a' * 16}.0.json"))
    return [f"records/{'a' * 16}.0.json: holds the record of {path.name.removesuffix('.json')}"]


def edit_a_spec(folder):
    path = records(folder)[0]
    change(path, spec=msgspec.structs.replace(read_record(path).spec, steps=7))
    return [f"records/{path.name}: calls its trial {path.name[:16]}, and its spec and components are those of "]


def call_a_method_by_another_name(folder):
    path = next(path for path in records(folder) if read_record(path).spec.method_name == "mmgan")
    change(path, spec=msgspec.structs.replace(read_record(path).spec, method_name="hinge"))
    return [f"records/{path.name}: calls itself hinge, which is"]


def write_a_newer_schema(folder):
    path = records(folder)[0]
    change(path, schema_version=99)
    return [f"records/{path.name}: was written by a newer program (schema 99", "pip install --upgrade"]


def cut_a_record(folder):
    path = records(folder)[0]
    path.write_bytes(path.read_bytes()[:100])
    return [f"records/{path.name}: is damaged or edited"]


def take_a_needed_metric(folder):
    path = next(path for path in records(folder) if read_record(path).status == "ok")
    change(path, metrics={})
    return ["its record is damaged", f"records/{path.name}: has other bytes"]


def put_a_number_out_of_bounds(folder):
    edited = [path for path in records(folder) if read_record(path).status == "ok"][:2]
    for path, changed in zip(edited, ({"distance": -5.0}, {"modes": 1e6}), strict=True):
        change(path, metrics={**read_record(path).metrics, **changed})
    return [
        f"records/{edited[0].name}: distance is -5 and must be above 0",
        f"records/{edited[1].name}: modes is 1e+06",
    ]


def use_a_newer_protocol(folder):
    path = records(folder)[0]
    spec = msgspec.structs.replace(read_record(path).spec, protocol_version="9.0")
    replace_record(path, spec=spec, protocol_version="9.0")
    return [f"follows protocol 9.0, this program {PROTOCOL_VERSION}"]


def use_newer_losses(folder):
    path = records(folder)[0]
    replace_record(path, components={**read_record(path).components, "losses": "99"})
    return [f"1 record of losses 99, newer than this program's {losses.VERSION}"]


LATER = "1.1"
"""A protocol whose records name the revisions of their parts."""


def of_a_later_protocol(monkeypatch, folder, **versions):
    """Put a record of a later protocol there, whose parts have these versions; None leaves a part out."""
    monkeypatch.setattr(folder_contents, "PROTOCOL_VERSION", LATER)
    path = next(path for path in records(folder) if read_record(path).spec.method_name == "hinge")
    record = read_record(path)
    parts = {f"loss:{name}": version for name, version in versions.items() if version is not None}
    shared = {name: version for name, version in record.components.items() if not name.startswith("loss:")}
    spec = msgspec.structs.replace(record.spec, protocol_version=LATER)
    replace_record(path, spec=spec, protocol_version=LATER, components=shared | parts)


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("0", "note: {}/records: 1 record of loss:hinge 0, older than this program's 1"),
        ("99", "{}/records: 1 record of loss:hinge 99, newer than this program's 1; run: pip install --upgrade"),
        (None, "{}/records: 1 record without a version of loss:hinge; restore the file as it was recorded"),
    ],
)
def test_the_revisions_of_a_methods_parts_are_held_to_the_librarys(bench, folder, monkeypatch, version, words):
    of_a_later_protocol(monkeypatch, folder, hinge=version)
    result = bench("verify", folder)
    assert result.exit_code == 1, "a record of another protocol does not fit the folder's seeds, whatever its parts"
    assert words.format(folder) in result.stdout


@pytest.mark.parametrize("version", ["1", "0123456789abcdef"])
def test_parts_of_this_program_and_parts_from_a_file_are_nothing_to_speak_of(bench, folder, monkeypatch, version):
    of_a_later_protocol(monkeypatch, folder, hinge=version)
    assert "loss:hinge" not in bench("verify", folder).stdout


def test_records_of_protocol_1_0_name_no_parts_and_lack_nothing(bench, folder):
    for path in records(folder):
        components = read_record(path).components
        replace_record(path, components={name: components[name] for name in components if not name.startswith("loss:")})
    assert "loss:" not in bench("verify", folder).stdout


def leave_out_a_component(folder):
    path = records(folder)[0]
    components = {name: version for name, version in read_record(path).components.items() if name != "engine"}
    replace_record(path, components=components)
    return ["1 record without a version of engine"]


def name_a_path(folder):
    path = records(folder)[0]
    change(path, message="cannot read /home/somebody/data/file")
    return [f"records/{path.name}: its message names a path of one machine"]


def use_ones_own_images(folder):
    path = records(folder)[0]
    spec = msgspec.structs.replace(read_record(path).spec, workload="imagefolder:/home/me/cats")
    replace_record(path, spec=spec)
    return ["images that nobody else has"]


def edit_a_table(folder):
    path = folder / "leaderboard.md"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:6], lines[6].replace("0.", "1."), *lines[7:]]))
    return [
        "leaderboard.md: does not follow from the records, from line 7 on; once the records are right, write it again: "
    ]


def delete_a_table(folder):
    (folder / "leaderboard.html").unlink()
    return ["leaderboard.html: is missing; once the records are right, write it again"]


def edit_the_table_of_records(folder):
    path = folder / "records.parquet"
    table = pq.read_table(path)
    edited = pa.array([1.0, *table.column("metrics.distance").to_pylist()[1:]])
    pq.write_table(table.set_column(table.schema.get_field_index("metrics.distance"), "metrics.distance", edited), path)
    return ["records.parquet: does not follow from the records; once the records are right, write it again"]


def cut_the_table_of_records(folder):
    path = folder / "records.parquet"
    path.write_bytes(path.read_bytes()[:-100])
    return ["records.parquet: does not follow from the records; once the records are right, write it again"]


def delete_the_manifest(folder):
    (folder / "manifest.json").unlink()
    return ["manifest.json: is missing"]


def break_the_manifest(folder):
    (folder / "manifest.json").write_text("{}")
    return ["manifest.json: is not a manifest"]


def edit_the_manifest(folder):
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace('"schema_version": 1', '"schema_version": 2'))
    return ["manifest.json: does not match the folder"]


def add_a_record(folder):
    made = whole(planted_record(data.workload("digits"), "bce_ns", 3, name="nsgan", components=dict(COMPONENTS)))
    (folder / "records" / f"{made.trial_id}.0.json").write_bytes(msgspec.json.encode(made))
    return [f"records/{made.trial_id}.0.json: is not listed in manifest.json", "hinge on digits lacks seed 3 of 4"]


COMPONENTS = make(World(methods=("nsgan",), workloads=("digits",)), 1)[0].components


@pytest.mark.parametrize("alien", ["report.html", "logs/x.log", "records/.hidden", "artifacts/x/samples.png"])
def test_alien_files_are_named(bench, folder, alien):
    (folder / alien).parent.mkdir(parents=True, exist_ok=True)
    (folder / alien).write_text("x")
    result = bench("verify", folder)
    assert result.exit_code == 1
    assert f"{alien}: does not belong in a published folder" in result.stdout


@pytest.mark.parametrize(
    "tamper",
    [
        raise_a_metric, raise_a_metric_and_the_manifest, delete_a_failed_seed, delete_the_last_seed_of_one_method,
        delete_an_earlier_attempt, rename_a_record, edit_a_spec, call_a_method_by_another_name, write_a_newer_schema,
        cut_a_record, take_a_needed_metric, put_a_number_out_of_bounds,
        use_a_newer_protocol, use_newer_losses, leave_out_a_component, name_a_path,
        use_ones_own_images, edit_a_table, delete_a_table,
        edit_the_table_of_records, cut_the_table_of_records, delete_the_manifest, break_the_manifest, edit_the_manifest,
        add_a_record, delete_the_last_seed_of_all,
    ],
)  # fmt: skip
def test_what_is_off_is_found(bench, folder, tamper):
    expected = tamper(folder)
    result = bench("verify", folder)
    assert result.exit_code == 1
    for words in expected:
        assert words in result.stdout
    assert " off (" in result.stdout.splitlines()[-1]


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


def test_tables_of_an_older_protocol_are_compared_too(bench, folder, monkeypatch):
    monkeypatch.setattr(folder_contents, "PROTOCOL_VERSION", "1.1")
    assert bench("verify", folder).exit_code == 0
    (words,) = edit_a_table(folder)
    result = bench("verify", folder)
    assert result.exit_code == 1
    assert words in result.stdout


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


@pytest.mark.parametrize("arguments", [["verify"], ["verify", "nowhere"], ["publish", "x", "--from", "nowhere"]])
def test_bad_folders_are_bad_input(bench, arguments):
    assert bench(*arguments).exit_code == 2


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


@pytest.mark.parametrize("tamper", [make_a_run_better, delete_the_last_seed_of_all])
def test_what_was_published_is_not_published_otherwise(bench, folder, tamper):
    tamper(folder)
    before = (folder / "manifest.json").read_bytes()
    result = bench("publish", folder)
    assert result.exit_code == 1
    assert "records/" in result.stdout
    assert (folder / "manifest.json").read_bytes() == before
    (folder / "manifest.json").unlink()  # as the history of the repository then shows
    assert bench("publish", folder).exit_code == 0


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
    assert bool(_MACHINE_PATH.search(message)) == found


def test_a_folder_is_named_without_the_machine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shown(tmp_path / "elsewhere" / "results" / "published" / "x") == "results/published/x"
    assert shown(tmp_path / "results" / "local") == "results/local"
    assert shown(Path("./results/local/")) == "results/local"


def test_what_this_repository_publishes_verifies(bench):
    for folder in sorted(each for each in (REPOSITORY / "results" / "published").iterdir() if each.is_dir()):
        result = bench("verify", folder)
        assert result.exit_code == 0, result.stdout


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


@pytest.mark.parametrize("arguments", [["--up-to-first-evaluation"], ["--reruns", "."], ["--rerun", "0"]])
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
