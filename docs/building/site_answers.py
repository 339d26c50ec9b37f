"""What the published campaigns found: tables and a figure each, made from their records.

`python docs/building/site_answers.py` draws the figures again; `site_campaigns.py` writes the tables.
"""

import statistics
import textwrap
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from site_leaderboards import Row, cells, tables
from site_links import PUBLISHED, ROOT

import bench
from bench.config.suite import Suite, load_suite
from bench.methods import resolve
from bench.report import formatting
from bench.report.overview import drawing, fit
from bench.report.style import PAPER, open_frame, svg_of
from bench.statistics.estimates import LEVEL
from bench.store import campaigns
from bench.store.record import Record

PICTURES: Final = ROOT / "docs" / "pictures"
_LONGER: Final = (
    *("metrics.precision", "metrics.recall", "metrics.ema_distance", "stability.late_regression"),
    *("stability.oscillation", "training.logit_gap"),
)
MEASURES: Final[Mapping[str, tuple[str, ...]]] = {
    "topic-gradients": (
        *("stability.signal_first", "stability.signal_last", "stability.signal_vanishing_share"),
        *("stability.generator_dead_fraction", "stability.discriminator_saturation"),
    ),
    "topic-diversity": (
        "metrics.modes",
        "metrics.coverage",
        "metrics.unreadable",
        "stability.diversity_collapse_share",
    ),
    "topic-correlation": ("metrics.precision", "metrics.recall", "metrics.vendi", "stability.diversity_collapse_share"),
    "topic-balance": (
        *("stability.discriminator_saturation", "stability.update_ratio_quotient", "stability.oscillation"),
        "stability.late_regression",
    ),
    "mnist": (
        *("metrics.precision", "metrics.recall", "metrics.unreadable", "metrics.ema_distance"),
        *("stability.discriminator_saturation", "training.logit_gap"),
    ),
    "photographs": (
        *("metrics.precision", "metrics.recall", "metrics.density", "metrics.vendi", "metrics.ema_distance"),
        *("stability.discriminator_saturation", "training.logit_gap"),
    ),
    "norms": _LONGER,
    "norms-ln": _LONGER,
    "norms-sn": _LONGER,
    "r3gan-ablation": (
        *("metrics.modes", "metrics.coverage", "metrics.unreadable"),
        *("stability.discriminator_saturation", "stability.signal_last"),
    ),
}
"""What each campaign asks of its runs beside the score, as medians over the seeds: columns of `bench.load`.

`training.` stands for a monitor's median over the second half of the steps, as `second_half` has it.
"""

_WORDS: Final = {
    "en": {
        "method": "method", "rank": "rank", "score": "score", "failed": "failed", "distance": "FD", "to": " to ",
        "real": "real images",
        "against": "against `nsgan`", "not shown, too few seeds": "too few seeds",
        "wins": "better at {wins} of {seeds}",
        "missing": "No campaign of this suite has been published yet, so there is no answer here.",
    },
    "zh": {
        "method": "方法", "rank": "排名", "score": "得分", "failed": "失败", "distance": "FD", "to": " 至 ",
        "real": "真实图像",
        "against": "与 `nsgan` 相比", "better": "更好", "worse": "更差", "mixed": "不一致", "not shown": "未能证明",
        "not shown, too few seeds": "随机种子太少", "wins": "{seeds} 个中有 {wins} 个更好",
        "missing": "这个套件还没有发布过实验，因此这里没有答案。",
    },
}  # fmt: skip
_WIDTH: Final = 7.2
_LABEL: Final = 95
"""How many characters of a label a line has."""
_NARROW: Final = 6.0
"""An axis whose ends are closer than this ratio has a tick at every digit: 1, 2 and 5 could leave one alone."""


def suite_of(name: str) -> Suite:
    """Return the suite that a campaign trains, as it stands."""
    return load_suite(campaigns.suite_of(name)[0])


def is_published(name: str) -> bool:
    return bool(tables(name))


def published_campaigns() -> list[str]:
    """Return the campaigns of `MEASURES` that are published."""
    return [name for name in MEASURES if is_published(name)]


@cache
def records_of(name: str) -> Sequence[Record]:
    """Return the records of a published campaign, with their histories."""
    (campaign,) = campaigns.find_campaigns(str(ROOT / PUBLISHED / name))
    return campaign.records


def answer(name: str, language: str) -> str:
    """Return two tables of a suite's published campaign, scores and measures, or the sentence that there is none.

    The measures begin with those of real images, where there are any.
    """
    words = _WORDS[language]
    if not is_published(name):
        return words["missing"]
    (table,) = tables(name)
    (workload,) = table["measures"]
    heads = ("method", "rank", "score", "95 %", "against", "failed", "distance")
    scores = [[words.get(head, head) for head in heads]]
    measures = [[words["method"], *(f"`{measure.partition('.')[2]}`" for measure in MEASURES[name])]]
    real = _of_real_images(name)
    if any(value is not None for value in real):
        measures.append([words["real"], *map(_number, real)])
    medians, spelled = _medians(name), spellings(name)
    for row in table["rows"]:
        method = f"`{spelled[row['expression']]}`"
        rank, score, interval, failed = cells(row)
        to = words["to"].join(interval.split(" to "))
        distance = _number(row[f"{workload}_distance"])
        scores.append([method, rank, score, to, _verdict(row, workload, words), failed, distance])
        own = [_number(medians[measure].get(row["expression"])) for measure in MEASURES[name]]
        measures.append([method, *own])
    return "\n\n".join([_markdown(scores), _markdown(measures)])


