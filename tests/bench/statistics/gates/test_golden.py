"""The gate of golden traces, on traces that are made up."""

import math

import msgspec
import pytest

from bench.config.trial import Network, Optimizer
from bench.statistics.gates.comparison import compare_golden
from bench.statistics.gates.golden import tolerance
from bench.statistics.gates.verdicts import GateSettings
from bench.store.golden import GOLDEN_SCHEMA, GoldenSetting, GoldenTraces, Trace

SETTING = GoldenSetting(
    network=Network(name="dcgan-v2", width=8, channels=1, image_size=32, latent_size=100, d_norm="ln"),
    optimizer=Optimizer(name="adam", lr_generator=1e-6, lr_discriminator=1e-6, betas=(0.5, 0.999)),
    images="made up",
    image_count=4,
    batch_size=2,
    steps=3,
    seed=0,
)


def file(values, *, method="nsgan", torch="2.5.1", **changes):
    found = GoldenTraces(
        schema_version=GOLDEN_SCHEMA,
        setting=SETTING,
        device="cpu",
        cpu="Test CPU, AVX2",
        versions={"torch": torch, "engine": "1", "losses": "1"},
        traces=[Trace(method=method, expression="bce_ns", values=values)],
    )
    return msgspec.structs.replace(found, **changes)


def library(numbers, *, revisions=None, expressions=None, **changes):
    """A file of several methods: the numbers of each by its name; its expression names its parts."""
    known = revisions or {}
    traces = []
    for method, value in numbers.items():
        expression = (expressions or {}).get(method, method)
        own = {part: known.get(part, "1") for part in expression.split(" + ")} if revisions is not None else {}
        traces.append(Trace(method=method, expression=expression, revisions=own, values={"loss": [1.0, value]}))
    return file({}, traces=traces, **changes)


def judged(base, new):
    return compare_golden(base, new, GateSettings())


def finding(base, new):
    (row,) = compare_golden(base, new, GateSettings()).rows
    return row.findings[0]


@pytest.mark.parametrize(
    ("torch", "cpu", "difference", "verdict"),
    [
        ("2.5.0+cu121", "Test CPU, AVX2", 0.9e-5, "equivalent"),
        ("2.5.0+cu121", "Test CPU, AVX2", 1.1e-5, "worse"),
        ("2.5.0+cu121", "Test CPU, AVX2", -1.1e-5, "worse"),
        ("2.6.0", "Test CPU, AVX2", 0.9e-3, "equivalent"),
        ("2.6.0", "Test CPU, AVX2", -1.1e-3, "worse"),
        ("2.5.1", "Test CPU, AVX512", 0.9e-3, "equivalent"),
        ("2.5.1", "Test CPU, AVX512", 1.1e-3, "worse"),
    ],
)
def test_the_tolerance_on_both_sides(torch, cpu, difference, verdict):
    base = file({"loss": [1.0, 2.0, 4.0]})
    new = file({"loss": [1.0, 2.0 * (1 + difference), 4.0]}, torch=torch, cpu=cpu)
    found = finding(base, new)
    assert found.verdict == verdict
    assert found.effect == pytest.approx(abs(difference), rel=2e-3)
    assert found.able


def test_torch_2_50_is_not_2_5():
    assert tolerance(file({"loss": [1.0]}), file({"loss": [1.0]}, torch="2.50.1")) == 1e-3


def test_the_first_number_beyond_the_tolerance_is_named_and_the_largest_difference_given():
    base = file({"loss": [1.0, 1.0, 1.0], "norm": [1.0, 1.0, 1.0]})
    found = finding(base, file({"loss": [1.0, 1.0, 1.5], "norm": [1.0, 1.01, 1.0]}))
    assert found.note == "norm at step 1: 1 → 1.01"
    assert (found.base, found.new) == (1.0, 1.5)
    assert found.effect == pytest.approx(1 / 3)


def test_what_passes_through_zero_is_held_to_its_scale_elsewhere():
    base = file({"gap": [10.0, 0.0, 10.0]})
    assert finding(base, file({"gap": [10.0, 0.9e-6, 10.0]})).verdict == "equivalent"
    assert finding(base, file({"gap": [10.0, 1.1e-6, 10.0]})).verdict == "worse"
    small = file({"gap": [1e-6, 0.0, 1e-6]})
    assert finding(small, file({"gap": [1.001e-6, 0.0, 1e-6]})).verdict == "worse"


