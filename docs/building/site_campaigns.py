"""The tables of the pages that say what campaigns found: the suites, slopes, and the published answers.

`python docs/building/site_campaigns.py` writes them again.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import site_budgets
import site_factors
import site_samples
import torch
from site_answers import answer, is_published, records_of
from site_links import ROOT
from site_marks import write

from bench import data
from bench.config.suite import load_suite
from bench.methods import resolve
from bench.plan import budget_of
from losses import Objective

TOPICS: Final = ("topic-gradients", "topic-diversity", "topic-correlation", "topic-balance")
SLOPES: Final = "slopes"
FACTORS: Final = "factors"
SIDES: Final = "sides"
FOUND: Final = "{} found"
"""The mark of what a suite's published campaign found."""
MARK: Final = "<!-- {}: written by docs/building/site_campaigns.py. -->"
CONFIDENCE: Final = (0.0, 3.0, 10.0, 20.0, 30.0)
"""The logits at which slopes are taken: a on real images and -a on generated ones."""

_BATCH: Final = 8
_WORDS: Final = {
    "en": {
        "suite": "suite", "methods": "methods", "workload": "workload", "others": "trained on", "seeds": "seeds",
        "trials": "trials", "steps": "generator updates",
        "evaluated": "{steps}, evaluated every {every}", "objective": "objective",
    },
    "zh": {
        "suite": "套件", "methods": "方法", "workload": "任务", "others": "训练数据", "seeds": "随机种子",
        "trials": "试验数", "steps": "生成器更新次数",
        "evaluated": "{steps}，每 {every} 次评估一次", "objective": "目标函数",
    },
}  # fmt: skip


@dataclass(frozen=True)
class CampaignPage:
    """A page of docs/ with a table for each of its suites, what it trains, and for each campaign, what was found."""

    name: str
    language: str
    suites: tuple[str, ...]
    parts: tuple[str, ...] = ()
    """Campaigns beside those that are called as the suites are: the same suites under another norm."""
    has_factors: bool = False
    """Whether it has the tables of what the loss, R1 and a norm change, and of the runs of each norm, too."""
    has_slopes: bool = False
    """Whether it has the table of the signals that objectives give to the generator, too."""

    @property
    def path(self) -> Path:
        return ROOT / "docs" / self.name

    @property
    def campaigns(self) -> tuple[str, ...]:
        return self.suites + self.parts

    def tables(self) -> dict[str, str]:
        """Return the tables of the page by their marks."""
        made = {SLOPES: _slopes(self.language)} if self.has_slopes else {}
        if self.has_factors:
            there = [name for name in self.campaigns if is_published(name)]
            made |= {FACTORS: site_factors.table(there), SIDES: site_factors.sides(there)}
        made |= {name: _suite(name, self.language) for name in self.suites}
        made |= {FOUND.format(name): self._found(name) for name in self.campaigns}
        return {MARK.format(name): table for name, table in made.items()}

    def _found(self, name: str) -> str:
        parts, root = [answer(name, self.language)], "../" * self.name.count("/")
        if is_published(name):
            parts.append(site_budgets.picture(name, self.language, root))
        if site_samples.grids(name):
            parts.append(site_samples.table(name, self.language, root))
        return "\n\n".join(parts)


PAGES: Final = (
    CampaignPage("explanation/four-topics.md", "en", TOPICS, has_slopes=True),
    CampaignPage("zh/explanation/four-topics.md", "zh", TOPICS, has_slopes=True),
    CampaignPage("explanation/loss-or-penalty.md", "en", ("norms",), parts=("norms-ln", "norms-sn"), has_factors=True),
    CampaignPage("explanation/r3gan-taken-apart.md", "en", ("r3gan-ablation",)),
    CampaignPage("explanation/ten-losses-on-mnist.md", "en", ("mnist",)),
    CampaignPage("explanation/six-losses-on-photographs.md", "en", ("photographs",)),
)


def _suite(name: str, language: str) -> str:
    suite, words = load_suite(name), _WORDS[language]
    (budget,) = {budget_of(suite, data.workload(workload)) for workload in suite.workloads}
    trained_on = sorted({record.spec.workload for record in records_of(name)}) if is_published(name) else []
    # One is trained on other data than the suite names: CIFAR-10 has to be downloaded.
    others = trained_on if trained_on != sorted(suite.workloads) else []
    rows = [
        ("methods", ", ".join(f"`{method}`" for method in suite.methods)),
        ("workload", ", ".join(f"`{workload}`" for workload in suite.workloads)),
        *[("others", ", ".join(f"`{workload}`" for workload in others))] * bool(others),
        ("steps", words["evaluated"].format(steps=f"{budget.steps:,}", every=f"{budget.evaluate_every:,}")),
        ("seeds", str(suite.seeds)),
        ("trials", str(len(suite.methods) * len(suite.workloads) * suite.seeds)),
    ]
    lines = [f"| {words['suite']} | `{name}` |", "|---|---|"]
    return "\n".join([*lines, *(f"| {words[key]} | {value} |" for key, value in rows)])


def _slopes(language: str) -> str:
    """Return the table of the signals that the objectives of the first topic give to the generator."""
    objectives = {method.objective: None for method in resolve(load_suite(TOPICS[0]).methods)}
    cells = [f"a = {at:g}, b = {'−' if at else ''}{at:g}" for at in CONFIDENCE]
    lines = [f"| {_WORDS[language]['objective']} | {' | '.join(cells)} |", f"|---|{'---:|' * len(CONFIDENCE)}"]
    for objective in objectives:
        signals = [f"{signal(objective, at):.2g}" for at in CONFIDENCE]
        lines.append(f"| `{objective.name}` | {' | '.join(signals)} |")
    return "\n".join(lines)


def signal(objective: Objective, confidence: float) -> float:
    """Return the batch's sum of |dL_G/db| where the discriminator gives a to reals and -a to fakes, in float32."""
    real = torch.full((_BATCH,), confidence)
    fake = (-real).requires_grad_()
    (slope,) = torch.autograd.grad(objective.generator(fake, real), fake)
    return float(slope.abs().sum())


if __name__ == "__main__":
    for page in PAGES:
        for mark, table in page.tables().items():
            write(page.path, mark, table)