def _verdict(row: Row, workload: str, words: Mapping[str, str]) -> str:
    """Return what the corrected test says of a method against the reference.

    With too few seeds for ranks and tests, it is at how many of them the method is better.
    """
    if row["least_p_adjusted"] is None:
        wins = row[f"{workload}_wins"]
        return formatting.MISSING if wins is None else words["wins"].format(wins=wins, seeds=row["seeds"])
    verdict = formatting.verdict(row["verdict"], None, possible=row["least_p_adjusted"] <= LEVEL)
    return words.get(verdict, verdict)


def _markdown(rows: list[list[str]]) -> str:
    heads, *lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([heads, f"|---|{'---:|' * (len(rows[0]) - 1)}", *lines])


def _medians(name: str) -> dict[str, dict[str, float]]:
    """Return the medians over the seeds of each measure, by the method's expression."""
    frame = results(name)
    for measure in MEASURES[name]:
        part, _, monitor = measure.partition(".")
        if part == "training":
            found = {record.trial_id: second_half(record, monitor) for record in records_of(name)}
            frame[measure] = frame["trial_id"].map(found)
    groups = frame.groupby("expression")
    return {measure: groups[measure].median().to_dict() for measure in MEASURES[name]}


def _of_real_images(name: str) -> list[float | None]:
    """Return what fresh real images get of each measure, as the runs have recorded it; None where nothing is.

    A moving average is compared with the same images.
    """
    frame = results(name)
    found = []
    for measure in MEASURES[name]:
        part, _, key = measure.partition(".")
        columns = [f"{part}.{key.removeprefix('ema_')}_{end}" for end in ("ceiling", "floor")]
        there = [column for column in columns if column in frame]
        found.append(float(frame[there[0]].median()) if there else None)
    return found


def second_half(record: Record, monitor: str) -> float | None:
    """Return the median of a monitor over the steps after half of them; None for a run that did not come so far.

    None also where the monitor was not recorded.
    """
    training = record.history.training
    if monitor not in training:
        return None
    kept = [
        value
        for step, value in zip(training["step"], training[monitor], strict=True)
        if step is not None and value is not None and 2 * step > record.spec.steps
    ]
    return statistics.median(kept) if kept else None


def results(name: str) -> pd.DataFrame:
    """Return the runs of a published campaign that have a result, as `bench.load` has them."""
    frame = bench.load(ROOT / PUBLISHED / name)
    return frame[~frame["status"].isin(["error", "timeout"])]


def _number(value: float | None) -> str:
    return formatting.MISSING if value is None or pd.isna(value) else formatting.distance(value)


def figure(name: str) -> str:
    """Draw every run's last distance, or how many modes it has where these are a thousand, with the median.

    There is a row for each method, in the order of the table.
    """
    (table,) = tables(name)
    frame = results(name)
    rows: list[Row] = table["rows"]
    labels = _labels(name, rows)
    column = "metrics.modes" if "metrics.modes" in MEASURES[name] else "metrics.distance"
    (workload,) = table["measures"]
    what = "modes" if column == "metrics.modes" else table["measures"][workload]
    with drawing(PAPER, (_WIDTH, 0.8 + 0.24 * len(rows))) as (drawn, axes):
        if column == "metrics.distance":
            _scale_log(axes, frame[column].dropna())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        for place, row in enumerate(rows):
            runs = frame.loc[frame["expression"] == row["expression"], column].dropna()
            axes.plot(runs, [place] * len(runs), "o", color=PAPER.colors[0], alpha=0.6, markersize=4.5, linestyle="")
            axes.plot([runs.median()] * 2, [place - 0.32, place + 0.32], color=PAPER.ink, linewidth=1.6)
        axes.set_yticks(range(len(rows)), labels)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        label = f"{what} at the last step on {workload}: each run, and the median"
        axes.set_xlabel(textwrap.fill(label, _LABEL))
        open_frame(axes, PAPER, grid="x")
        fit(drawn, left=0.1 + 0.075 * max(map(len, labels)), right=0.2)
        return svg_of(drawn)


def _scale_log(axes: Axes, values: pd.Series) -> None:
    axes.set_xscale("log")
    narrow = values.max() < _NARROW * values.min()
    axes.xaxis.set_major_locator(LogLocator(10, subs=(1, 1.2, 1.5, *range(2, 10)) if narrow else (1, 2, 5)))
    axes.xaxis.set_minor_locator(NullLocator())


def spellings(name: str) -> dict[str, str]:
    """Return the methods of a campaign as its suite spells them, by what a table spells out: a page has no room."""
    return {str(method): text for text in suite_of(name).methods for method in resolve([text])}


def _labels(name: str, rows: list[Row]) -> list[str]:
    spelled = spellings(name)
    return [
        spelled[row["expression"]] + (f" ({row['failures']}/{row['runs']} failed)" if row["failures"] else "")
        for row in rows
    ]


if __name__ == "__main__":
    for name in published_campaigns():
        (PICTURES / f"{name}.svg").write_text(figure(name), encoding="utf-8")
