"""The versions of everything that a trial's numbers depend on. Importing it needs no torch."""

from typing import Final

from bench.config.workload import Workload
from bench.extractors import specs
from bench.metrics.version import METRICS_VERSION

ENGINE_VERSION: Final = "3"
"""The training engine's arithmetic; raised whenever a change alters any trained number."""


def components(workload: Workload, losses_version: str, extractor: str | None = None) -> dict[str, str]:
    """Return the component versions of a trial on a workload, but for losses that this library does not ship.

    `extractor` names the weights of one that is trained here; if it is left out, and no weights are shipped, the
    component is empty: like data that nobody pins, it is known by its content alone.
    """
    versions = {
        "engine": ENGINE_VERSION,
        "losses": losses_version,
        "metrics": METRICS_VERSION,
        "data": workload.content_hash,
    }
    if workload.extractor is not None:
        versions["extractor"] = _shipped(workload.extractor) if extractor is None else extractor
    return versions


def _shipped(extractor: str) -> str:
    return "" if specs.extractor_spec(extractor).trained_here else specs.extractor_component(extractor)
