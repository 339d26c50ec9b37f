"""The data every method is trained on: one file a family, one registry. Importing it needs neither torch nor numpy."""

from bench.data.family import Arrays, DataError, OnProgress, content_hash
from bench.data.registry import default_data_dir, families, load, names, resolve, settled, workload

__all__ = [
    "Arrays",
    "DataError",
    "OnProgress",
    "content_hash",
    "default_data_dir",
    "families",
    "load",
    "names",
    "resolve",
    "settled",
    "workload",
]
