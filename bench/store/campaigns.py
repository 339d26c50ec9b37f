"""Published campaigns as something to be held against: found by name, by path, or all that ship; only ever read."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, get_args

from bench.common.names import did_you_mean
from bench.config.trial import DiscriminatorNorm
from bench.files.places import resolved
from bench.store import published
from bench.store.journal import Store, latest_attempts
from bench.store.record import Record, contradiction

ALL: Final = "all"
"""Stands for every campaign that ships."""


@dataclass(frozen=True)
class Campaign:
    """The records of one published folder: the last attempt of each trial, with its evaluations."""

    name: str
    place: Path
    records: tuple[Record, ...]


def find_campaigns(text: str) -> list[Campaign]:
    """Read the campaigns that a name, a path or `all` stands for.

    A path is a folder with records, as `results/published/NAME` is, or the Parquet file of one. Where a name is both,
    the campaign that ships is meant; `./NAME` is the path.

    Raises:
        ValueError: there is none, or a record is damaged.
    """
    shipped = {published.published_name(path): path for path in published.published_files()}
    if text == ALL:
        if not shipped:
            raise ValueError("no published records ship with this program: give the path of a folder of records")
        return [_read(name, path) for name, path in shipped.items()]
    if text in shipped:
        return [_read(text, shipped[text])]
    path = Path(text)
    if path.is_file() and path.suffix == ".parquet":
        return [_read(published.published_name(resolved(path)), path)]
    if (path / "records").is_dir():
        return [_campaign(resolved(path).name, path, Store(path).records())]
    if (path / published.FILE).is_file():
        return [_read(resolved(path).name, path / published.FILE)]
    raise ValueError(
        f"there are no published records called {text!r}{did_you_mean(text, shipped)}; there are "
        f"{', '.join([*shipped, ALL])}, or give a folder with records or its {published.FILE}"
    )


def suite_of(name: str) -> tuple[str, DiscriminatorNorm | None]:
    """Return the suite that a campaign of that name trains, and the norm in the discriminator if it is not the suite's.

    A campaign is called as its suite is. One that trains the suite under another norm has that norm in its name, after
    a dash: `norms-ln`.
    """
    norms: tuple[DiscriminatorNorm, ...] = get_args(DiscriminatorNorm)
    for norm in norms:
        suite = name.removesuffix(f"-{norm}")
        if suite not in ("", name):
            return suite, norm
    return name, None


def _read(name: str, path: Path) -> Campaign:
    return _campaign(name, path, published.read_parquet(path))


def _campaign(name: str, path: Path, records: Iterable[Record]) -> Campaign:
    latest = latest_attempts(records)
    for record in latest:
        if wrong := contradiction(record):
            raise ValueError(f"{path}: the record of {record.trial_id} {wrong}")
    return Campaign(name, path, tuple(latest))
