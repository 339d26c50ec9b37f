"""Kernel records of two folders: what is paired, what is refused, what is found and what is not."""

import msgspec
import pytest
from planted_kernels import MACHINE, SETTING, noisy_kernels, planted_kernels

from bench.statistics.gates.comparison import compare
from bench.statistics.gates.kernels import with_kernels
from bench.statistics.gates.verdicts import GateSettings

SETTINGS = GateSettings(resamples=500)
NEXT = {"engine": "2", "losses": "1"}
ELSEWHERE = msgspec.structs.replace(MACHINE, fingerprint="e" * 12)
PATHS = ("loss", "loss.forward", "d_step", "g_step")


def judge(base, new, settings=SETTINGS):
    return with_kernels(compare([], [], {}, settings), base, new, settings)


def verdicts(made):
    return {row.name: row.verdict for row in made.rows}


@pytest.mark.parametrize(("factor", "verdict"), [(1.15, "worse"), (1 / 1.15, "better")])
def test_a_planted_slow_down_is_found_in_its_path_alone(factor, verdict):
    base = [noisy_kernels(method, 1) for method in ("nsgan", "hinge")]
    new = [noisy_kernels("nsgan", 2), noisy_kernels("hinge", 2, slower={"d_step": factor}, components=NEXT)]
    made = judge(base, new)
    found = verdicts(made)
    assert found.pop("hinge d_step") == verdict
    assert set(found.values()) <= {"equivalent", "inconclusive"}
    assert len(found) == 2 * len(PATHS) - 1
    (finding,) = next(row.findings for row in made.rows if row.name == "hinge d_step")
    assert finding.effect == pytest.approx(factor, rel=0.04)
    assert finding.low < factor < finding.high
    assert (finding.base_count, finding.new_count) == (12, 12)


def test_a_slow_down_within_the_threshold_is_none():
    base, new = [noisy_kernels("hinge", 1)], [noisy_kernels("hinge", 2, slower={"d_step": 1.15})]
    assert verdicts(judge(base, new, GateSettings(resamples=500, threshold=0.3)))["hinge d_step"] != "worse"


def test_null_comparisons_stay_quiet_and_slow_ones_do_not():
    alarms = {"none": 0, "slower": 0}
    for draw in range(20):
        base, new = [noisy_kernels("hinge", draw)], [noisy_kernels("hinge", 100 + draw)]
        alarms["none"] += sum(verdict in ("worse", "better") for verdict in verdicts(judge(base, new)).values())
        slow = [noisy_kernels("hinge", 100 + draw, slower={"d_step": 1.2})]
        alarms["slower"] += verdicts(judge(base, slow))["hinge d_step"] == "worse"
    assert alarms == {"none": 0, "slower": 20}


def test_another_machine_is_not_compared_and_both_are_named():
    made = judge([noisy_kernels("nsgan", 1)], [noisy_kernels("nsgan", 1, slower={"loss": 9.0}, machine=ELSEWHERE)])
    assert set(verdicts(made).values()) == {"not comparable"}
    notes = {finding.note for row in made.rows for finding in row.findings}
    assert notes == {f"measured on other machines: A CPU x2 [{'f' * 12}] against A CPU x2 [{'e' * 12}]"}
    assert made.outcome(allow_improvement=False) == "nothing"
    assert [(each.what, each.base, each.new) for each in made.changes] == [("fingerprint", ("f" * 12,), ("e" * 12,))]


def test_of_several_measurements_the_last_on_a_common_machine_counts():
    later = "2027-02-01T00:00:00+00:00"
    base = [noisy_kernels("nsgan", 1), noisy_kernels("nsgan", 2, slower={"loss": 0.1}, machine=ELSEWHERE)]
    new = [
        noisy_kernels("nsgan", 3, slower={"loss": 2.0}),
        noisy_kernels("nsgan", 4, components=NEXT, measured_at=later),
        noisy_kernels("nsgan", 5, slower={"loss": 3.0}, measured_at=later, machine=_third()),
    ]
    for given in (new, new[::-1]):
        made = judge(base, given)
        assert "not comparable" not in verdicts(made).values()
        assert verdicts(made)["nsgan loss"] in ("equivalent", "inconclusive")
    assert [(each.what, each.base, each.new) for each in made.changes] == [("engine", ("1",), ("2",))]


