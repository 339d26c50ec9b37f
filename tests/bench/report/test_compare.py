"""A comparison in words: the four formats, and names that mean harm."""

import json
import shlex
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest
from planted_records import make_workload, planted_record

from bench.config.trial import content_version
from bench.extractors.specs import IMAGENET
from bench.report.compare import (
    cells,
    escape_markdown,
    headings,
    to_json,
    to_markdown,
)
from bench.report.compare_text import Presented, changes, summary, verdict
from bench.report.flags import commands
from bench.report.junit import to_junit
from bench.report.loss_files import loss_files_of
from bench.statistics.gates.comparison import compare, compare_timings
from bench.statistics.gates.speed import Timing
from bench.statistics.gates.verdicts import GateSettings

HOSTILE = "<script>alert('x')</script> | `rm` [a](b) *x* @team \x08 & \"q\""
WORKLOAD = make_workload()


def runs(distances, method="nsgan", losses="1", **changes):
    return [
        planted_record(WORKLOAD, method, seed, distance=distance, components={"losses": losses}, **changes)
        for seed, distance in enumerate(distances)
    ]


def present(base, new, allow=False, **settings):
    made = compare(base, new, {"digits": WORKLOAD}, GateSettings(resamples=200, **settings))
    return Presented(comparison=made, base="old | results", new="new", allow_improvement=allow)


LOW, HIGH = [100.0 + seed for seed in range(10)], [150.0 - seed for seed in range(10)]


@pytest.fixture
def shown():
    base = [*runs(LOW), *runs(LOW, HOSTILE), *runs(LOW, "hinge"), *runs(LOW, "gone")]
    return present(base, [*runs(LOW, losses="2"), *runs(HIGH, HOSTILE, "2"), *runs(LOW, "hinge", "2")])


def test_the_summary_counts_every_verdict_and_says_why_not(shown):
    assert summary(shown) == "1 of 4 cells worse; 2 equivalent; 1 not comparable: NEW has no result."
    assert verdict(shown).startswith("Regression")
    assert changes(shown) == ["losses: 1 → 2"]


def test_the_words_for_every_outcome():
    assert verdict(present(runs(LOW), runs(LOW, losses="2"))).startswith("No regression found.")
    assert "--allow-improvement" in verdict(present(runs(HIGH), runs(LOW, losses="2")))
    assert "--stage 2" in verdict(present(runs(LOW), runs(HIGH, losses="2"), stage="1"))
    gone = present([*runs(LOW), *runs(LOW, "hinge")], runs(HIGH, losses="2"), stage="1")
    assert verdict(gone).endswith("--stage 2. Unseen, which fails there, too: NEW has no result (1).")
    assert verdict(replace(gone, allow_missing=True)).endswith("--stage 2.")
    assert "no pass" in verdict(present(runs(LOW), []))
    blind = verdict(present(runs(LOW[:2]), runs(HIGH[:2], losses="2")))
    assert "quality 1 of 1, failures 1 of 1, throughput 1 of 1" in blind
    assert summary(present([], [])) == "Nothing to compare: neither side has a result."


def test_a_pass_says_which_gates_were_blind():
    few = present(runs(LOW[:4]), runs(LOW[:4][::-1], losses="2"), stage="1")
    assert "throughput 1 of 1" in verdict(few)


def test_benchmarks_with_too_few_rounds_are_not_told_to_have_more_seeds():
    timings = [Timing("test_r1", "a", "machine", (1.0, 1.1))]
    shown = Presented(
        comparison=compare_timings(timings, timings, GateSettings()), base="a", new="b", allow_improvement=False
    )
    assert verdict(shown) == (
        "Nothing was compared, which is no pass. Too few rounds for any difference to be found: timing 1 of 1; time "
        "more of them."
    )


def test_alarms_come_first_and_say_which_gate(shown):
    first = dict(zip(headings(shown), cells(shown, shown.rows[0]), strict=True))
    assert first["verdict"] == "worse"
    assert first["method"] == HOSTILE
    assert first["quality"].startswith("×1.39 (")
    assert first["failed"] == "0/10 → 0/10"
    assert first["remarks"] == "quality worse"


def test_scores_are_written_the_way_people_read_them():
    toy = make_workload("ring8", scored_by="modes")
    records = {}
    for losses, found in (("1", 10.0), ("2", 7.0)):
        records[losses] = [planted_record(toy, seed=seed, components={"losses": losses}) for seed in range(6)]
        for record in records[losses]:
            record.metrics.update(modes=found, kl_uniform=0.0)
    made = compare(records["1"], records["2"], {"ring8": toy}, GateSettings(resamples=200))
    shown = Presented(comparison=made, base="a", new="b", allow_improvement=False)
    assert cells(shown, shown.rows[0])[3].startswith("-0.300 (-0.300 to -0.300), p ")


def test_cells_that_differ_in_a_setting_say_which():
    base = [*runs(LOW), *runs(LOW, batch_size=32)]
    shown = present(base, base)
    assert {cells(shown, row)[2] for row in shown.rows} == {"digits (batch_size 64)", "digits (batch_size 32)"}


def test_markdown_shows_hostile_names_as_text(shown):
    text = to_markdown(shown)
    assert "<script" not in text
    assert "&lt;script&gt;alert('x')&lt;/script&gt; \\| \\`rm\\` \\[a\\](b) \\*x\\* &#64;team" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in rows} == {len(headings(shown)) + 1}
    assert text.startswith("### 1 of 4 cells worse")
    assert text.index("&lt;script") < text.index("<details>") < text.index("| equivalent |")


