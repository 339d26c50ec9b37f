"""Everything that can be off with a published folder: each is done to one, and must be found."""

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from planted_records import planted_record
from published_folders import change, failed, make, records, replace_record
from synthetic import World
from whole_records import whole

import losses
from bench import data
from bench.config.protocol import PROTOCOL_VERSION
from bench.report import folder_contents
from bench.report.publication import sha256
from bench.store.journal import read_record


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
    return ["names a path of one machine: 'imagefolder:/home/me/cats'", "nobody else knows what they are"]


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


def test_tables_of_an_older_protocol_are_compared_too(bench, folder, monkeypatch):
    monkeypatch.setattr(folder_contents, "PROTOCOL_VERSION", "1.1")
    assert bench("verify", folder).exit_code == 0
    (words,) = edit_a_table(folder)
    result = bench("verify", folder)
    assert result.exit_code == 1
    assert words in result.stdout


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
