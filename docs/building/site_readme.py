"""The table of the READMEs: the top of the published leaderboard, written between its two marks.

`python docs/building/site_readme.py` writes it again.
"""

from typing import Final

from site_leaderboards import Row, by_weight, cells, workloads_of
from site_links import PUBLISHED, REPOSITORY, ROOT, published_folders
from site_marks import write

PAGES: Final = {"en": ROOT / "README.md", "zh": ROOT / "README.zh-CN.md"}
BEGIN: Final = "<!-- The top of the published leaderboard: written by docs/building/site_readme.py. -->"
_ROWS: Final = 5
_RANKED_FROM: Final = 5
_WORDS: Final = {
    "en": {
        "said": "The first {shown} of {methods} methods on {workloads}, {seeds} seeds each, from {link} ({title}):",
        "and": " and ",
        "to": " to ",
        "head": "| method | score | 95 % | rank | failed |",
        "warning": "With fewer than {least} seeds there are scores and intervals, and no ranks: do not choose a loss "
        "from this table.",
        "unsettled": "Every interval of ranks is the whole table: the order is not settled, so do not choose a loss "
        "from it.",
    },
    "zh": {
        "said": "{workloads} 上 {methods} 个方法中的前 {shown} 个，每个方法 {seeds} 个随机种子，"
        "取自 {link}（{title}）：",
        "and": " 和 ",
        "to": " 至 ",
        "head": "| 方法 | 得分 | 95 % 置信区间 | 排名 | 失败 |",
        "warning": "随机种子少于 {least} 个时，只有得分和置信区间，没有排名：不要根据这张表选择损失函数。",
        "unsettled": "每个排名区间都是整张表：顺序还没有定论，不要根据这张表选择损失函数。",
    },
}


def chosen() -> tuple[str, Row]:
    """Return the table to show and the folder that has it: the one of most weight."""
    return by_weight(published_folders())[0]


def text(language: str = "en") -> str:
    """Return the table with what must be said of it."""
    name, table = chosen()
    rows, words = table["rows"], _WORDS[language]
    seeds = min(row["seeds"] for row in rows)
    said = words["said"].format(
        shown=_ROWS, methods=len(rows), workloads=words["and"].join(workloads_of(table)), seeds=seeds,
        link=f"[results/published/{name}]({REPOSITORY}/blob/main/{PUBLISHED}/{name}/leaderboard.md)",
        title=table["title"],
    )  # fmt: skip
    lines = [said, "", words["head"], "|---|---:|---:|---:|---:|"]
    for row in rows[:_ROWS]:
        rank, score, interval, failed = cells(row)
        lines.append(
            f"| `{row['method']}` | {score} | {words['to'].join(interval.split(' to '))} | {rank} | {failed} |"
        )
    if seeds < _RANKED_FROM:
        lines += ["", words["warning"].format(least=_RANKED_FROM)]
    elif all((row["rank_low"], row["rank_high"]) == (1, len(rows)) for row in rows):
        lines += ["", words["unsettled"]]
    return "\n".join(lines)


if __name__ == "__main__":
    for language, page in PAGES.items():
        write(page, BEGIN, text(language))
