"""Would another network rank the methods otherwise? The order by distance in the network that ranks, and in others.

`python docs/building/site_networks.py` writes the table of docs/explanation/measuring.md again, from the distances that
`bench.probes.other_networks` has measured.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import pandas as pd
from scipy.stats import kendalltau
from site_answers import spellings
from site_links import ROOT
from site_marks import line, two_digits, write
from site_measuring import PAGE, folder

from bench.extractors.specs import extractor_names
from bench.probes.other_networks import GRAIN
from bench.report.formatting import MISSING

MARK: Final = "<!-- networks: written by docs/building/site_networks.py. -->"
FOLDER: Final = ROOT / "results" / "other-networks"
_HEADS: Final = ("campaign", "runs", "network", "methods", "seeds of a method", "grain", "first three")
_FIRST: Final = 3


def campaigns() -> list[str]:
    return sorted({file.name.partition(".")[0] for file in FOLDER.glob("*.csv")})


def table() -> str:
    """Return the table: the network that ranks, then the others, for each campaign."""
    rows = [row for campaign in campaigns() for row in _rows(campaign)]
    return "\n".join([line(*_HEADS), "|---|---:|---|---:|---:|---:|---|", *(line(*row) for row in rows)])


def _rows(campaign: str) -> Iterator[tuple[object, ...]]:
    found = distances(campaign)
    own = found.columns[0]
    medians = found.groupby("method", sort=False).median()
    spelled = spellings(campaign)
    for network in found.columns.drop(GRAIN):
        first = ", ".join(f"`{spelled[method]}`" for method in medians[network].sort_values().index[:_FIRST])
        taus = (MISSING, MISSING)
        if network != own:
            taus = (two_digits(_tau(medians, own, network)), two_digits(of_seeds(found, own, network)))
        (name,) = extractor_names(network)
        yield folder(campaign), len(found), f"`{name}`", *taus, two_digits(_tau(found, GRAIN, network)), first


def distances(campaign: str) -> pd.DataFrame:
    """Return a row for each run and a column for each network, the one that ranks first; indexed by method and seed.

    A campaign has several files where its networks were measured one after another; all have the same runs.
    """
    files = sorted(FOLDER.glob(f"{campaign}.*csv"), key=lambda file: len(file.name))
    read = pd.concat([pd.read_csv(file) for file in files]).drop_duplicates(["trial_id", "network"])
    networks = list(dict.fromkeys(read["network"]))
    found = read.pivot_table(index=["method", "seed"], columns="network", values="distance", sort=False)[networks]
    if found.isna().any(axis=None):
        raise ValueError(f"the files of {campaign} in {FOLDER} have not the same runs")
    return found


def of_seeds(found: pd.DataFrame, one: str, other: str) -> float:
    """Return the mean over methods of tau between the distances of their runs in two networks."""
    return float(np.mean([_tau(own, one, other) for _, own in found.groupby("method") if len(own) > 1]))


def _tau(distances: pd.DataFrame, one: str, other: str) -> float:
    return float(kendalltau(distances[one], distances[other]).statistic)


if __name__ == "__main__":
    write(PAGE, MARK, table())
