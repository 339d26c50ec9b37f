"""What is recommended is the top of a ranking, and where there is none, nobody is."""

import re

import msgspec
import pytest
from planted_campaigns import METHODS, WORKLOADS, campaign
from planted_records import make_workload

from bench import data
from bench.config.trial import Network
from bench.statistics.ranking import rank
from bench.statistics.recommendation import differences_of, recommend


def names(found):
    return [row.method for row in found.picks]


def test_the_first_three_of_the_ranking_are_named_with_their_numbers():
    records = campaign()
    found = recommend(WORKLOADS["digits"], records, WORKLOADS)
    assert names(found) == ["lsgan", "hinge", "nsgan"]
    assert found.unknown == ""
    assert found.differences == ()
    assert (found.steps, found.methods) == (600, 5)
    assert found.picks == rank(records, WORKLOADS)[0].ranked[:3]
    assert any(each.startswith("Provisional: 5 seeds") for each in found.caveats)


@pytest.mark.parametrize(
    ("seeds", "told"), [(9, ["Provisional: 9 seeds for each method, and a table to quote has 10."]), (10, [])]
)
def test_ten_seeds_are_not_provisional(seeds, told):
    found = recommend(WORKLOADS["digits"], campaign(seeds=seeds), WORKLOADS)
    assert len(found.picks) == 3
    assert list(found.caveats) == told


def test_a_method_that_fails_is_not_first_for_its_good_runs():
    records = campaign(seeds=10)
    failing = [
        msgspec.structs.replace(record, status="nonfinite", metrics={**record.metrics, "distance": None})
        if record.spec.method == "lsgan" and record.spec.seed < 6
        else record
        for record in records
    ]
    assert names(recommend(WORKLOADS["digits"], failing, WORKLOADS)) == ["hinge", "nsgan", "wgan"]


def failed_at(records, seeds):
    """The records of a campaign in which each method failed at its first so many seeds."""
    return [
        msgspec.structs.replace(record, status="nonfinite", metrics={**record.metrics, "distance": None})
        if record.spec.seed < seeds[record.spec.method]
        else record
        for record in records
    ]


def test_a_method_that_failed_at_half_of_its_seeds_is_not_named():
    """Of ten seeds four may fail. With one that is left the answer says why it names no other."""
    records = campaign(seeds=10)
    expressions = {record.spec.method for record in records}
    found = recommend(WORKLOADS["digits"], failed_at(records, dict.fromkeys(expressions, 4)), WORKLOADS)
    assert len(names(found)) == 3
    ranked = [row.expression for row in found.board.ranked]
    found = recommend(
        WORKLOADS["digits"], failed_at(records, dict.fromkeys(expressions, 5) | {ranked[4]: 4}), WORKLOADS
    )
    assert [row.expression for row in found.picks] == [ranked[4]]
    assert "Only 1 of the 5 methods failed at less than half of their seeds." in found.caveats


def test_where_every_method_failed_nobody_is_named():
    records = campaign(seeds=10)
    failed = failed_at(records, dict.fromkeys((record.spec.method for record in records), 5))
    found = recommend(WORKLOADS["digits"], failed, WORKLOADS)
    assert (names(found), found.unknown) == ([], "every method failed at half of its seeds or more")
    passed = recommend(WORKLOADS["digits"], [*failed, *campaign("mnist")], WORKLOADS)
    assert len(names(passed)) == 3
    assert passed.caveats[0].startswith(
        "In the published records of digits every method failed at half of its seeds or more. The most similar"
    )


@pytest.mark.parametrize("seeds", [1, 4])
def test_too_few_seeds_name_nobody(seeds):
    found = recommend(WORKLOADS["digits"], campaign(seeds=seeds), WORKLOADS)
    assert names(found) == []
    assert f"{seeds} seed" in found.unknown
    assert found.board is not None


def test_three_methods_of_three_are_no_recommendation():
    three = {name: METHODS[name] for name in ("nsgan", "hinge", "lsgan")}
    found = recommend(WORKLOADS["digits"], campaign(methods=three), WORKLOADS)
    assert names(found) == []
    assert "only 3 methods" in found.unknown