def test_a_number_that_ceases_to_be_finite_is_a_change_and_one_that_never_was_is_none():
    base = file({"loss": [1.0, None, None]})
    assert finding(base, base).verdict == "equivalent"
    found = finding(base, file({"loss": [1.0, None, 3.0]}))
    assert found.effect == math.inf
    assert found.note == "loss at step 2: not finite → 3"


@pytest.mark.parametrize("values", [{"loss": [1.0, 1.0]}, {"loss": [1.0] * 3, "norm": [1.0] * 3}, {}])
def test_other_quantities_or_steps_are_a_change(values):
    assert finding(file({"loss": [1.0] * 3}), file(values)).verdict == "worse"


def test_a_method_that_means_something_else_now_says_so():
    base, new = file({"loss": [1.0]}), file({"loss": [2.0]})
    (trace,) = new.traces
    new = msgspec.structs.replace(new, traces=[msgspec.structs.replace(trace, expression="hinge")])
    assert finding(base, new).note.endswith(" (bce_ns → hinge)")


METHODS = ("bce", "bce + r1", "hinge", "hinge + r1", "hinge + gp", "bce + gp")
STILL = dict.fromkeys(METHODS, 2.0)


def moved(*names, by=1.01):
    return STILL | dict.fromkeys(names, 2.0 * by)


def test_a_change_that_a_revision_explains_names_the_part_and_warns_of_nothing():
    found = judged(library(STILL, revisions={}), library(moved("bce + r1", "hinge + r1"), revisions={"r1": "2"}))
    assert {row.name: row.notes for row in found.rows if row.verdict == "worse"} == {
        "bce + r1": ("revision of r1: 1 → 2",),
        "hinge + r1": ("revision of r1: 1 → 2",),
    }
    assert all(row.notes == () for row in found.rows if row.verdict == "equivalent")
    assert found.warnings == ()
    assert found.outcome(allow_improvement=True) == "regression", "it is recorded anew all the same"


def test_numbers_that_moved_without_a_revision_name_the_part_that_they_have_in_common():
    found = judged(library(STILL, revisions={}), library(moved("bce + r1", "hinge + r1"), revisions={}))
    first, second = found.warnings
    assert first == (
        "Numbers changed, and no revision of a part, nor the version of the engine or of the losses, was raised: "
        "bce + r1, hinge + r1."
    )
    assert second == (
        "Likely culprit: r1, in all 2 and in no method that did not change: raise its `revision`, and record the "
        "traces again."
    )


def test_two_parts_that_moved_are_both_found_the_more_common_one_first():
    changed = [name for name in METHODS if name.endswith("r1") or name.startswith("hinge")]
    numbers = STILL | {"ls": 2.0, "ls + r1": 2.0}
    base, new = library(numbers, revisions={}), library(numbers | moved(*changed, "ls + r1"), revisions={})
    assert [words.partition(" and in no")[0] for words in judged(base, new).warnings[1:]] == [
        "Likely culprit: hinge, in 3 of these 5",
        "Likely culprit: r1, in 2 of these 5",
    ]


def test_parts_that_always_stand_together_are_named_together():
    numbers = {"bce": 2.0, "odd + rare": 2.0}
    base, new = library(numbers, revisions={}), library(numbers | {"odd + rare": 3.0}, revisions={})
    assert judged(base, new).warnings[1].startswith("Likely culprit: odd or rare, in that method and in no method")


def test_where_no_part_can_be_it_that_is_said():
    numbers = STILL | {"lazy": 2.0}
    spelled = {"lazy": "bce + r1"}
    base = library(numbers, revisions={}, expressions=spelled)
    found = judged(base, library(numbers | {"lazy": 3.0}, revisions={}, expressions=spelled))
    assert len(found.warnings) == 2
    assert found.warnings[1].startswith(
        "No part explains lazy: each of theirs is also in a method that did not change."
    )
    assert "losses.VERSION or ENGINE_VERSION" in found.warnings[1]


def test_where_everything_moved_what_all_share_is_a_suspect():
    found = judged(library({"bce": 2.0}, revisions={}), library({"bce": 3.0}, revisions={}))
    assert "in that method and in no method that did not change, of which there is none" in found.warnings[1]
    assert "losses.VERSION or ENGINE_VERSION" in found.warnings[1]


