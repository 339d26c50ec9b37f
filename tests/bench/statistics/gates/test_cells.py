"""Which records are held against each other, and which are not."""

import msgspec
import pytest
from planted_records import make_workload, planted_record

from bench.statistics.gates.cells import pair, sides
from bench.statistics.gates.comparison import compare
from bench.statistics.gates.verdicts import GateSettings

OLD, NEW = "2026-01-01T00:00:00+00:00", "2026-02-01T00:00:00+00:00"


def runs(seeds=3, method="nsgan", workload=None, **changes):
    return [planted_record(workload or make_workload(), method, seed, **changes) for seed in range(seeds)]


def only(base, new):
    (found,) = pair(base, new)
    return found


def test_a_cell_is_everything_but_the_seed():
    records = [*runs(), *runs(method="hinge"), *runs(batch_size=32), *runs(steps=1200)]
    assert [len(side.runs) for side in sides(records).values()] == [3, 3, 3, 3]


def test_components_that_are_compared_may_differ():
    found = only(runs(components={"losses": "1", "engine": "1"}), runs(components={"losses": "2", "engine": "1"}))
    assert not found.refusal
    assert not found.measured_otherwise


def compared(base, new):
    return compare(base, new, {"digits": make_workload()}, GateSettings(resamples=200))


def test_a_part_that_was_revised_is_compared_and_named():
    base = runs(components={"losses": "1", "loss:bce_ns": "1", "loss:r1": "3"})
    base += runs(method="hinge", components={"losses": "1", "loss:hinge": "1"})
    new = runs(components={"losses": "1", "loss:bce_ns": "1", "loss:r1": "4"})
    new += runs(method="hinge", components={"losses": "1", "loss:hinge": "1"})
    found = compared(base, new)
    assert {row.name: row.notes for row in found.rows} == {"hinge": (), "nsgan": ("revision of r1: 3 → 4",)}
    assert [(each.what, each.base, each.new) for each in found.changes] == [("loss:r1", ("3",), ("4",))]
    assert all(row.verdict != "not comparable" for row in found.rows)


def test_of_records_of_before_revisions_nothing_is_said():
    found = compared(runs(components={"losses": "1"}), runs(components={"losses": "2", "loss:bce_ns": "1"}))
    assert found.rows[0].notes == ()
    assert [each.what for each in found.changes] == ["losses"]


@pytest.mark.parametrize("component", ["metrics", "extractor", "data"])
def test_distances_measured_by_other_versions_are_not_compared(component):
    found = only(runs(components={component: "1"}), runs(components={component: "2"}))
    assert found.measured_otherwise == f"{component} 1 against 2"
    assert not found.refusal


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"protocol_version": "1.1"}, "protocol 1.0 against 1.1"),
        ({"data_hash": "1" * 64}, "other data"),
        ({"critic_steps": 5}, "another recipe"),
    ],
)
def test_what_is_another_experiment_is_refused(changes, words):
    assert words in only(runs(), runs(**changes)).refusal


def test_a_patch_of_the_protocol_changes_no_results():
    assert not only(runs(), runs(protocol_version="1.0.7")).refusal


def test_another_network_is_refused():
    assert only(runs(), runs(workload=make_workload(width=64))).refusal == "another network"


def test_a_cell_that_one_side_lacks_is_said_to_be_lacking():
    found = pair(runs(), runs(method="hinge"))
    assert {each.key.method: each.refusal for each in found} == {
        "nsgan": "NEW has no result",
        "hinge": "BASE has no result",
    }


def test_a_folder_of_images_may_move():
    here, there = (make_workload(f"imagefolder:/{place}/cats?size=64") for place in ("here", "there"))
    assert not only(runs(workload=here), runs(workload=there)).refusal


def photos(folder="cats", images="1", place="here", **changes):
    return runs(workload=make_workload(f"imagefolder:/{place}/{folder}?size=64", content_hash=images * 64), **changes)


def refusals(base, new):
    return {(cell.base.workload, cell.new.workload): cell.refusal for cell in pair(base, new)}


CATS, DOGS = "imagefolder:/here/cats?size=64", "imagefolder:/here/dogs?size=64"


def test_two_folders_of_images_are_two_workloads():
    both = [*photos("cats", "1"), *photos("dogs", "2", finished_at=NEW)]
    assert [(side.workload, len(side.runs), side.superseded) for side in sides(both).values()] == [
        (CATS, 3, 0),
        (DOGS, 3, 0),
    ]
    assert refusals(both, both) == {(CATS, CATS): "", (DOGS, DOGS): ""}
    assert refusals(both, photos("cats", "1")) == {(CATS, CATS): "", (DOGS, ""): "NEW has no result"}
    assert refusals(photos("cats", "1"), both) == {(CATS, CATS): "", ("", DOGS): "BASE has no result"}


def test_what_is_left_of_folders_of_images_is_other_data():
    base = [*photos("cats", "1"), *photos("dogs", "2")]
    assert refusals(base, [*photos("dogs", "3"), *photos("cats", "1")]) == {
        (CATS, CATS): "",
        (DOGS, DOGS): "other data",
    }
    changed = [*photos("dogs", "3"), *photos("cats", "4")]
    assert refusals(base, changed) == {(CATS, CATS): "other data", (DOGS, DOGS): "other data"}, "by folder, if it is"
    assert refusals(photos("cats", "1"), photos("dogs", "2")) == {(CATS, DOGS): "other data"}
    names = {"BASE": photos(images="1", method="a", name="mine"), "NEW": photos(images="1", method="b", name="mine")}
    (only_one,) = pair(names["BASE"], names["NEW"])
    assert only_one.redefined


