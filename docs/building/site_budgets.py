"""Score against budget of the published campaigns: a figure each, and who led where in words.

`python docs/building/site_budgets.py` draws the figures again. Nothing is trained for them: every evaluation of a run
is what a shorter run would have given.
"""

import math
from functools import cache
from typing import Final

from matplotlib.axes import Axes
from site_answers import PICTURES, published_campaigns, records_of, spellings

from bench import data
from bench.common.mpl_style import spread
from bench.report.budgets import level_budgets
from bench.report.overview import drawing, fit
from bench.report.style import PAPER, open_frame, step_axis, svg_of
from bench.statistics.budgets import ScoreByBudget, scores_by_budget
from bench.statistics.ranking import rank

_SIZE: Final = (7.2, 3.8)
_GAP: Final = 0.055
"""The least distance of two names beside the frame, as a share of its height."""
_RESAMPLES: Final = 100
"""Of ranks and tests, which are not shown here."""

_WORDS: Final = {
    "en": {
        "alternative": "the mean score of every method of {name} at each evaluation",
        "said": "The score that a run of each budget would have: the mean over the seeds at each evaluation. "
        "{leaders}. {agreement}",
        "agreement": "The order at {half} updates agrees with that at {last} by Kendall's tau of {tau:.2f}: 1 is the "
        "same order, and 0 is no relation.",
        "level": "At {steps} updates all methods have the same score, which is no order.",
        "nobody": "No method leads at any budget, as several have the highest",
        "first": "`{method}` leads", "other": "`{method}`", "at": "at {first}", "span": "from {first} to {last}",
        "join": ", ", "and": " and ", "updates": " updates",
    },
    "zh": {
        "alternative": "{name} 各方法在每次评估时的平均得分",
        "said": "各个预算会得到的得分：每次评估时各随机种子的平均值。{leaders}。{agreement}",
        "agreement": "{half} 次更新时的顺序与 {last} 次更新时的顺序的 Kendall τ 为 {tau:.2f}：1 表示顺序相同，"
        "0 表示没有关系。",
        "level": "{steps} 次更新时所有方法得分相同，没有顺序。",
        "nobody": "没有方法领先，因为总有几个方法得分同为最高",
        "first": "`{method}`", "other": "`{method}`", "at": "在 {first}", "span": "从 {first} 到 {last}",
        "join": "，", "and": " 次和 ", "updates": " 次更新时领先",
    },
}  # fmt: skip


@cache
def by_budget(name: str) -> ScoreByBudget:
    """Return the scores of a published campaign at every budget; it has one table on one workload."""
    records = records_of(name)
    workloads = {each: data.workload(each) for each in {record.spec.workload for record in records}}
    (board,) = rank(records, workloads, resamples=_RESAMPLES)
    (found,) = scores_by_budget(board, records, workloads)
    return found


def picture(name: str, language: str, root: str) -> str:
    """Return the figure of a campaign and what it shows in words; `root` leads from the page to docs/."""
    words, found = _WORDS[language], by_budget(name)
    tau = found.agreement[found.half]
    if math.isnan(tau):
        agreement = words["level"].format(steps=words["and"].join(f"{steps:,}" for steps in level_budgets(found)))
    else:
        half, last = (f"{found.steps[place]:,}" for place in (found.half, -1))
        agreement = words["agreement"].format(half=half, last=last, tau=tau)
    said = words["said"].format(leaders=_leaders(name, language), agreement=agreement)
    return f"![{words['alternative'].format(name=name)}]({root}pictures/{name}-budget.svg)\n\n{said}"


def _leaders(name: str, language: str) -> str:
    """Say who has the highest mean at which budgets."""
    words, found, spelled = _WORDS[language], by_budget(name), spellings(name)
    spans = []
    for leader, first, last in found.leads:
        method = words["other" if spans else "first"].format(method=spelled[leader.expression])
        where = words["at" if first == last else "span"].format(first=f"{first:,}", last=f"{last:,}")
        spans.append(f"{method} {where}" + ("" if spans and language == "en" else words["updates"]))
    return words["join"].join(spans) or words["nobody"]


def figure(name: str) -> str:
    """Draw the mean score of every method against the budget; the first ones of the table are in color."""
    found, spelled = by_budget(name), spellings(name)
    labels = [spelled[row.expression] for row in found.rows]
    colors = [*PAPER.colors, *[PAPER.other] * len(labels)][: len(labels)]
    with drawing(PAPER, _SIZE) as (drawn, axes):
        for scores, color in reversed([*zip(found.scores, colors, strict=True)]):
            axes.plot(found.steps, scores, color=color, linewidth=1.5, marker="o", markersize=3)
        axes.set_ylim(0.0, 1.05 * float(found.scores.max()))
        step_axis(axes, found.steps[-1], 6)
        open_frame(axes, PAPER)
        axes.set_xlabel("generator updates")
        axes.set_title("mean score, 1 is real data", fontsize=PAPER.font_size, loc="left")
        fit(drawn, left=0.5, right=0.3 + 0.068 * max(map(len, labels)), top=0.3)
        _name_ends(axes, labels, [float(score) for score in found.scores[:, -1]], colors)
        return svg_of(drawn)


def _name_ends(axes: Axes, labels: list[str], scores: list[float], colors: list[str]) -> None:
    """Write each method beside the end of its line, moved apart where names would overlap."""
    low, high = axes.get_ylim()
    places = _inside(spread([(score - low) / (high - low) for score in scores], _GAP))
    for label, score, place, color in zip(labels, scores, places, colors, strict=True):
        beside = {"transform": axes.transAxes, "clip_on": False}
        axes.plot([1.005, 1.025], [(score - low) / (high - low), place], color=color, linewidth=0.6, **beside)
        ink = PAPER.ink if color == PAPER.other else color
        axes.text(1.03, place, label, color=ink, va="center", fontsize=PAPER.font_size - 1, **beside)


def _inside(places: list[float]) -> list[float]:
    """Move names that lie above or below the frame into it, and those that they meet there on."""
    order = sorted(range(len(places)), key=places.__getitem__)
    moved = list(places)
    for number, index in enumerate(order):
        moved[index] = max(moved[index], number * _GAP)
    for number, index in enumerate(reversed(order)):
        moved[index] = min(moved[index], 1.0 - number * _GAP)
    return moved


if __name__ == "__main__":
    for name in published_campaigns():
        (PICTURES / f"{name}-budget.svg").write_text(figure(name), encoding="utf-8")
