"""The version of the metrics. It imports no torch, so that a plan can name it."""

from typing import Final

METRICS_VERSION: Final = "2"
"""Raised whenever a metric computes another number for the same samples."""