def test_a_folder_whose_images_changed_counts_as_it_was_last_and_a_moved_one_is_the_same():
    (side,) = sides([*photos(images="1", finished_at=OLD), *photos(images="2", finished_at=NEW)]).values()
    assert ({record.spec.data_hash for record in side.runs.values()}, side.superseded) == ({"2" * 64}, 3)
    moved = [*photos(place="there", finished_at=OLD), *photos(seeds=5, finished_at=NEW)[3:]]
    (side,) = sides(moved).values()
    assert (list(side.runs), side.workload, side.superseded) == ([0, 1, 2, 3, 4], CATS, 0)


def test_a_run_that_was_lost_makes_no_result_outdated():
    good = runs(components={"losses": "1"}, finished_at=OLD)
    later = runs(1, components={"losses": "2"}, finished_at=NEW, status="error")
    (side,) = sides([*good, *later]).values()
    assert (list(side.runs), side.superseded, side.lost) == ([0, 1, 2], 0, 1)
    earlier = runs(1, components={"losses": "0"}, finished_at="2025-01-01T00:00:00+00:00", status="error")
    (side,) = sides([*earlier, *good]).values()
    assert (list(side.runs), side.superseded, side.lost) == ([0, 1, 2], 1, 0)
    (side,) = sides([*earlier, *later]).values()
    assert (list(side.runs), side.superseded, side.lost) == ([], 1, 1)


def test_one_side_is_held_to_its_newest_versions_and_last_attempts():
    old = runs(components={"losses": "1"}, finished_at=OLD)
    new = runs(2, components={"losses": "2"}, finished_at=NEW)
    lost = planted_record(
        make_workload(), seed=2, components={"losses": "2"}, finished_at=NEW, status="timeout", attempt=0
    )
    (side,) = sides([*old, *new, lost]).values()
    assert [record.components["losses"] for record in side.runs.values()] == ["2", "2"]
    assert (side.superseded, side.lost) == (3, 1)


def test_identical_sets_have_equal_seeds_and_results():
    assert only(runs(5), runs(5)).identical
    assert not only(runs(5), runs(3)).identical
    assert not only(runs(3), runs(5)).identical
    assert not only(runs(5), runs(5, components={"losses": "2"})).identical
    assert not only(runs(5), runs(5, distance=99.0)).identical
    assert not only(runs(5), runs(5, status="diverged")).identical


def test_of_runs_that_repeat_base_only_the_further_ones_are_tested():
    assert set(only(runs(5), runs(5)).tested) == set()
    assert set(only(runs(5), runs(3)).tested) == set()
    assert set(only(runs(3), runs(5)).tested) == {3, 4}
    assert set(only(runs(3), runs(5, distance=99.0)).tested) == {0, 1, 2, 3, 4}


def test_a_name_for_another_expression_is_one_pair_that_is_not_compared():
    (found,) = pair(
        runs(method="bce_ns + r1(gamma=10)", name="mine"), runs(method="bce_ns + r1(gamma=1000)", name="mine")
    )
    assert found.refusal == found.redefined
    assert found.redefined == ("another expression by the same name: bce_ns + r1(gamma=10) → bce_ns + r1(gamma=1000)")
    assert (len(found.base.runs), len(found.new.runs)) == (3, 3)
    assert not any(each.redefined for each in pair(runs(method="a", name="x"), runs(method="a", name="y")))


def test_of_several_names_for_another_expression_the_first_by_the_alphabet_counts():
    names = "abcdefgh"
    base = [run for name in names for run in runs(1, method=f"was {name}", name=name)]
    new = [
        msgspec.structs.replace(run, spec=msgspec.structs.replace(run.spec, method_name=name))
        for run, name in zip(runs(len(names), method="now"), reversed(names), strict=True)
    ]
    for records in (base, base[::-1]):
        assert [each.redefined for each in pair(records, new) if each.redefined] == [
            "another expression by the same name: was a → now"
        ]


def test_a_name_for_another_expression_is_looked_for_in_one_workload_and_setting():
    elsewhere = runs(method="b", name="mine", steps=1200)
    assert not any(each.redefined for each in pair(runs(method="a", name="mine"), elsewhere))


def test_the_same_trial_with_another_result_is_a_contradiction_on_equal_machines_only():
    base, new = runs(3), runs(3)
    new[1] = msgspec.structs.replace(new[1], metrics={**new[1].metrics, "distance": 7.0})
    assert only(base, new).contradictions == (1,)
    elsewhere = msgspec.structs.replace(new[1].environment, fingerprint="elsewhere")
    new[1] = msgspec.structs.replace(new[1], environment=elsewhere)
    assert only(base, new).contradictions == ()
    # Two machines that nobody knows need not be one.
    base[1], new[1] = (msgspec.structs.replace(each[1], environment=None) for each in (base, new))
    assert only(base, new).contradictions == ()
