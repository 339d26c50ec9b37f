"""What the page about measuring says of other networks: files against records, and the text against the table."""

import csv
import re

import pandas as pd
import pytest
import site_networks
from site_links import PUBLISHED, ROOT
from site_marks import END, inside

from bench.store.journal import Store

TEXT = site_networks.PAGE.read_text(encoding="utf-8")
TABLE = inside(TEXT, site_networks.MARK)
FILES = sorted(site_networks.FOLDER.glob("*.csv"))
ROWS = re.findall(r"^\| \[([\w-]+)\]\(\S+\) \| (\d+) \| `(\S+)` \| (\S+) \| (\S+) \| (.+) \|$", TABLE, re.MULTILINE)


def test_the_table_is_that_of_the_files():
    assert site_networks.table() == TABLE, "write it again: make docs"
    assert len(ROWS) == len(TABLE.splitlines()) - 2


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_distances_in_the_network_that_ranks_are_the_recorded_ones(file):
    records = Store(ROOT / PUBLISHED / file.stem.partition(".")[0]).latest(histories=False)
    with file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    own = [row for row in rows if row["network"] == records[row["trial_id"]].components["extractor"]]
    assert len({row["trial_id"] for row in rows}) == len(own) > 0
    for row in own:
        record = records[row["trial_id"]]
        assert (row["method"], int(row["seed"])) == (record.spec.method, record.spec.seed)
        assert float(row["distance"]) == pytest.approx(record.metrics["fd"], rel=1e-3)
    networks = {row["network"] for row in rows}
    assert len(rows) == len(own) * len(networks), "each run in each network"
    seeds = {
        method: {int(row["seed"]) for row in own if row["method"] == method}
        for method in {row["method"] for row in own}
    }
    assert min(map(len, seeds.values())) >= 2


def test_orders_of_runs_are_compared_within_each_method():
    index = pd.MultiIndex.from_tuples([("a", 0), ("a", 1), ("b", 0), ("b", 1), ("c", 0)], names=["method", "seed"])
    found = pd.DataFrame({"one": [1.0, 2.0, 9.0, 8.0, 5.0], "other": [1.0, 2.0, 3.0, 4.0, 5.0]}, index=index)
    assert site_networks.of_seeds(found, "one", "other") == 0.0, "1 of a and -1 of b"
    assert site_networks.of_seeds(found, "one", "one") == 1.0


def test_the_text_says_what_the_table_says():
    after = TEXT.partition(site_networks.MARK)[2].partition(END)[2]
    said = re.split(r"^## ", after, maxsplit=1, flags=re.MULTILINE)[0]
    first = {}
    for campaign, _, _, _, _, best in ROWS:
        first.setdefault(campaign, set()).add(best.partition("`, `")[0])
    assert all(len(methods) == 1 for methods in first.values()), "the best is the best in every network"
    taus = [[float(row[place].replace("−", "-")) for row in ROWS if row[place] != "–"] for place in (3, 4)]
    spans = [f"{value:.2f}" for own in taus for value in (min(own), max(own))]
    assert re.findall(r"\d\.\d\d", said) == spans
