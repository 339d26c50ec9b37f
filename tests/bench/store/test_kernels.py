"""Kernel records on disk: immutable, checked when read, and grouped into what may be compared."""

import json

import msgspec
import pytest
from planted_kernels import MACHINE, SETTING, planted_kernels

from bench.store.journal import RecordError
from bench.store.kernels import KERNEL_SCHEMA, KernelStore, groups, kernel_id, quartiles

replace = msgspec.structs.replace


@pytest.fixture
def store(tmp_path):
    return KernelStore(tmp_path / "results")


def test_a_record_is_read_back_and_the_first_stays(store):
    one = planted_kernels("nsgan")
    assert store.records() == []
    assert not store.holds(one.id)
    assert store.append(one)
    assert store.holds(one.id)
    assert not store.append(replace(one, label="another"))
    assert store.records() == [one]
    assert [path.name for path in store.folder.iterdir()] == [f"{one.id}.json"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda content: content | {"surprise": 1}, "damaged or edited"),
        (lambda content: content | {"schema_version": KERNEL_SCHEMA + 1, "new": 1}, "newer program"),
        (lambda content: content | {"id": "0" * 16}, "its own name"),
        (lambda content: [content], "damaged or edited"),
        (lambda content: content | {"schema_version": 0}, "says that it has schema 0, and the first one was 1"),
        (lambda content: content | {"method": "hinge"}, "calls itself .* what it says was measured is .* edited"),
        (lambda content: content | {"components": {"engine": "1"}}, "calls itself .* restore it as it was recorded"),
    ],
)
def test_a_file_that_is_not_what_it_says_is_refused(store, change, words):
    one = planted_kernels("nsgan")
    store.append(one)
    path = store.path(one.id)
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(RecordError, match=words):
        store.records()


def test_a_key_that_is_there_twice_is_refused(store):
    one = planted_kernels("nsgan")
    store.append(one)
    path = store.path(one.id)
    path.write_text(path.read_text().replace('"calls":2', '"calls":9,"calls":2', 1))
    with pytest.raises(RecordError, match="the key 'calls' is there twice"):
        store.records()


def test_a_mended_part_leaves_the_others_in_their_table_and_its_last_measurement_counts(store):
    def measured(label, revision, at):
        components = {"engine": "1", "losses": "1", f"loss:{label}": revision}
        return planted_kernels(label, components=components, measured_at=f"2027-01-0{at}T00:00:00+00:00")

    records = [measured("nsgan", "1", 1), measured("hinge", "2", 3), measured("hinge", "1", 2)]
    for record in records:
        assert store.append(record)
    (group,) = groups(store.records())
    assert {(record.label, record.components.get("loss:hinge")) for record in group} == {
        ("nsgan", None),
        ("hinge", "2"),
    }
    assert groups(reversed(records)) == [[records[1], records[0]]]


def test_a_foreign_file_is_named(store):
    store.append(planted_kernels("nsgan"))
    (store.folder / "notes.txt").write_text("mine")
    with pytest.raises(RecordError, match=r"notes\.txt is not a kernel record"):
        store.records()


def test_quartiles_are_those_of_linear_interpolation():
    assert quartiles([3.0]) == (3.0, 3.0, 3.0)
    assert quartiles([4.0, 1.0, 3.0, 2.0, 5.0]) == (2.0, 3.0, 4.0)
    assert quartiles([1.0, 2.0]) == (1.25, 1.5, 1.75)


def test_a_ratio_is_taken_inside_each_a_b_b_a():
    timing = planted_kernels("nsgan-r1", 1.5).timing("d_step")
    assert timing.ratios == pytest.approx([1.5, 1.5])
    drifted = replace(timing, blocks=[1.0, 2.0, 30.0, 10.0], reference_blocks=[1.0, 2.0, 10.0, 10.0])
    assert drifted.ratios == [1.0, 2.0]
    assert planted_kernels("nsgan").timing("penalty") is None


def test_a_profile_says_what_its_numbers_imply():
    timing = planted_kernels("nsgan").timing("d_step")
    assert timing.profile.launch_share == pytest.approx(0.25)
    assert timing.profile.floor(MACHINE.rates) == pytest.approx(max(1e9 / 1e11, 1e7 / 1e10))
    assert replace(timing.profile, kernel_seconds=9.0).launch_share == 0.0


def test_the_identity_has_all_that_decides_the_times():
    known = {kernel_id("nsgan", SETTING, {"losses": "1"}, "a")}
    known.add(kernel_id("hinge", SETTING, {"losses": "1"}, "a"))
    known.add(kernel_id("nsgan", replace(SETTING, batch_size=16), {"losses": "1"}, "a"))
    known.add(kernel_id("nsgan", SETTING, {"losses": "2"}, "a"))
    known.add(kernel_id("nsgan", SETTING, {"losses": "1"}, "b"))
    assert len(known) == 5
    assert kernel_id("nsgan", SETTING, {"losses": "1"}, "a") in known


def test_a_table_has_one_machine_one_setting_and_one_version(store):
    elsewhere = replace(MACHINE, fingerprint="e" * 12)
    large = replace(SETTING, batch_size=256)
    records = [
        planted_kernels("nsgan"),
        planted_kernels("own", components={"engine": "1", "losses": "1", "loss:own": "abc"}),
        planted_kernels("nsgan", setting=large),
        planted_kernels("nsgan", machine=elsewhere),
        planted_kernels("nsgan", components={"engine": "2", "losses": "1"}),
    ]
    for record in records:
        assert store.append(record)
    found = [[record.label for record in group] for group in groups(store.records())]
    assert sorted(found) == [["nsgan"], ["nsgan"], ["nsgan"], ["nsgan", "own"]]
