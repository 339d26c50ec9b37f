"""The columns of what judges measured on a workload: FID, and numbers in CLIP and VGG16. See `bench.report.columns`."""

from bench.report import formatting
from bench.report.column import Column
from bench.statistics.judged import JudgedColumn


def judged_column(on: JudgedColumn) -> Column:
    """Return the column of a metric. Precision stands beside recall, without which it says nothing."""
    write = formatting.percent if on.is_share else formatting.distance
    share = f" {on.measured} of {on.results} results have it;" if on.results > on.measured else ""
    compared = "training images against each other" if on.is_share else "real test images"
    return Column(
        on.heading,
        {on.metric: lambda row: on.medians.get(row.method_key)},
        lambda row: write(on.medians.get(row.method_key)),
        f"{on.workload} {on.heading}: median {on.measure} of the last step;{share} {compared} "
        f"{write(on.of_real_images)}; no part of the score.",
        (write(on.of_real_images), formatting.MISSING),
        workload=on.workload,
        with_next=on.metric.endswith("_precision"),
    )


def missing_fid_note(on: JudgedColumn) -> str:
    """Say why there is no FID of images in color, and how to get it."""
    return (
        f"{on.workload}: no FID, as these runs were made without Inception (not asked for, or its weights were "
        "not there); run --inception require measures it, in new attempts."
    )
