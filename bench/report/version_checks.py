"""Which versions made the records of a published folder, compared with those of this program."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from bench.common.version import UPGRADE
from bench.config.trial import PART, is_from_elsewhere, part_names, part_versions
from bench.config.workload import Workload
from bench.extractors import specs
from bench.report import formatting, methods
from bench.report.findings import FileFinding
from bench.store.record import Record
from bench.training.version import components

WorkloadOf = Callable[[str], Workload]
"""Looks a workload up by name, or raises a `ValueError` that says which there are."""

RESTORE: Final = "restore the file as it was recorded"

_WITHOUT_REVISIONS: Final = "1.0"
"""The protocol whose records do not name the revisions of their parts."""


def version_findings(records: Sequence[Record], workload_of: WorkloadOf) -> Iterable[FileFinding]:
    """Return which versions made the records, where they differ from this program's."""
    counted: Counter[tuple[str, str, str]] = Counter()
    unknown: set[str] = set()
    for record in records:
        try:
            workload = workload_of(record.spec.workload)
            current = components(workload, methods.library_version(), _extractor_needed(record, workload))
        except ValueError:  # said about its file already
            continue
        for name, version in current.items():
            # Data that no workload pins is known by its content alone: there is no version to be of.
            if version and record.components.get(name) != version:
                counted[name, record.components.get(name, ""), version] += 1
        for name, version in _parts_needed(record).items():
            if record.components.get(name) != version:
                counted[name, record.components.get(name, ""), version] += 1
        unknown |= {name for name in record.components if name not in current and not name.startswith(PART)}
    for name in sorted(unknown):
        yield FileFinding("records", f"have a component that this program does not know: {name}", UPGRADE)
    for (name, recorded, version), number in sorted(counted.items()):
        yield _version_finding(formatting.plural(number, "record"), name, recorded, version)


def _extractor_needed(record: Record, workload: Workload) -> str | None:
    """Return the component that this program has for the features that a record chose; None for the workload's own.

    Photographs have the choice, so neither is a version of the other. A classifier that reads their modes beside
    ImageNet's features is trained where the trial runs: then there is no version to be of.
    """
    if not workload.photographs or specs.features_of(record.components) == "own":
        return None
    assert workload.extractor is not None, "photographs are measured in features"
    return "" if specs.extractor_spec(workload.extractor).classes else specs.extractor_component(specs.IMAGENET)


def _parts_needed(record: Record) -> dict[str, str]:
    """Return the components of the parts that a record's method is made of, with the revisions that they have today.

    One that came in a file is left out: its version is that of the file, whatever the library calls by its name today.
    """
    if record.protocol_version == _WITHOUT_REVISIONS:
        return {}
    shipped = {entry.name: entry.revision for entry in methods.parts()}
    named = part_versions(record.components)
    return {
        f"{PART}{name}": shipped.get(name, "")
        for name in part_names(record.spec.method)
        if not is_from_elsewhere(named.get(name, ""))
    }


def _version_finding(who: str, component: str, recorded: str, current: str) -> FileFinding:
    if not recorded:
        return FileFinding("records", f"{who} without a version of {component}", RESTORE)
    if newer(recorded, current):
        return FileFinding("records", f"{who} of {component} {recorded}, newer than this program's {current}", UPGRADE)
    order = "older than" if newer(current, recorded) else "other than"
    return FileFinding("records", f"{who} of {component} {recorded}, {order} this program's {current}", wrong=False)


def newer(first: str, second: str) -> bool:
    """Say whether a version of dotted numbers is above another; hashes have no order."""
    try:
        one, other = ([int(part) for part in version.split(".")] for version in (first, second))
    except ValueError:
        return False
    return one > other
