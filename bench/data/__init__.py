"""The data that methods are trained on: a file for each family, and a registry. Its import needs no torch or numpy."""

from bench.data.family import Arrays, DataError, OnProgress, content_hash
from bench.data.registry import (
    default_data_dir,
    families,
    is_here,
    lacking,
    load,
    names,
    resolve,
    settled,
    workload,
)

__all__ = [
    "Arrays",
    "DataError",
    "OnProgress",
    "content_hash",
    "default_data_dir",
    "families",
    "is_here",
    "lacking",
    "load",
    "names",
    "resolve",
    "settled",
    "workload",
]
