"""The tables of the page of the four topics, in English and in Chinese: the suites, slopes, and what was found.

`python docs/building/site_topics.py` writes them again.
"""

from typing import Final

import torch
from site_answers import answer
from site_links import ROOT
from site_marks import write

from bench.config.suite import load_suite
from bench.methods import resolve
from losses import Objective

PAGES: Final = {
    "en": ROOT / "docs" / "explanation" / "four-topics.md",
    "zh": ROOT / "docs" / "zh" / "explanation" / "four-topics.md",
}
SUITES: Final = ("topic-gradients", "topic-diversity", "topic-correlation", "topic-balance")
SLOPES: Final = "slopes"
FOUND: Final = "{} found"
"""The mark of what a suite's published campaign found."""
MARK: Final = "<!-- {}: written by docs/building/site_topics.py. -->"
CONFIDENCE: Final = (0.0, 3.0, 10.0, 20.0, 30.0)
"""The logits at which slopes are taken: a on real images and -a on generated ones."""

_BATCH: Final = 8
_WORDS: Final = {
    "en": {
        "suite": "suite", "methods": "methods", "workload": "workload", "seeds": "seeds", "trials": "trials",
        "steps": "generator updates", "evaluated": "{steps}, evaluated every {every}", "objective": "objective",
    },
    "zh": {
        "suite": "套件", "methods": "方法", "workload": "任务", "seeds": "随机种子", "trials": "试验数",
        "steps": "生成器更新次数", "evaluated": "{steps}，每 {every} 次评估一次", "objective": "目标函数",
    },
}  # fmt: skip


def tables(language: str) -> dict[str, str]:
    """Return the tables of a page by their marks."""
    made = {name: _suite(name, language) for name in SUITES}
    found = {FOUND.format(name): answer(name, language) for name in SUITES}
    return {MARK.format(name): table for name, table in {SLOPES: _slopes(language), **made, **found}.items()}


def _suite(name: str, language: str) -> str:
    suite, words = load_suite(name), _WORDS[language]
    steps, every = (f"{number:,}" for number in (suite.steps, suite.evaluate_every))
    rows = [
        ("methods", ", ".join(f"`{method}`" for method in suite.methods)),
        ("workload", ", ".join(f"`{workload}`" for workload in suite.workloads)),
        ("steps", words["evaluated"].format(steps=steps, every=every)),
        ("seeds", str(suite.seeds)),
        ("trials", str(len(suite.methods) * len(suite.workloads) * suite.seeds)),
    ]
    lines = [f"| {words['suite']} | `{name}` |", "|---|---|"]
    return "\n".join([*lines, *(f"| {words[key]} | {value} |" for key, value in rows)])


def _slopes(language: str) -> str:
    """Return the table of the signals that the objectives of the first suite give to the generator."""
    objectives = {method.objective: None for method in resolve(load_suite(SUITES[0]).methods)}
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
    for language, page in PAGES.items():
        for mark, table in tables(language).items():
            write(page, mark, table)
