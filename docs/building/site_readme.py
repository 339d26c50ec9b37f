"""The table of the README: the top of the published leaderboard, written between its two marks.

`python docs/building/site_readme.py` writes it again.
"""

from pathlib import Path
from typing import Final

from site_leaderboards import Row, cells, tables, workloads_of
from site_links import PUBLISHED, REPOSITORY, ROOT

README: Final = ROOT / "README.md"
BEGIN: Final = "<!-- The top of the published leaderboard: written by docs/building/site_readme.py. -->"
END: Final = "<!-- End of the table. -->"
_ROWS: Final = 5
_RANKED_FROM: Final = 5


def chosen() -> tuple[str, Row]:
    """Return the table to show and the folder that has it: newest protocol, then most seeds, then most records."""
    folders = sorted(each.name for each in (ROOT / PUBLISHED).iterdir() if each.is_dir())
    found = [(name, table) for name in folders for table in tables(name) if table["rows"]]

    def weight(each: tuple[str, Row]) -> tuple[list[int], int, int]:
        table = each[1]
        version = [int(part) for part in table["protocol_version"].split(".")]
        return version, min(row["seeds"] for row in table["rows"]), table["records"]

    return max(found, key=weight)


def text() -> str:
    """Return the table with what must be said of it."""
    name, table = chosen()
    rows = table["rows"]
    seeds = min(row["seeds"] for row in rows)
    said = f"The first {_ROWS} of {len(rows)} methods on {' and '.join(workloads_of(table))}, {seeds} seeds each"
    address = f"{REPOSITORY}/blob/main/{PUBLISHED}/{name}/leaderboard.md"
    lines = [f"{said}, from [results/published/{name}]({address}) ({table['title']}):", ""]
    lines += ["| method | score | 95 % | rank | failed |", "|---|---:|---:|---:|---:|"]
    for row in rows[:_ROWS]:
        rank, score, interval, failed = cells(row)
        lines.append(f"| `{row['method']}` | {score} | {interval} | {rank} | {failed} |")
    if seeds < _RANKED_FROM:
        warning = "there are scores and intervals, and no ranks: do not choose a loss from this table."
        lines += ["", f"With fewer than {_RANKED_FROM} seeds {warning}"]
    return "\n".join(lines)


def write(path: Path = README) -> None:
    """Put the table between the marks of the README."""
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text(f"{before}{BEGIN}\n\n{text()}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    write()