@pytest.mark.parametrize(
    "changes",
    [
        {"protocol_version": "1.0"},
        {"network": Network(name="dcgan-v2", width=32, channels=1, image_size=32, latent_size=100, d_norm="sn")},
        {"track": "paper"},
        {"allow_invalid": True},
    ],
    ids=["an earlier protocol", "another norm", "papers' recipes", "ill-defined"],
)
def test_records_of_another_protocol_or_track_do_not_count(changes):
    found = recommend(WORKLOADS["digits"], campaign(**changes), WORKLOADS)
    assert names(found) == []
    assert "no published record of the core track of protocol 1.1" in found.unknown
    mixed = recommend(WORKLOADS["digits"], [*campaign(**changes), *campaign("mnist")], WORKLOADS)
    assert mixed.caveats[0].startswith("No published record of the core track of protocol 1.1 is on digits. The most")


def test_points_say_nothing_of_images():
    found = recommend(WORKLOADS["digits"], campaign("ring8"), WORKLOADS)
    assert names(found) == []
    assert found.unknown == "no published record of the core track of protocol 1.1 is on images"
    assert "points in the plane" in recommend(WORKLOADS["ring8"], campaign(), WORKLOADS).unknown


def test_photographs_are_answered_by_what_resembles_them_most_and_it_is_said_how_it_differs():
    photos = data.workload("imagefolder:/photos?size=64")
    other = {"nsgan": 10.0, "hinge": 20.0, "lsgan": 40.0, "wgan": 90.0, "mmgan": 120.0}
    gray = recommend(photos, campaign(), WORKLOADS)
    assert names(gray) == ["lsgan", "hinge", "nsgan"]
    assert gray.differences == ("gray", "32x32", "other data")
    assert "/photos" not in gray.caveats[0], "a folder is named by no path in what may be quoted"
    color = recommend(photos, [*campaign(seeds=10), *campaign("cifar10", methods=other)], WORKLOADS)
    assert names(color) == ["nsgan", "hinge", "lsgan"]
    assert color.differences == ("32x32", "other data")


def test_a_more_similar_workload_without_a_ranking_is_passed_and_named():
    found = recommend(WORKLOADS["celeba64"], [*campaign(), *campaign("cifar10", seeds=2)], WORKLOADS)
    assert found.workload.name == "digits"
    assert re.fullmatch(
        r"No published record of the core track of protocol 1\.1 is on celeba64\. The published records of cifar10, "
        r"which is 32x32, other data, rank too few methods\. At 600 steps and at most 2 seeds, which show no order, "
        r"the highest scores are \w+ \(0\.\d{3}\), \w+ \(0\.\d{3}\), \w+ \(0\.\d{3}\)\. The most similar ranking is of "
        r"digits, which is gray, 32x32, other data: the order may be another on yours\.",
        found.caveats[0],
    )


def test_somebody_elses_folder_of_images_is_other_data():
    mine, theirs = (data.workload(f"imagefolder:/{name}") for name in ("mine", "theirs"))
    workloads = {**WORKLOADS, mine.name: mine, theirs.name: msgspec.structs.replace(theirs, content_hash="1" * 64)}
    records = campaign(theirs.name, workloads=workloads)
    other = recommend(mine, records, workloads)
    assert other.differences == ("other data",)
    assert "No published record of the core track of protocol 1.1 is on these images." in other.caveats[0]
    assert recommend(theirs, records, workloads).differences == ()
    few = [record for record in records if record.spec.seed < 2]
    passed = recommend(mine, [*campaign(), *few], workloads)
    assert passed.workload.name == "digits"
    assert f"The published records of {theirs.name}, which is other data, rank too few methods" in passed.caveats[0]


@pytest.mark.parametrize(("seeds", "few"), [(1, "one seed, which shows"), (4, "at most 4 seeds, which show")])
def test_of_a_workload_with_too_few_seeds_it_is_said_what_they_have_all_the_same(seeds, few):
    own = {"nsgan": 40.0, "hinge": 60.0, "lsgan": 20.0, "wgan": 90.0, "mmgan": 120.0}
    found = recommend(WORKLOADS["mnist"], [*campaign(), *campaign("mnist", seeds=seeds, methods=own)], WORKLOADS)
    assert found.workload.name == "digits"
    scores = r"lsgan \((0\.\d{3})\), nsgan \((0\.\d{3})\), hinge \((0\.\d{3})\)"
    said = re.fullmatch(
        rf"The published records of mnist rank too few methods\. At 600 steps and {few} no order, the highest "
        rf"scores are {scores}\. The most similar ranking is of digits, which is other data: "
        r"the order may be another on yours\.",
        found.caveats[0],
    )
    assert said, found.caveats[0]
    assert sorted(said.groups(), reverse=True) == list(said.groups())