def _third():
    return msgspec.structs.replace(MACHINE, fingerprint="d" * 12)


def test_only_the_same_setting_and_path_meet():
    large = msgspec.structs.replace(SETTING, batch_size=256)
    base = [planted_kernels("nsgan"), planted_kernels("nsgan", setting=large), planted_kernels("gone")]
    made = judge(base, [planted_kernels("nsgan"), planted_kernels("nsgan-r1", 1.5)])
    notes = {f"{row.name}, {row.setting}": row.findings[0].note for row in made.rows}
    assert notes["nsgan d_step, batch 64, 32x32x3, width 64, ln, fp32, eager, cpu"] == "too few values to tell"
    assert notes["nsgan d_step, batch 256, 32x32x3, width 64, ln, fp32, eager, cpu"] == "NEW has no such benchmark"
    assert {note for name, note in notes.items() if name.startswith("gone")} == {"NEW has no such benchmark"}
    assert {note for name, note in notes.items() if name.startswith("nsgan-r1")} == {"BASE has no such benchmark"}


def test_methods_of_one_label_are_told_apart_by_their_expressions():
    base = [planted_kernels("r1", method=f"nsgan + r1(gamma={gamma})", id=f"{gamma}" * 16) for gamma in (1, 2)]
    names = {row.name.partition(" d_step")[0] for row in judge(base, base).rows if "d_step" in row.name}
    assert names == {"nsgan + r1(gamma=1)", "nsgan + r1(gamma=2)"}


def test_it_is_said_where_the_reference_slowed_down_as_well():
    base, slow = noisy_kernels("hinge", 1), noisy_kernels("hinge", 2, slower={"d_step": 1.3})
    busy = [
        msgspec.structs.replace(each, reference_blocks=[1.3 * seconds for seconds in each.reference_blocks])
        for each in slow.timings
    ]
    for new, verdict in ((slow, "worse"), (msgspec.structs.replace(slow, timings=busy), "equivalent")):
        (row,) = (row for row in judge([base], [new]).rows if row.name == "hinge d_step")
        assert row.verdict == verdict
        assert bool(row.notes) is (verdict != "worse")
    assert row.notes[0].startswith("nsgan, timed beside it, ×1.3")


def test_the_reference_has_nothing_beside_it_and_is_gated_loosely():
    base = [noisy_kernels("nsgan", 1)]
    for factor, verdict in ((1.3, "inconclusive"), (1.8, "worse")):
        (row,) = (
            row
            for row in judge(base, [noisy_kernels("nsgan", 2, slower={"d_step": factor})]).rows
            if row.name == "nsgan d_step"
        )
        assert row.verdict == verdict
        assert row.findings[0].note == "the reference itself, gated at 50 %"


def test_a_line_of_few_blocks_is_told_and_fails_nothing():
    few = planted_kernels("hinge", id="1" * 16)  # of four blocks a path
    made = judge([noisy_kernels("nsgan", 1), few], [noisy_kernels("nsgan", 2), few])
    assert not any(finding.able for row in made.rows for finding in row.findings if row.name.startswith("hinge"))
    assert made.outcome(allow_improvement=False) == "passed"
    assert judge([few], [few]).outcome(allow_improvement=False) == "nothing"


def test_of_many_lines_each_needs_more():
    """The same blocks are an alarm of their own, and none among hundreds of lines that have not moved."""
    base, new = noisy_kernels("hinge", 1), noisy_kernels("hinge", 2, slower={"d_step": 1.12})
    others = [f"method{place}" for place in range(60)]
    alone = verdicts(judge([base], [new]))["hinge d_step"]
    among = verdicts(
        judge([base, *(noisy_kernels(name, 3) for name in others)], [new, *(noisy_kernels(name, 4) for name in others)])
    )
    assert (alone, among["hinge d_step"]) == ("worse", "inconclusive")
    assert not any(verdict in ("worse", "better") for verdict in among.values())
