"""Show: everything about one trial."""

import re

import msgspec
import pytest
from planted_records import make_workload, planted_record

from bench.cli.show import sparkline
from bench.store.journal import Store


def test_show_tells_everything_about_one_trial(bench, results):
    record = Store(results).records()[0]
    result = bench("show", record.trial_id[:6], "--results", results)
    assert result.exit_code == 0
    for words in (record.trial_id, record.spec.method, "distance_floor", "generator_signal", "▁", "d_norm ln"):
        assert words in result.stdout
    assert str(results / "logs" / f"{record.trial_id}.0.log") in result.stdout
    assert "1 thread (" in result.stdout
    lines = result.stdout.splitlines()
    cost = lines[lines.index("cost") + 1 : lines.index("curves")]
    assert len({len(line) - len(line[2:].lstrip("abcdefghijklmnopqrstuvwxyz_").lstrip()) for line in cost}) == 1


def test_show_sets_the_moving_average_beside_and_nothing_alone(bench, tmp_path):
    metrics = {"ema_distance": 50.0, "ema_precision": 0.8, "ema_recall": 0.6, "density": 0.4, "modes": 10.0}
    made = planted_record(make_workload(), distance=100.0, protocol_version="1.1", metrics=metrics)
    without = {name: value for name, value in made.metrics.items() if name != "coverage"}
    made = msgspec.structs.replace(made, metrics=without)
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / f"{made.trial_id}.0.json").write_bytes(msgspec.json.encode(made))
    result = bench("show", made.trial_id, "--results", tmp_path)
    told = result.stdout.partition("\nscore\n")[2].partition("\ncurves\n")[0]
    lines = {line.split()[0]: " ".join(line.split()[1:]) for line in told.splitlines()}
    assert lines["score"] == "0.528 (scoring 2)"
    assert lines["EMA"].startswith("score 0.612 (of the moving average")
    assert lines["distance"] == "100 EMA 50"
    assert lines["distance_floor"] == "2"
    assert lines["precision"] == "0.71 (recall 0.55) EMA 0.8 (ema_recall 0.6)"
    assert lines["precision_ceiling"] == "0.9 (recall_ceiling 0.85)"
    assert lines["modes"] == "10 (unreadable 0.12)"
    assert lines["density"] == "0.4 (density says nothing without coverage, which this record lacks)"
    assert "ema_distance" not in lines


def test_a_methods_name_in_place_of_a_trial_lists_its_trials(bench, results):
    record = next(each for each in Store(results).records() if each.spec.method_name == "nsgan")
    for verb in ("show", "sample"):
        told = bench(verb, "nsgan", "--results", results).stderr
        assert told.startswith("error: no trial begins with 'nsgan'; there are ")
        assert f"{record.trial_id} (nsgan on {record.spec.workload}, seed {record.spec.seed})" in told
        assert set(re.findall(r"\((\S+) on ", told)) == {"nsgan"}
    others = bench("show", "zzzz", "--results", results).stderr
    assert others == "error: no trial begins with 'zzzz'; `export` lists all of them\n", "twelve are too many to list"


def test_show_without_a_workload_of_that_name_still_shows(bench, tmp_path):
    made = planted_record(make_workload("of-another-time"))
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / f"{made.trial_id}.0.json").write_bytes(msgspec.json.encode(made))
    result = bench("show", made.trial_id, "--results", tmp_path)
    assert result.exit_code == 0
    assert "none: unknown workload 'of-another-time'" in result.stdout


def test_show_groups_the_stability_measures_that_a_record_has(bench, results, record, workload):
    made = record(workload, "nsgan", 7)
    measures = {"collapse_onset": 1500, "signal_vanished": 0.0, "late_regression": None, "of_one_s_own": 0.25}
    made = msgspec.structs.replace(made, stability=measures)
    (results / "records" / f"{made.trial_id}.0.json").write_bytes(msgspec.json.encode(made))
    lines = bench("show", made.trial_id, "--results", results).stdout.splitlines()
    first, last = lines.index("stability: distance to the data"), lines.index("cost")
    assert [line.split()[:2] for line in lines[first:last]] == [
        ["stability:", "distance"],
        ["late_regression", "–"],
        ["stability:", "signal"],
        ["signal_vanished", "0"],
        ["stability:", "diversity"],
        ["collapse_onset", "1,500"],
        ["stability:", "others"],
        ["of_one_s_own", "0.25"],
    ]
    assert "more than a tenth of the modes was lost" in lines[last - 3]


def test_show_says_why_a_run_failed(bench, results):
    failed = next(record for record in Store(results).records() if record.status != "ok")
    assert (
        "a number stopped being finite (planted nonfinite)"
        in bench("show", failed.trial_id, "--results", results).stdout
    )


@pytest.mark.parametrize(
    ("prefix", "words"), [("zzzz", "no trial begins with 'zzzz'"), ("", "12 trials begin with ''")]
)
def test_show_needs_one_trial(bench, results, prefix, words):
    result = bench("show", prefix, "--results", results)
    assert result.exit_code == 2
    assert words in result.stderr


@pytest.mark.parametrize(
    ("values", "bars"),
    [
        ([0.0, 1.0], "▁█"),
        ([1.0, 1.0], "▁▁"),
        ([None, 1.0, float("nan"), 2.0], "·▁·█"),
        ([1.0, 10.0, 100.0, 1000.0], "▁▃▆█"),  # spans orders of magnitude: drawn on a logarithmic scale
        # The logarithms, 0.01 to 5.3, span orders of magnitude as well, and are drawn as they are.
        ([1.01, 4.0, 14.0, 52.0, 200.0], "▁▃▄▆█"),
        ([1.01, None, 14.0, float("inf"), 200.0], "▁·▄·█"),
        ([2.0, 101.0, 199.0], "▁▅█"),  # not yet so many
        ([None], "·"),
    ],
)
def test_sparkline(values, bars):
    assert sparkline(values) == bars


def test_sparkline_keeps_its_width():
    assert len(sparkline([float(i) for i in range(1000)])) == 40
