"""What `recommend` answers today: a table of the page on choosing a loss, in both languages.

`python docs/building/site_choices.py` writes it again, from the published records that the package has.
"""

import json
from functools import cache
from typing import Final

from click.testing import CliRunner
from site_leaderboards import Row, cells
from site_links import ROOT
from site_marks import line, write

from bench.cli.main import cli

PAGES: Final = {
    "en": ROOT / "docs" / "how-to" / "choose-a-loss.md",
    "zh": ROOT / "docs" / "zh" / "how-to" / "choose-a-loss.md",
}
MARK: Final = "<!-- choices: written by docs/building/site_choices.py. -->"
QUESTIONS: Final = (
    ("--workload", "digits"),
    ("--workload", "digits", "--budget", "3000"),
    ("--workload", "stacked-digits"),
)
_WORDS: Final = {
    "en": {
        "heads": ("method", "score", "95 %", "failed", "cost", "may be the best"),
        "basis": "`recommend {question}`, by {methods} methods, {steps:,} updates, {seeds} seeds:",
        "to": " to ", "yes": "yes", "no": "no", "not measured": "not measured",
    },
    "zh": {
        "heads": ("方法", "得分", "95 %", "失败", "开销", "可能是最好的"),
        "basis": "`recommend {question}`（{methods} 个方法，更新 {steps:,} 次，{seeds} 个随机种子）：",
        "to": " 至 ", "yes": "是", "no": "否", "not measured": "未测量",
    },
}  # fmt: skip


def table(language: str) -> str:
    """Return a row for each question, and below it one for each method that is named."""
    rows = [cells for question in QUESTIONS for cells in _answer(question, language)]
    heads = _WORDS[language]["heads"]
    return "\n".join([line(*heads), f"|---|{'---:|' * 4}---|", *(line(*cells) for cells in rows)])


@cache
def answer(question: tuple[str, ...]) -> Row:
    """Return what `recommend` says to one question, as a program gets it.

    Raises:
        RuntimeError: the command failed.
    """
    result = CliRunner().invoke(cli, ["recommend", *question, "--json"])
    if result.exit_code:
        raise RuntimeError(f"recommend {' '.join(question)}: {result.output}")
    (said,) = json.loads(result.stdout)
    return dict(said)


def _answer(question: tuple[str, ...], language: str) -> list[tuple[str, ...]]:
    said = answer(question)
    named: list[Row] = said["first"]
    (seeds,) = {method["seeds"] for method in named}
    basis = str(_WORDS[language]["basis"]).format(
        question=" ".join(question), methods=said["methods"], steps=said["steps"], seeds=seeds
    )
    return [(basis, *[""] * 5), *(_cells(method, language) for method in named)]


def _cells(method: Row, language: str) -> tuple[str, ...]:
    words, cost = _WORDS[language], method["iteration_cost"]
    _, score, interval, failed = cells(method)
    return (
        f"`{method['method']}`",
        score,
        interval.replace(" to ", str(words["to"])),
        failed,
        str(words["not measured"]) if cost is None else f"{cost:.2f}x",
        str(words["yes" if method["among_best"] else "no"]),
    )


if __name__ == "__main__":
    for language, page in PAGES.items():
        write(page, MARK, table(language))
