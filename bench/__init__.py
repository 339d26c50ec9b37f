"""The harness around `losses`: one fixed DCGAN, every registered loss, paired seeds, and what may be concluded.

    import bench

    frame = bench.load("results/local")
    frame.groupby(bench.CELL)["metrics.distance"].median()

`CELL` names the columns that say, in words, which trials differ in their seed alone.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.common.version import VERSION

if TYPE_CHECKING:
    import pandas as pd

    from bench.store.table import CELL

__version__: Final = VERSION

__all__ = ["CELL", "__version__", "load"]


def load(results: str | Path) -> "pd.DataFrame":
    """Return the records of a results folder as a tidy frame: one row per trial, by its last attempt with a result.

    The columns are those of `bench.store.table.frame`, and what `export` writes is the same table. Records of several
    protocols, tracks, networks, precisions and budgets may lie in one folder: each is a column. `cell` is the same for
    trials that differ in their seed alone. Group by it, or by `bench.CELL`, which says it in words, and nothing is
    pooled that does not belong together. Failed runs have rows, with their `status`; `metrics.distance` is NaN where
    there was nothing left to measure.

    Args:
        results: the folder, as `--results` names it.

    Raises:
        ValueError: there is no such folder, or a record in it is damaged; the message names it.
    """
    from bench.statistics.damage import read_sound
    from bench.store.journal import Store
    from bench.store.table import frame

    folder = Path(results)
    if not folder.is_dir():
        raise ValueError(f"there is no results folder {folder}; make one with: python -m bench run --results {folder}")
    return frame(read_sound(Store(folder), histories=False))


def __getattr__(name: str) -> Any:  # noqa: ANN401 - as Python says of a module's
    """Look up what costs an import of pandas when it is asked for: the command line starts without."""
    if name == "CELL":
        from bench.store.table import CELL

        return CELL
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