def test_records_that_have_no_score_are_not_quoted():
    failed = [msgspec.structs.replace(record, status="error", metrics={}) for record in campaign("mnist", seeds=2)]
    found = recommend(WORKLOADS["mnist"], [*campaign(), *failed], WORKLOADS)
    assert found.caveats[0].startswith("The published records of mnist rank too few methods. The most similar")


def test_a_budget_at_which_few_methods_were_looked_at_hides_no_ranking():
    few = {name: METHODS[name] for name in ("nsgan", "hinge")}
    records = [*campaign(), *campaign(methods=few, steps=1000, seeds=10), *campaign("mnist", steps=1000)]
    for steps in (None, 500, 1000, 5000):
        found = recommend(WORKLOADS["digits"], records, WORKLOADS, steps)
        assert (found.workload.name, found.steps, len(found.picks)) == ("digits", 600, 3)
    assert "You asked for 5,000 steps. The nearest published ranking is of 600." in found.caveats


def test_the_order_is_that_of_the_budget_which_was_asked_for():
    early = {"nsgan": 500.0, "hinge": 400.0, "lsgan": 900.0, "wgan": 100.0, "mmgan": 1000.0}
    records = campaign(early=early)
    assert names(recommend(WORKLOADS["digits"], records, WORKLOADS, 300)) == ["wgan", "hinge", "nsgan"]
    assert names(recommend(WORKLOADS["digits"], records, WORKLOADS, 600)) == ["lsgan", "hinge", "nsgan"]
    near = recommend(WORKLOADS["digits"], records, WORKLOADS, 250)
    assert (near.steps, names(near)[0]) == (300, "wgan")
    assert "You asked for 250 steps. The nearest published ranking is of 300." in near.caveats
    # 430 is 1.43 times 300, and 600 is 1.40 times 430, though 300 is nearer in steps.
    assert recommend(WORKLOADS["digits"], records, WORKLOADS, 430).steps == 600
    assert recommend(WORKLOADS["digits"], records, WORKLOADS, 420).steps == 300


def test_of_two_campaigns_the_one_with_more_seeds_answers_and_then_the_longer():
    other = {"nsgan": 10.0, "hinge": 20.0, "lsgan": 40.0, "wgan": 90.0, "mmgan": 120.0}
    longer = campaign(methods=other, steps=1000)
    assert names(recommend(WORKLOADS["digits"], [*campaign(), *longer], WORKLOADS))[0] == "nsgan"
    assert names(recommend(WORKLOADS["digits"], [*campaign(seeds=10), *longer], WORKLOADS))[0] == "lsgan"


def test_it_is_the_same_in_whatever_order_the_records_come():
    records = [*campaign(), *campaign("mnist"), *campaign("cifar10", seeds=3)]
    asked = data.workload("imagefolder:/photos")
    assert recommend(asked, records, WORKLOADS) == recommend(asked, records[::-1], WORKLOADS)


def test_methods_that_may_all_be_the_best_are_said_to_be():
    equal = dict.fromkeys(METHODS, 30.0)
    found = recommend(WORKLOADS["digits"], campaign(methods=equal), WORKLOADS)
    assert all(row.among_best for row in found.picks)
    assert "5 of the 5 methods may be the best. The records do not tell them apart." in found.caveats
    three = recommend(
        WORKLOADS["digits"], campaign(seeds=10, methods={**equal, "wgan": 90.0, "mmgan": 90.0}), WORKLOADS
    )
    assert [row.among_best for row in three.board.ranked] == [True, True, True, False, False]
    assert three.caveats == (), "all that may be the best are named"


def test_differences_are_of_what_a_reader_can_see():
    assert differences_of(WORKLOADS["digits"], WORKLOADS["digits"]) == ()
    assert differences_of(WORKLOADS["mnist"], WORKLOADS["digits"]) == ("other data",)
    assert differences_of(WORKLOADS["digits"], WORKLOADS["stacked-digits"])[0] == "stacks of digits"
    small, large = make_workload("one"), make_workload("two", image_size=64, channels=3)
    assert differences_of(small, large) == ("in color", "64x64", "other data")
