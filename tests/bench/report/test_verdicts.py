"""The reader's table: plain verdicts, and no p where none could show anything."""

import json

import numpy as np
import pytest
from planted_records import make_workload

from bench.report import formats, formatting
from bench.report.flat import flat_row
from bench.report.html import finding
from bench.report.leaderboard import lines, parts
from bench.report.notes import facts
from bench.statistics.ranking import rank


def made(record, workload, factors, seeds=10):
    """Return records of methods whose distances are so many times those of nsgan, with a fixed scatter."""
    rng = np.random.default_rng(0)
    return [
        record(workload, method, seed, distance=float(100.0 * factor * np.exp(0.2 * rng.normal())))
        for method, factor in factors.items()
        for seed in range(seeds)
    ]


def column(board, title, heading):
    (part,) = [part for part in parts(board) if part.title == title]
    headings = [each.heading for each in part.columns]
    return {line[headings.index("method")]: line[headings.index(heading)] for line in lines(board, part)}


def test_each_method_has_a_plain_verdict_on_each_workload(record, workload):
    (board,) = rank(made(record, workload, {"nsgan": 1, "good": 0.2, "bad": 5, "like": 1.05}), {"digits": workload})
    said = column(board, "Against nsgan", "digits")
    assert (said["good"], said["bad"], said["nsgan"]) == ("better", "worse", "–")
    detectable = {row.method: row.detectable for row in board.rows}["like"]
    assert said["like"] == f"not shown, could have seen {detectable:.2f}"
    assert 0.01 < detectable < 0.1
    assert column(board, "Against nsgan", "overall") == said  # one workload is all


def test_where_no_p_could_show_anything_none_is_printed(record, workload):
    """30 methods, one workload, 10 seeds: .057 would stand in every row, whatever the methods are like."""
    factors = {"nsgan": 1.0} | {f"m{place:02}": 0.1 + 0.1 * place for place in range(29)}
    (board,) = rank(made(record, workload, factors), {"digits": workload}, resamples=100)
    assert set(column(board, "Against nsgan", "p").values()) == {"–"}
    assert {text for name, text in column(board, "digits", "p").items() if name.startswith("m")} == {"–"}
    overall = column(board, "Against nsgan", "overall")
    assert {text for name, text in overall.items() if name != "nsgan"} == {"not shown, too few seeds"}
    text = formats.to_markdown([board], "c")
    assert text.count("The least p that so many seeds and methods can give is 0.057: nothing can be shown") == 2
    flat = flat_row(board, board.rows[0])
    assert flat["least_p_adjusted"] == flat["digits_least_p_adjusted"] == pytest.approx(29 * 2 / 2**10)
    fewer = [each for each in made(record, workload, factors) if each.spec.method not in ("m27", "m28", "m26", "m25")]
    (board,) = rank(fewer, {"digits": workload}, resamples=100)
    assert column(board, "Against nsgan", "p")["m00"] == "0.049"
    assert column(board, "Against nsgan", "overall")["m00"] == "better"


def test_json_says_what_each_column_could_show(record, workload):
    (board,) = rank(made(record, workload, {"nsgan": 1, "a": 1.1, "b": 0.9}), {"digits": workload}, resamples=100)
    (table,) = json.loads(formats.to_json([board], "c"))["tables"]
    seen = sorted(row.estimates["digits"].test.detectable for row in board.rows if row.estimates["digits"].test)
    expected = {"least_p_adjusted": 2 * 2 / 2**10, "detectable": pytest.approx(sum(seen) / 2)}
    assert table["tests"] == {"overall": expected, "digits": expected}
    (few,) = rank(made(record, workload, {"nsgan": 1, "a": 1.1}, seeds=3), {"digits": workload})
    assert json.loads(formats.to_json([few], "c"))["tables"][0]["tests"] == {}


def test_wins_are_told_with_their_ties(record, workload):
    records = [record(workload, "nsgan", seed, distance=100.0) for seed in range(6)]
    records += [record(workload, "a", seed, distance=100.0 - max(0, seed - 2)) for seed in range(6)]
    (board,) = rank(records, {"digits": workload}, resamples=50)
    assert column(board, "digits", "> nsgan")["a"] == "3/6, 3 ties"


@pytest.mark.parametrize("seeds", [2, 4])
def test_few_seeds_show_scores_and_nothing_else(planted, workload, seeds):
    (board,) = rank(planted(seeds), {"digits": workload})
    titles = [part.title for part in parts(board)]
    assert titles == ["Ranking", "digits", "Cost"]
    assert set(column(board, "Ranking", "rank").values()) == {"–"}
    assert "p" not in [each.heading for each in parts(board)[1].columns]
    assert "–" not in column(board, "Ranking", "95 %").values()
    assert any("Below 5 seeds nothing is ranked or tested" in fact for fact in facts(board))
    for style, write in formats.WRITERS.items():
        assert "1.000" not in write([board], "c").replace("11.000", ""), style  # no p, no group, no P of certainty
    assert f"of {seeds} seeds: that allows no conclusion" in finding(board)


@pytest.mark.parametrize("seeds", [1, 3])
def test_what_is_tested_on_one_workload_is_not_said_to_be_untested(record, workload, seeds):
    """Ten seeds of digits are tested, whatever other is short of."""
    other = make_workload("other")
    records = made(record, workload, {"nsgan": 1, "good": 0.2}) + made(record, other, {"nsgan": 1, "good": 0.2}, seeds)
    (board,) = rank(records, {"digits": workload, "other": other}, resamples=50)
    assert column(board, "Against nsgan", "digits")["good"] == "better"
    assert set(column(board, "Ranking", "rank").values()) == {"–"}
    said = " ".join(facts(board))
    assert (
        "Below 5 seeds of other nothing is ranked, or tested over all workloads. The tests are of digits alone" in said
    )
    assert "nothing is ranked or tested" not in said


def test_where_everything_failed_the_page_names_no_leader(record, workload):
    records = [
        record(workload, name, seed, distance=None, status="nonfinite") for name in ("nsgan", "a") for seed in range(10)
    ]
    (board,) = rank(records, {"digits": workload})
    assert finding(board).startswith("Every method scores 0: there is no leader")
    assert any("there is no leader" in fact for fact in facts(board))
    assert set(column(board, "Ranking", "rank").values()) == {"–"}


def test_what_a_verdict_may_say():
    assert formatting.verdict(None, None, possible=True) == "–"
    assert formatting.verdict("mixed", 0.1, possible=True) == "mixed"
    assert formatting.verdict("not shown", None, possible=True) == "not shown"
    assert formatting.verdict("not shown", 0.0042, possible=True) == "not shown, could have seen 0.004"
    assert formatting.verdict("not shown", 0.1, possible=False) == "not shown, too few seeds"
