"""Every loss still computes what it did: the recorded first steps of all of them, and that a changed loss is noticed.

Where a change is meant, record anew: python -m bench golden --output tests/golden/traces.json
"""

import dataclasses
from pathlib import Path

import pytest
import torch

from bench import golden
from bench.methods import everything, resolve
from bench.statistics.gates.comparison import Comparison, compare_golden
from bench.statistics.gates.verdicts import GateSettings
from bench.store.golden import encode_golden, read_golden
from losses import LossParts, Method
from losses.phase_inputs import PhaseInputs
from losses.regularizers.zero_centered import R1

SHIPPED = Path(__file__).parents[1] / "golden" / "traces.json"

SOME = ("wgan-gp", "ra_ls", "realness-gan", "pacgan2", "cr-gan", "wgan")
"""An objective with a vector head, packing, a penalty, an augmentation, a constraint and a pace are among them."""


ELSEWHERE = 0.05
"""Between two sets of instructions 0.01 has been seen, from the seventh step on; a changed loss moves its first."""


def judge(methods: tuple[str, ...] = ()) -> Comparison:
    """Record methods anew and hold them against what is shipped of them."""
    return compare_golden(read_golden(SHIPPED), golden.record_traces(methods), GateSettings())


def changed(found: Comparison) -> dict[str, str]:
    return {row.name: row.findings[0].note for row in found.rows if row.verdict == "worse"}


def moved(found: Comparison) -> dict[str, str]:
    """What has changed on the machine that recorded; elsewhere what rounding in another order cannot explain."""
    if not found.changes:
        return changed(found)
    effects = [(row, row.findings[0].effect) for row in found.rows if row.verdict != "not comparable"]
    far = [row for row, effect in effects if effect is None or effect > ELSEWHERE]
    return {row.name: row.findings[0].note for row in far}


def test_everything_in_the_library_has_a_trace_whose_numbers_are_finite() -> None:
    shipped = read_golden(SHIPPED)
    assert [each.method for each in shipped.traces] == sorted(method.name for method in resolve(()))
    assert len(shipped.traces) >= 140
    assert len(everything()) == len(shipped.traces)
    assert shipped.setting == golden.SETTING
    for trace in shipped.traces:
        assert set(trace.values) >= {
            f"{player}_{quantity}"
            for player in ("discriminator", "generator")
            for quantity in ("loss", "gradient_norm")
        }
        for quantity, values in trace.values.items():
            assert len(values) == golden.SETTING.steps
            assert None not in values, (trace.method, quantity)


def test_the_shipped_file_is_small_and_spelled_as_it_is_written() -> None:
    content = SHIPPED.read_bytes()
    assert len(content) < 350_000
    assert encode_golden(read_golden(SHIPPED)) == content


def test_some_losses_compute_what_they_did() -> None:
    found = judge(SOME)
    assert moved(found) == {}
    assert len(found.rows) - found.counts["not comparable"] == len(SOME)


@pytest.mark.slow
def test_every_loss_computes_what_it_did() -> None:
    found = judge()
    assert moved(found) == {}
    assert len(found.rows) - found.counts["not comparable"] == len(resolve(()))


def test_a_recording_repeats_to_the_byte() -> None:
    assert encode_golden(golden.record_traces(["nsgan-r1"])) == encode_golden(golden.record_traces(["nsgan-r1"]))


@pytest.mark.parametrize("phase", ["discriminator", "generator"])
def test_a_loss_scaled_by_a_thousandth_is_found(monkeypatch: pytest.MonkeyPatch, phase: str) -> None:
    before = golden.record_traces(["nsgan"])
    name = f"{phase}_loss"
    real = Method.loss

    def scaled(method: Method, inputs: PhaseInputs) -> LossParts:
        parts = real(method, inputs)
        return dataclasses.replace(parts, total=parts.total * (1 + 1e-3)) if inputs.phase == phase else parts

    monkeypatch.setattr(Method, "loss", scaled)
    found = compare_golden(before, golden.record_traces(["nsgan"]), GateSettings())
    (row,) = found.rows
    assert row.verdict == "worse"
    assert found.outcome(allow_improvement=True) == "regression"
    assert row.findings[0].note.startswith(f"{name} at step 0: ")
    assert row.findings[0].effect == pytest.approx(1e-3, rel=0.2)


def test_a_wrong_update_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Updates a tenth too large show as soon as a second step has begun from them."""
    before = golden.record_traces(["nsgan"])
    real = torch.optim.Adam.step

    def step(optimizer: torch.optim.Adam, *arguments: object) -> object:
        for group in optimizer.param_groups:
            group["lr"] = 1.1 * 2e-6
        return real(optimizer, *arguments)

    monkeypatch.setattr(torch.optim.Adam, "step", step)
    found = compare_golden(before, golden.record_traces(["nsgan"]), GateSettings())
    assert " at step 1: " in changed(found)["nsgan"]


@pytest.mark.slow
def test_a_mended_part_is_named_whether_its_revision_was_raised_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    methods = ["nsgan", "nsgan-r1", "hinge", "hinge + r1"]
    lazy = "hinge + r1(gamma=10, every=1)"
    before = golden.record_traces(methods)
    assert {each.expression: set(each.revisions) for each in before.traces} == {
        "bce_ns": {"bce_ns"}, "bce_ns + r1(gamma=10, every=1)": {"bce_ns", "r1"}, "hinge": {"hinge"},
        lazy: {"hinge", "r1"},
    }  # fmt: skip
    real = R1.__call__
    monkeypatch.setattr(R1, "__call__", lambda part, context: 1.01 * real(part, context))
    found = compare_golden(before, golden.record_traces(methods), GateSettings())
    assert set(changed(found)) == {"nsgan-r1", lazy}
    assert found.warnings[1].startswith("Likely culprit: r1, in all 2 and in no method that did not change: raise its ")

    revision = R1.revision
    monkeypatch.setattr(R1, "revision", revision + 1)
    found = compare_golden(before, golden.record_traces(methods), GateSettings())
    assert found.warnings == ()
    assert {row.name: row.notes for row in found.rows if row.notes} == dict.fromkeys(
        ("nsgan-r1", lazy), (f"revision of r1: {revision} → {revision + 1}",)
    )

    monkeypatch.setattr(R1, "__call__", real)
    found = compare_golden(before, golden.record_traces(methods), GateSettings())
    assert changed(found) == {}
    (said,) = found.warnings
    assert f"no number moved at all, in {lazy}, nsgan-r1: " in said


def test_a_batch_that_packs_do_not_divide_is_refused() -> None:
    with pytest.raises(ValueError, match="joins 3 samples to one input, which does not divide the batch of 16"):
        golden.record_traces(["bce_ns + pack(size=3)"])
