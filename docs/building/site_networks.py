"""Would another network rank the methods otherwise? The order by distance in the network that ranks, and in others.

`python docs/building/site_networks.py` writes the table of docs/explanation/measuring.md again, from the distances that
`bench.probes.other_networks` has measured.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from scipy.stats import kendalltau
from site_answers import spellings
from site_links import PUBLISHED, ROOT
from site_marks import line, two_digits, write

from bench.extractors.specs import extractor_names

PAGE: Final = ROOT / "docs" / "explanation" / "measuring.md"
MARK: Final = "<!-- networks: written by docs/building/site_networks.py. -->"
FOLDER: Final = ROOT / "results" / "other-networks"
_HEADS: Final = ("campaign", "runs", "network", "methods", "seeds of a method", "first three")
_FIRST: Final = 3
_NONE: Final = "–"


def table() -> str:
    """Return the table: the network that ranks, then the others, for each file of distances."""
    rows = [row for file in sorted(FOLDER.glob("*.csv")) for row in _rows(file)]
    return "\n".join([line(*_HEADS), "|---|---:|---|---:|---:|---|", *(line(*row) for row in rows)])


def _rows(file: Path) -> Iterator[tuple[object, ...]]:
    campaign = file.stem.partition(".")[0]
    found = distances(file)
    own = found.columns[0]
    medians = found.groupby("method", sort=False).median()
    spelled = spellings(campaign)
    for network in found.columns:
        first = ", ".join(f"`{spelled[method]}`" for method in medians[network].sort_values().index[:_FIRST])
        taus = (_NONE, _NONE)
        if network != own:
            taus = (two_digits(_tau(medians, own, network)), two_digits(of_seeds(found, own, network)))
        (name,) = extractor_names(network)
        yield f"[{campaign}](../../{PUBLISHED}/{campaign}/README.md)", len(found), f"`{name}`", *taus, first


def distances(file: Path) -> pd.DataFrame:
    """Return a row for each run and a column for each network, the one that ranks first, indexed by method and seed."""
    read = pd.read_csv(file)
    networks = list(dict.fromkeys(read["network"]))
    return read.pivot_table(index=["method", "seed"], columns="network", values="distance", sort=False)[networks]


def of_seeds(found: pd.DataFrame, one: str, other: str) -> float:
    """Return the mean over methods of tau between the distances of their runs in two networks."""
    return float(np.mean([_tau(own, one, other) for _, own in found.groupby("method") if len(own) > 1]))


def _tau(distances: pd.DataFrame, one: str, other: str) -> float:
    return float(kendalltau(distances[one], distances[other]).statistic)


if __name__ == "__main__":
    write(PAGE, MARK, table())
