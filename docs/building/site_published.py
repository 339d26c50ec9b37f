"""The table of what is published: each folder, how large it is, what it took, and where its answer stands.

`python docs/building/site_published.py` writes it into results/README.md again.
"""

import re
from datetime import datetime
from pathlib import Path
from typing import Final

from site_links import PUBLISHED, ROOT, published_folders
from site_marks import line, write

from bench.report.formatting import MISSING
from bench.store.journal import Store
from bench.store.record import Record

PAGE: Final = ROOT / "results" / "README.md"
MARK: Final = "<!-- What is published: written by docs/building/site_published.py. -->"
_HEADS: Final = "| folder | what it is | trials | core-hours | what was found |\n|---|---|---:|---:|---|"


def table() -> str:
    """Return the table, with its links as results/README.md has them."""
    return "\n".join([_HEADS, *(_line(name) for name in published_folders())])


def _line(name: str) -> str:
    folder = ROOT / PUBLISHED / name
    records = Store(folder).records(histories=False)
    trials = str(len({record.trial_id for record in records})) if records else "kernel timings"
    found = answer_page(name)
    return line(
        f"[{name}](published/{name}/README.md)",
        _title(folder / "README.md"),
        trials,
        f"{core_hours(records):.1f}" if records else MISSING,
        f"[{_title(found)}](../{found.relative_to(ROOT).as_posix()})" if found else MISSING,
    )


def _title(page: Path) -> str:
    return page.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")


def core_hours(records: list[Record]) -> float:
    """Return the hours from the start of each attempt to its end, summed: a trial of a campaign has one thread."""
    return sum(_seconds(record) for record in records) / 3600


def _seconds(record: Record) -> float:
    start, end = (datetime.fromisoformat(text) for text in (record.started_at, record.finished_at))
    return (end - start).total_seconds()


def answer_page(name: str) -> Path | None:
    """Return the English page that says what the campaign found, if there is one."""
    mark = re.compile(rf"^<!-- {re.escape(name)} found: ", re.MULTILINE)
    pages = sorted((ROOT / "docs" / "explanation").glob("*.md"))
    return next((page for page in pages if mark.search(page.read_text(encoding="utf-8"))), None)


if __name__ == "__main__":
    write(PAGE, MARK, table())
