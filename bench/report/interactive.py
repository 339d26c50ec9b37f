"""What the interactive figures are drawn from, as JSON that may stand in a page, and the library that draws them."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from bench.report import overview
from bench.report.column import label, stable
from bench.report.curves import Band, Line
from bench.report.overview import Curves, colored
from bench.report.section_values import Quantity
from bench.report.sections import BoardSections
from bench.statistics.board import Leaderboard, LeaderboardRow
from bench.statistics.scores import is_result, score


def library() -> str:
    """Return plotly's script, which a page has once."""
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())


def encode(sections: Sequence[BoardSections], anchors: Mapping[str, str]) -> str:
    """Return the data of all tables as JSON without `<`, `>` and `&`, so that nothing in it can end the script.

    Args:
        sections: the tables.
        anchors: of the methods' sections, by expression.
    """
    document = {section.id: _table(section, anchors) for section in sections}
    text = msgspec.json.encode(document).decode()
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _table(section: BoardSections, anchors: Mapping[str, str]) -> dict[str, Any]:
    board = section.board
    marked = {row.method_key for row in colored(board)}
    return {
        "title": section.title,
        "runs": _runs(section, anchors),
        "methods": [_method(board, row, anchors) | {"marked": row.method_key in marked} for row in board.rows],
        "costWords": overview.cost_text(board),
        "front": [anchors[row.expression] for row in overview.pareto_front(board)],
        "curves": {
            f"{section.id}-curves{number}": _curves(quantity, anchors, panels=section.has_panels(quantity))
            for number, quantity in enumerate(section.quantities)
        },
    }


def _runs(section: BoardSections, anchors: Mapping[str, str]) -> dict[str, dict[str, dict[int, list[Any]]]]:
    """Return distance, score and status of every run, by workload, method and seed; a variant has no score.

    All digits of a score: runs that the table tells apart are no tie.
    """
    runs: dict[str, dict[str, dict[int, list[Any]]]] = {}
    for column in section.board.workloads:
        workload = section.workloads[column.name]
        for row in section.board.rows:
            for record in section.of(row, column.name):
                known = is_result(record) and not row.variant and column.unscored is None
                measured = [
                    stable(record.metrics.get("distance")) if is_result(record) else None,
                    stable(score(record, workload)) if known else None,
                    record.status,
                ]
                runs.setdefault(column.name, {}).setdefault(anchors[row.expression], {})[record.spec.seed] = measured
    return runs


def _method(board: Leaderboard, row: LeaderboardRow, anchors: Mapping[str, str]) -> dict[str, Any]:
    return {
        "id": anchors[row.expression],
        "name": label(row),
        "rank": row.rank,
        "ranks": [row.rank_low, row.rank_high],
        "best": row.among_best,
        "score": _short(row.score),
        "scores": [_short(row.score_low), _short(row.score_high)],
        "cost": _short(overview.costs(board).get(row.method_key)),
    }


def _curves(quantity: Quantity, anchors: Mapping[str, str], *, panels: bool) -> dict[str, Any]:
    """Return a figure; with the lines of its seeds where they have panels."""
    curves = quantity.curves
    drawn = [(row, band, own) for (row, band), own in zip(curves.bands, quantity.lines, strict=True) if band.points]
    steps = max((band.steps for _, band, _ in drawn), key=len)
    return {
        "unit": curves.unit,
        "steps": curves.steps,
        "logarithmic": curves.logarithmic,
        "limits": [_short(value) for value in _span(curves)],
        "levels": [[_short(level), words] for level, words in curves.levels if level is not None],
        "x": steps,
        "series": [
            {
                "id": anchors[row.expression],
                "name": label(row),
                **_band(band, steps),
                **({"seeds": [[line.seed, _points(line)] for line in own]} if panels else {}),
            }
            for row, band, own in drawn
        ],
    }


def _points(line: Line) -> list[tuple[float, float | None]]:
    return [(x, _short(y)) for x, y in line.points]


def _span(curves: Curves) -> tuple[float, float]:
    assert curves.limits is not None
    low, high = curves.limits
    return (low / 1.6, high * 1.6) if curves.logarithmic else (low, high)


def _band(drawn: Band, steps: Sequence[float]) -> dict[str, Any]:
    """Return the band; its steps only where they are not the first of those that all series share."""
    values = {name: [_short(value) for value in getattr(drawn, name)] for name in ("low", "middle", "high")}
    shared = drawn.steps == steps[: len(drawn.steps)]
    return values if shared else {"x": drawn.steps, **values}


def _short(value: float | None) -> float | None:
    """Keep four significant digits, which is more than a screen shows."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.4g}")
