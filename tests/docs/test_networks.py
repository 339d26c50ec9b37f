"""What the page about measuring says of other networks: files against records, and the text against the table."""

import csv
import re

import pandas as pd
import pytest
import site_networks
import torch
from doc_pages import prose_under
from site_answers import records_of
from site_leaderboards import tables
from site_links import PUBLISHED, ROOT
from site_marks import inside
from site_networks import campaigns

from bench import data
from bench.extractors.specs import IMAGENET
from bench.probes.other_networks import GRAIN, grain
from bench.store.journal import Store

TEXT = site_networks.PAGE.read_text(encoding="utf-8")
TABLE = inside(TEXT, site_networks.MARK)
FILES = sorted(site_networks.FOLDER.glob("*.csv"))
ROWS = re.findall(
    r"^\| \[([\w-]+)\]\(\S+\) \| (\d+) \| `(\S+)` \| (\S+) \| (\S+) \| (\S+) \| (.+) \|$", TABLE, re.MULTILINE
)


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
    said = prose_under(TEXT, site_networks.MARK)
    photographs = [row for row in ROWS if row[2] == IMAGENET]
    others = [row for row in ROWS if row[2] != IMAGENET]
    first = {campaign: {row[-1].partition("`, `")[0] for row in others if row[0] == campaign} for campaign, *_ in ROWS}
    assert all(len(methods) == 1 for methods in first.values()), "they agree on the best method"
    taus = [[number(row[place]) for row in others if row[place] != "–"] for place in (3, 4)]
    spans = [f"{value:.2f}" for own in taus for value in (min(own), max(own))]
    assert [row[0] for row in photographs] == ["norms", "topic-gradients"]
    assert all(row[-1].startswith("`rpgan`, ") for row in photographs)
    for row in photographs:
        assert number(row[5]) > 0.25 + max(number(other[5]) for other in others if other[0] == row[0])
    assert re.findall(r"\d\.\d\d", said) == [*spans, *(row[3] for row in photographs), *(row[5] for row in photographs)]


def test_how_many_methods_may_be_the_best_in_each_campaign():
    """Where more than one may be, the records do not settle whether the first is the best."""
    counts = [sum(row["among_best"] for table in tables(name) for row in table["rows"]) for name in campaigns()]
    assert (min(counts), max(counts)) == (2, 7)
    assert "Two to seven methods may be the best" in prose_under(TEXT, site_networks.MARK)


def test_which_runs_were_not_measured():
    """Those whose generators were not kept, and the seeds that one campaign did not have yet."""
    there = {name: {(row.spec.method, row.spec.seed) for row in records_of(name)} for name in campaigns()}
    measured = {name: set(site_networks.distances(name).index) for name in campaigns()}
    late = {run for run in there["topic-balance"] if run[1] >= 5}
    assert len(late) == len(there["topic-balance"]) / 2
    assert not late & measured["topic-balance"]
    assert "seeds 5 to 9 of `topic-balance`" in " ".join(TEXT.split())
    missing = sum(len(there[name] - measured[name]) for name in there) - len(late)
    told = (site_networks.FOLDER / "README.md").read_text(encoding="utf-8")
    assert f"those of {missing} of {sum(map(len, there.values())) - len(late)} runs were not kept" in told


def test_rpgan_is_the_last_in_all_other_networks_of_norms():
    medians = site_networks.distances("norms").groupby("method").median()
    assert {
        name: medians[name].idxmax() for name in medians if IMAGENET not in name and name != GRAIN
    } == dict.fromkeys([name for name in medians if IMAGENET not in name and name != GRAIN], "rp_bce")


def test_the_grain_that_the_text_names():
    grains = site_networks.distances("norms")[GRAIN]
    of_rpgan, of_others = grains.loc["rp_bce"], grains.drop("rp_bce", level="method")
    told = [grain(torch.from_numpy(data.load("digits").train)), of_rpgan.min(), of_rpgan.max(), of_others.min()]
    said = prose_under(TEXT, site_networks.MARK)
    assert re.findall(r"\b\d\d\.\d\b", said) == [f"{value:.1f}" for value in told]


def test_files_of_other_runs_are_refused(tmp_path, monkeypatch):
    head = "trial_id,method,seed,network,distance"
    (tmp_path / "one.csv").write_text(f"{head}\na,hinge,0,own:1,2.0\nb,hinge,1,own:1,3.0\n", encoding="utf-8")
    (tmp_path / "one.grain.csv").write_text(f"{head}\na,hinge,0,grain,20.0\n", encoding="utf-8")
    monkeypatch.setattr(site_networks, "FOLDER", tmp_path)
    with pytest.raises(ValueError, match="have not the same runs"):
        site_networks.distances("one")


def number(text):
    return float(text.replace("−", "-"))
