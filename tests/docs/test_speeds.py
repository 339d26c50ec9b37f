"""What the page about comparisons says of the speeds of runs that follow each other."""

import numpy as np
import pandas as pd
from site_links import PUBLISHED, ROOT

PAGE = ROOT / "docs" / "explanation" / "comparisons.md"


def correlation_of_neighbors(campaign):
    """Of the log speed less that of the method on the workload, between each run and the next one that started."""
    runs = pd.read_parquet(
        ROOT / PUBLISHED / campaign / "records.parquet",
        columns=["method", "workload", "started_at", "cost.images_per_second"],
    ).sort_values("started_at")
    speed = np.log(runs["cost.images_per_second"])
    own = (speed - speed.groupby([runs["method"], runs["workload"]]).transform("mean")).to_numpy()
    return np.corrcoef(own[:-1], own[1:])[0, 1]


def test_how_alike_the_speeds_of_consecutive_runs_are():
    names = [path.parent.name for path in sorted((ROOT / PUBLISHED).glob("*/records.parquet"))]
    found = {name: correlation_of_neighbors(name) for name in names}
    first = found.pop("classics")
    high = [value for value in found.values() if value > 0.5]
    told = " ".join(PAGE.read_text(encoding="utf-8").split())
    assert (len(high), len(found)) == (9, 11)
    assert f"a correlation of {first:.2f} in `classics` and of more than 0.5 in nine of the eleven others" in told
