"""The pages of the published results, made from the files that `publish` wrote; no number is written by hand."""

import json
import re
from collections.abc import Iterable
from typing import Any, Final

import site_published
from site_commands import MARK, escaped
from site_links import PUBLISHED, ROOT, for_site, published_folders

FOLDER: Final = "leaderboards"
Row = dict[str, Any]


def pages() -> dict[str, str]:
    """Return a page for every published folder, and one with the rows of all of them."""
    folders = published_folders()
    return {f"{FOLDER}/index.md": _index(folders), **{f"{FOLDER}/{name}.md": _page(name) for name in folders}}


def tables(name: str) -> list[Row]:
    """Return the tables of a published folder; none where it holds no trials."""
    path = ROOT / PUBLISHED / name / "leaderboard.json"
    return json.loads(path.read_text(encoding="utf-8"))["tables"] if path.is_file() else []


def by_weight(names: Iterable[str]) -> list[tuple[str, Row]]:
    """Return the tables of folders, each after its folder's name: newest protocol, most seeds, most records first."""

    def weight(named: tuple[str, Row]) -> tuple[list[int], int, int]:
        table = named[1]
        version = [int(part) for part in table["protocol_version"].split(".")]
        return version, min(row["seeds"] for row in table["rows"]), table["records"]

    found = [(name, table) for name in names for table in tables(name) if table["rows"]]
    return sorted(found, key=weight, reverse=True)


def cells(row: Row) -> list[str]:
    """Return rank, score, interval and failures of a row as the Markdown tables have them."""
    rank = "–" if row["rank_low"] is None else f"{row['rank_low']}–{row['rank_high']}"
    score = "–" if row["score"] is None else f"{row['score']:.3f}"
    low, high = row["score_low"], row["score_high"]
    interval = "–" if low is None or high is None or low == high else f"{low:.2f} to {high:.2f}"
    best = "≈ " if row["among_best"] else ""
    return [best + rank, score, interval, f"{row['failures']}/{row['runs']}"]


def workloads_of(table: Row) -> list[str]:
    return sorted(table["measures"]) or sorted({key[:-6] for key in table["rows"][0] if key.endswith("_score")})


def _page(name: str) -> str:
    folder = ROOT / PUBLISHED / name
    parts = []
    readme, table = folder / "README.md", folder / "leaderboard.md"
    if readme.is_file():
        text = readme.read_text(encoding="utf-8")
        parts.append(for_site(text, f"{PUBLISHED}/{name}/README.md", f"{FOLDER}/{name}.md"))
    else:
        parts.append(f"# {name}")
    if table.is_file():
        # One level up: the page has a title of its own.
        parts.append(re.sub(r"^#(##+) ", r"\1 ", table.read_text(encoding="utf-8"), flags=re.MULTILINE))
    hint = "Click on a heading to sort. Type a name into the field to keep its rows in every table."
    title, _, rest = parts[0].partition("\n")
    return "\n\n".join([title, hint, rest.strip("\n"), *parts[1:], MARK]) + "\n"


def _index(folders: list[str]) -> str:
    lines = [
        "# Leaderboards", "",
        "All rows of all published tables. Click on a heading to sort; type words into the field to keep the rows",
        "that have them all. Only rows of one table may be compared: a table has one protocol, one network and one",
        "budget. A table with fewer than five seeds has no ranks.",
        "[What each column means](../reference/leaderboard.md).", "",
        for_site(site_published.table(), "results/README.md", f"{FOLDER}/index.md"),
    ]  # fmt: skip
    lines += [
        "", "| method | score | 95 % | rank | failed | seeds | workloads | d_norm | protocol | published |",
        "|---|---:|---:|---:|---:|---:|---|---|---|---|",
    ]  # fmt: skip
    for name, table in by_weight(folders):
        lines += [_line(name, table, row) for row in table["rows"]]
    return "\n".join([*lines, "", MARK, ""])


def _line(name: str, table: Row, row: Row) -> str:
    rank, score, interval, failed = cells(row)
    norm = re.search(r"d_norm (\w+)", table["title"])
    columns = [
        *(f"`{row['method']}`", score, interval, rank, failed, row["seeds"], escaped(", ".join(workloads_of(table)))),
        *(norm[1] if norm else "", table["protocol_version"], f"[{name}]({name}.md)"),
    ]
    return f"| {' | '.join(map(str, columns))} |"