def test_markdown_fences_commands_that_contain_fences(shown):
    hostile = Presented(
        comparison=shown.comparison, base="a", new="b", allow_improvement=False, commands=("run '````'",)
    )
    assert "\n`````\nrun '````'\n`````\n" in to_markdown(hostile)


def test_json_says_everything(shown):
    document = json.loads(to_json(shown))
    assert document["outcome"] == "regression"
    assert document["counts"]["worse"] == 1
    worse = next(row for row in document["rows"] if row["verdict"] == "worse")
    assert worse["name"] == HOSTILE
    quality = worse["gates"][0]
    assert quality["gate"] == "quality"
    assert quality["low"] < quality["effect"] < quality["high"]
    assert quality["adjusted_p"] < 0.05


def test_junit_can_be_parsed_and_counts_right(shown):
    root = ET.fromstring(to_junit(shown))
    assert {suite.get("name"): suite.get("failures") for suite in root} == {
        "quality": "2",  # one is worse, and one is gone
        "failures": "0",
        "throughput": "0",
    }
    assert (root.get("tests"), root.get("failures"), root.get("skipped"), root.get("errors")) == ("12", "2", "2", "0")
    failed, gone = root.findall(".//testcase[failure]")
    assert gone.find("failure").get("message") == "unseen: NEW has no result"
    assert failed.get("name").startswith("<script>alert('x')</script> | `rm`")
    assert "\ufffd" in failed.get("name")  # a control character has no place in XML
    assert failed.find("failure").get("message").startswith("worse: ×1.39")


def test_junit_of_nothing_is_an_error_and_of_an_allowed_improvement_is_none():
    assert ET.fromstring(to_junit(present([], runs(LOW)))).get("errors") == "1"
    better = runs(HIGH), runs(LOW, losses="2")
    assert ET.fromstring(to_junit(present(*better))).get("failures") == "1"
    assert ET.fromstring(to_junit(present(*better, allow=True))).get("failures") == "0"


def flagged(parts, workload=WORKLOAD):
    def set_of(distances):
        return [
            planted_record(workload, "mine", seed, distance=distance, components={"losses": "1", **parts})
            for seed, distance in enumerate(distances)
        ]

    workloads = {workload.name: workload}
    return compare(set_of(LOW), set_of(HIGH), workloads, GateSettings(resamples=200, stage="1")).reruns


@pytest.mark.parametrize(
    ("name", "extractor", "asked"),
    [
        ("cifar10", f"{IMAGENET}:5793+cifar10-cnn-v1:untrained", ["features=imagenet"]),
        ("cifar10", "cifar10-cnn-v1:untrained", ["features=own"]),
        ("imagefolder:/photos?size=32", "random-conv-v1:1", ["features=own"]),
        ("digits", "digits-cnn-v1:1", []),
    ],
)
def test_the_commands_of_a_screen_ask_for_the_features_of_photographs(name, extractor, asked):
    reruns = flagged({"extractor": extractor}, make_workload(name))
    (command,) = commands(reruns, lambda _: Path("results"), {})
    assert [word for word in shlex.split(command) if word.startswith("features=")] == asked


@pytest.mark.parametrize("parts", [{"loss:hinge": "1"}, {"loss:hinge": "12", "loss:r1": "3"}, {}])
def test_the_commands_of_a_screen_name_no_file_for_losses_of_the_library(parts, tmp_path):
    found = loss_files_of(flagged(parts), (), tmp_path)
    assert (found.files, found.warnings) == ({}, ())
    (command,) = commands(flagged(parts), lambda _: Path("results"), found.files)
    assert "--losses" not in command


def test_the_commands_of_a_screen_name_the_file_that_a_loss_came_in_by_its_content(tmp_path):
    mine = tmp_path / "it's mine" / "my losses.py"
    mine.parent.mkdir()
    mine.write_text("MINE = 1")
    (tmp_path / "a.py").write_text("MINE = 2")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "copy.py").write_text("MINE = 1")
    reruns = flagged({"loss:mine": content_version(b"MINE = 1"), "loss:r1": "1"})
    found = loss_files_of(reruns, (), tmp_path)
    assert found.warnings == ()
    (command,) = commands(reruns, lambda _: Path("my results"), found.files)
    words = shlex.split(command)
    assert words[words.index("--losses") + 1] == "it's mine/my losses.py"
    assert words[-1] == "my results"


def test_a_named_file_counts_if_it_has_the_content(tmp_path):
    mine, elsewhere = tmp_path / "mine.py", tmp_path / "elsewhere"
    elsewhere.mkdir()
    mine.write_text("MINE = 1")
    reruns = flagged({"loss:mine": content_version(b"MINE = 1")})
    assert list(loss_files_of(reruns, (mine,), elsewhere).files.values()) == [mine]
    mine.write_text("MINE = 2")  # edited since: it would train another loss
    found = loss_files_of(reruns, (mine,), elsewhere)
    assert found.files == {}
    assert "--losses" in found.warnings[0]
    assert "'mine'" in found.warnings[0]


def test_warnings_stand_in_every_text(shown):
    warned = replace(shown, comparison=replace(shown.comparison, warnings=("Raise <r1> *now*.",)))
    assert json.loads(to_json(warned))["warnings"] == ["Raise <r1> *now*."]
    assert "- **Raise &lt;r1&gt; \\*now\\*.**" in to_markdown(warned)
    assert json.loads(to_json(shown))["warnings"] == []


def test_escaping_is_on_one_line():
    assert escape_markdown("a\n\n# b") == "a \\# b"
