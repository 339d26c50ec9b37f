"""Which loss is better where: every method that two published settings have, against `nsgan` at the same seeds.

`python docs/building/site_settings.py` writes the table of docs/explanation/which-loss-where.md and its figure again.
Nothing is trained for them.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Final, NamedTuple

import numpy as np
from scipy.stats import ttest_1samp
from site_answers import PICTURES, published_campaigns, records_of, spellings
from site_leaderboards import tables
from site_links import PUBLISHED, ROOT
from site_marks import line, write

from bench.config.protocol import CORE_NORM
from bench.methods import resolve
from bench.probes.campaign_claims import score_of
from bench.report.formatting import MISSING, ratio, signed
from bench.report.overview import drawing, fit
from bench.report.style import PAPER, open_frame, svg_of
from bench.statistics.intervals import Array
from bench.statistics.scores import is_failure, is_result
from bench.store.campaigns import suite_of
from bench.store.iteration_costs import published_costs
from bench.store.record import Record

PAGE: Final = ROOT / "docs" / "explanation" / "which-loss-where.md"
MARK: Final = "<!-- settings: written by docs/building/site_settings.py. -->"
PICTURE: Final = PICTURES / "which-loss-where.svg"
REFERENCE: Final = "nsgan"
LEAST_SETTINGS: Final = 2
"""A method of a single setting is on the page of its campaign."""

_NAMES: Final = {
    "digits": "digits",
    "stacked-digits": "stacks",
    "mnist": "MNIST",
    "imagefolder:/cifar10-jpeg?size=32": "photographs",
}
"""What a column is called, in the order of the columns."""
_NORMS: Final = {None: "", "ln": ", layer norm", "sn": ", spectral norm"}
_SHOWN: Final = ("better", "worse")
_SIDES: Final = (-0.26, 0.16)
"""The differences that the figure has room for."""


class Setting(NamedTuple):
    """What the runs of a column share: a data set, a budget, and the norm in the discriminator."""

    workload: str
    steps: int
    norm: str | None

    def __str__(self) -> str:
        return f"{_NAMES.get(self.workload, self.workload)}, {self.steps:,}{_NORMS[self.norm]}"


class Cell(NamedTuple):
    """A method against the reference in a setting."""

    differences: Array
    """The scores less those of the reference at the same seeds."""
    failed: int
    shown: bool
    """Whether the test of its own campaign, corrected for all its methods, shows a difference."""

    @property
    def mean(self) -> float:
        return float(self.differences.mean())

    @property
    def wins(self) -> int:
        return int(np.count_nonzero(self.differences > 0))

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the mean difference; needs two seeds that differ."""
        found = ttest_1samp(self.differences, 0.0).confidence_interval(0.95)
        return float(found.low), float(found.high)

    def __str__(self) -> str:
        mean = signed(self.mean).replace("-", "−")
        told = f"**{mean}**" if self.shown else mean
        lost = f", {self.failed} failed" if self.failed else ""
        return f"{told} <br>{self.wins}/{len(self.differences)}{lost}"


Grid = Mapping[str, Mapping[Setting, Cell]]
"""The cells of each method, by its expression."""


def table() -> str:
    """Return the table: a row for each method, those of the most settings first, under the reference's own scores."""
    there, spelled, costs = settings(), names(), published_costs()[CORE_NORM].costs
    heads = (f"[{setting}](../../{PUBLISHED}/{campaigns[0]}/README.md)" for setting, campaigns in there.items())
    own = (f"{score_in(setting):.3f}" for setting in there)
    lines = [line("method", *heads, "cost"), f"|---|{'---:|' * len(there)}---:|"]
    lines.append(line(f"the score of `{REFERENCE}`", *own, "1.00x"))
    for name, cells in grid().items():
        lines.append(line(f"`{spelled[name]}`", *(cells.get(one, MISSING) for one in there), ratio(costs.get(name))))
    return "\n".join(lines)


def score_in(setting: Setting) -> float:
    """Return the reference's mean score in a setting."""
    return float(np.mean([*_scores(settings()[setting], _expression(REFERENCE)).values()]))


@cache
def settings() -> dict[Setting, tuple[str, ...]]:
    """Return the published campaigns of each setting, in the order of the pages about them."""
    found: dict[Setting, tuple[str, ...]] = {}
    for name in published_campaigns():
        (setting,) = {Setting(run.spec.workload, run.spec.steps, suite_of(name)[1]) for run in records_of(name)}
        found[setting] = (*found.get(setting, ()), name)
    places = {workload: place for place, workload in enumerate(_NAMES)}
    order = sorted(found, key=lambda one: (places.get(one.workload, len(places)), one.steps, one.norm or ""))
    return {setting: found[setting] for setting in order}