@pytest.mark.parametrize("name", ["engine", "losses"])
def test_a_raise_of_what_all_share_explains_any_change(name):
    versions = {"torch": "2.5.1", "engine": "1", "losses": "1"} | {name: "2"}
    base = library(STILL, revisions={})
    assert judged(base, library(moved("bce + r1"), revisions={}, versions=versions)).warnings == ()
    (said,) = judged(base, library(STILL, revisions={}, versions=versions)).warnings
    assert said.startswith(
        f"The version of the {name} went from 1 to 2, and no number moved at all, in bce, bce + gp, "
    )
    assert "hinge + gp and 1 more: what is recorded of them is trained again for nothing" in said


def test_another_torch_explains_nothing_by_itself_and_is_named():
    base, new = library(STILL, revisions={}), library(moved("bce + r1"), revisions={}, torch="2.6.0")
    assert judged(base, new).warnings[0].endswith("or models of processor, which may be why.")


def test_a_revision_that_was_raised_for_nothing_is_told():
    base = library(STILL, revisions={})
    found = judged(base, library(STILL, revisions={"r1": "2"}))
    (said,) = found.warnings
    assert said.startswith("The revision of r1 went from 1 to 2, and no number moved at all, in bce + r1, hinge + r1: ")
    assert found.outcome(allow_improvement=False) == "passed"
    (said,) = judged(base, library(moved("bce + r1", by=1 + 1e-7), revisions={"r1": "2"})).warnings
    assert "and no number moved by more than 1.0e-07, which is within the tolerance, in" in said
    assert judged(base, library(moved("bce + r1"), revisions={"r1": "2"})).warnings == (), "one of them moved"


def test_a_part_beside_another_that_moved_is_judged_where_it_stands_alone():
    base = library(STILL, revisions={})
    new = library(moved("hinge", "hinge + r1", "hinge + gp"), revisions={"r1": "2", "hinge": "2"})
    (said,) = judged(base, new).warnings
    assert said.startswith("The revision of r1 went from 1 to 2, and no number moved at all, in bce + r1: ")


def test_a_revision_that_went_back_is_told():
    found = judged(library(STILL, revisions={"r1": "3"}), library(moved("bce + r1"), revisions={"r1": "2"}))
    assert found.warnings == (
        "The revision of r1 went back from 3 to 2, which records of before have already: raise it instead.",
    )


def test_the_content_of_a_file_has_no_order():
    base = library(STILL, revisions={"r1": "f" * 16})
    assert judged(base, library(moved("bce + r1"), revisions={"r1": "0" * 16})).warnings == ()


def test_a_method_that_means_something_else_is_explained_by_that():
    base = library(STILL, revisions={})
    found = judged(base, library(moved("bce + r1"), revisions={}, expressions={"bce + r1": "bce + r1 + gp"}))
    assert found.warnings == ()


def test_files_of_before_revisions_are_read_and_the_culprit_found_by_the_expressions():
    found = judged(library(STILL), library(moved("bce + r1", "hinge + r1"), revisions={}))
    assert found.warnings[0].startswith("Numbers changed, and one of the files names no revisions of parts, so nobody ")
    assert found.warnings[1].startswith("Likely culprit: r1, in all 2 ")
    assert judged(library(STILL), library(STILL, revisions={})).warnings == ()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"setting": msgspec.structs.replace(SETTING, batch_size=4)}, "another setting"),
        ({"device": "cuda"}, "cpu against cuda"),
        ({"traces": []}, "NEW has no such trace"),
    ],
)
def test_what_is_not_comparable_is_no_pass(changes, words):
    base = file({"loss": [1.0]})
    comparison = compare_golden(base, msgspec.structs.replace(base, **changes), GateSettings())
    assert comparison.outcome(allow_improvement=True) == "nothing"
    assert words in comparison.rows[0].findings[0].note


def test_a_loss_that_is_gone_fails_unless_it_is_allowed():
    comparison = judged(library({"hinge": 1.0, "nsgan": 1.0}), library({"nsgan": 1.0}))
    assert comparison.outcome(allow_improvement=False) == "incomplete"
    assert comparison.outcome(allow_improvement=False, allow_missing=True) == "passed"


def test_what_differs_between_the_files_is_listed():
    base = file({"loss": [1.0]})
    new = file({"loss": [1.0]}, torch="2.6.0", cpu="Other CPU")
    assert [(each.what, each.base, each.new) for each in compare_golden(base, new, GateSettings()).changes] == [
        ("torch", ("2.5.1",), ("2.6.0",)),
        ("cpu", ("Test CPU, AVX2",), ("Other CPU",)),
    ]
