"""The gate of golden traces, on traces that are made up."""

import math

import msgspec
import pytest

from bench.config.trial import Network, Optimizer
from bench.statistics.gates.comparison import compare_golden
from bench.statistics.gates.golden import tolerance
from bench.statistics.gates.verdicts import Settings
from bench.store.golden import GOLDEN_SCHEMA, GoldenTraces, Setting, Trace

SETTING = Setting(
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


def finding(base, new):
    (row,) = compare_golden(base, new, Settings()).rows
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
    comparison = compare_golden(base, msgspec.structs.replace(base, **changes), Settings())
    assert comparison.outcome(allow_improvement=True) == "nothing"
    assert words in comparison.rows[0].findings[0].note


def test_what_differs_between_the_files_is_listed():
    base = file({"loss": [1.0]})
    new = file({"loss": [1.0]}, torch="2.6.0", cpu="Other CPU")
    assert [(each.what, each.base, each.new) for each in compare_golden(base, new, Settings()).changes] == [
        ("torch", ("2.5.1",), ("2.6.0",)),
        ("cpu", ("Test CPU, AVX2",), ("Other CPU",)),
    ]