@cache
def grid() -> Grid:
    """Return the methods that enough settings have; those of the most settings first, then by their mean difference."""
    found: dict[str, dict[Setting, Cell]] = {}
    for setting, campaigns in settings().items():
        own = _scores(campaigns, _expression(REFERENCE))
        for expression in sorted({run.spec.method for run in _runs(campaigns)} - {_expression(REFERENCE)}):
            found.setdefault(expression, {})[setting] = _cell(campaigns, expression, own)
    several = {name: cells for name, cells in found.items() if len(cells) >= LEAST_SETTINGS}
    return dict(sorted(several.items(), key=lambda item: (-len(item[1]), -_middle(item[1].values()))))


def names() -> dict[str, str]:
    """Return how the suites spell the methods, by their expressions."""
    return {expression: text for name in published_campaigns() for expression, text in spellings(name).items()}


def _middle(cells: Iterable[Cell]) -> float:
    return float(np.mean([cell.mean for cell in cells]))


def _expression(name: str) -> str:
    (method,) = resolve([name])
    return str(method)


def _runs(campaigns: Sequence[str]) -> list[Record]:
    """Return every run of the campaigns that has a result, once: some are in two folders."""
    trials = {run.trial_id: run for name in campaigns for run in records_of(name)}
    return [run for run in trials.values() if is_result(run)]


def _scores(campaigns: Sequence[str], expression: str) -> dict[int, float]:
    return {run.spec.seed: score_of(run) for run in _runs(campaigns) if run.spec.method == expression}


def _cell(campaigns: Sequence[str], expression: str, reference: Mapping[int, float]) -> Cell:
    scores = _scores(campaigns, expression)
    seeds = sorted(scores.keys() & reference.keys())
    failed = sum(is_failure(run) for run in _runs(campaigns) if run.spec.method == expression)
    return Cell(np.array([scores[seed] - reference[seed] for seed in seeds]), failed, _shown(campaigns, expression))


def _shown(campaigns: Sequence[str], expression: str) -> bool:
    """Say what the test of the campaign shows that has the most seeds of a method."""
    rows = [row for name in campaigns for table in tables(name) for row in table["rows"]]
    own = max((row for row in rows if row["expression"] == expression), key=lambda row: int(row["seeds"]))
    return own["verdict"] in _SHOWN


def figure() -> str:
    """Draw each mean difference with its interval: a panel for each setting, a line for each method."""
    found, spelled = grid(), names()
    about = f"mean score less that of {REFERENCE} at the same seeds, with its 95 % interval; full: shown by a test"
    with drawing(PAPER, (9.6, 0.95 + 0.26 * len(found))) as (drawn, whole):
        whole.remove()
        panels = drawn.subplots(1, len(settings()), sharex=True, sharey=True)
        for axes, setting in zip(panels, settings(), strict=True):
            axes.axvline(0.0, color=PAPER.ink, linewidth=0.8)
            for place, cells in enumerate(found.values()):
                if (cell := cells.get(setting)) is not None:
                    color = PAPER.colors[0] if cell.mean > 0 else PAPER.colors[1]
                    axes.plot(np.clip(cell.interval, *_SIDES), [place] * 2, color=color, linewidth=1.6, alpha=0.6)
                    face = color if cell.shown else PAPER.paper
                    axes.plot(cell.mean, place, "o", markersize=5, markerfacecolor=face, markeredgecolor=color)
            axes.set_title(str(setting).replace(", ", "\n"), fontsize=PAPER.font_size - 1)
            axes.set_xlim(*_SIDES)
            axes.set_xticks([-0.2, 0.0], ["−0.2", "0"])
            open_frame(axes, PAPER, grid="x")
            axes.tick_params(axis="y", length=0)
        panels[0].set_yticks(range(len(found)), [spelled[name] for name in found])
        panels[0].set_ylim(len(found) - 0.4, -0.6)
        drawn.supxlabel(about, fontsize=PAPER.font_size)
        fit(drawn, left=0.1 + 0.075 * max(len(spelled[name]) for name in found), right=0.1, top=0.5)
        return svg_of(drawn)


if __name__ == "__main__":
    write(PAGE, MARK, table())
    PICTURE.write_text(figure(), encoding="utf-8")
