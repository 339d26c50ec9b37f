"""What `compare` compares: a results folder, a baseline file, `git:REV[:PATH]`, kernel timings, or golden traces."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli.options import usage_errors
from bench.cli.values import EMPTY
from bench.files.places import as_text, resolved

if TYPE_CHECKING:
    from bench.store.baseline import Baseline
    from bench.store.golden import GoldenTraces
    from bench.store.kernels import KernelRecord
    from bench.store.record import Record
    from bench.store.timings import Timings


@dataclass(frozen=True)
class Source:
    """One side of a comparison."""

    description: str
    """What it is, for people."""
    records: "tuple[Record, ...]" = ()
    timings: "Timings | None" = None
    golden: "GoldenTraces | None" = None
    kernels: "tuple[KernelRecord, ...]" = ()
    """What `kernels` has recorded in a results folder."""
    results: Path | None = None
    """The results folder, where it is one."""
    places: "Mapping[Path, frozenset[str]]" = field(default_factory=dict)
    """Where that is a folder of several results folders, these, else itself; each with the ids of its trials."""
    absent: bool = False
    """There is nothing of that name, as on the first run."""

    @property
    def roots(self) -> frozenset[Path]:
        return frozenset(map(resolved, self.places))

    def place_of(self, trials: Iterable[str]) -> Path | None:
        """Return the results folder that most of some trials are in; None where this is no folder."""
        among = set(trials)
        return max(self.places, key=lambda place: len(self.places[place] & among), default=None)


def read_source(text: str, name: str) -> Source:
    """Read one side, which messages call by this name.

    Its description goes into reports of every kind: it is text, whatever the folder is called.

    Raises:
        click.UsageError: what is there cannot be used. That nothing is there is no error here.
    """
    source = _read(text, name)
    return replace(source, description=as_text(source.description))


def _read(text: str, name: str) -> Source:
    from bench.store.baseline import usual_path
    from bench.store.revision import PREFIX

    if not text:
        raise click.UsageError(f"{name}: {EMPTY}")
    with usage_errors():
        if text.startswith(PREFIX):
            return _revision(text)
        path = Path(text)
        if path.is_dir():
            return _folder(path)
        if not path.exists() and usual_path(text).is_file():
            path = usual_path(text)
        if path.is_file():
            return _json(path) if path.suffix == ".json" else _baseline(path)
    return Source(f"{text} (not there)", absent=True)


def _revision(text: str) -> Source:
    from bench.store.baseline import Baseline
    from bench.store.revision import AbsentError, read_revision

    try:
        content = read_revision(text, Path.cwd())
    except AbsentError as error:
        return Source(f"{text} (not there: {error})", absent=True)
    if isinstance(content, Baseline):
        return Source(_named(content, text), content.records)
    return Source(_counted(text, tuple(content)), tuple(content))


def _folder(path: Path) -> Source:
    from bench.report.formatting import plural
    from bench.store.journal import Store
    from bench.store.kernels import KernelStore, is_results_folder

    # A folder of several results folders, as results/published is, is read as one set. A folder of kernel records
    # somewhere below is known by its files, since a package may have that name too.
    roots = {path}
    if not is_results_folder(path):
        below = [*path.glob("**/records"), *(file.parent for file in path.glob("**/kernels/*.json"))]
        roots = {folder.parent for folder in below if is_results_folder(folder.parent)}
    stored = {root: Store(root).records(histories=False) for root in sorted(roots)}
    records = tuple(record for of_root in stored.values() for record in of_root)
    kernels = tuple(record for root in sorted(roots) for record in KernelStore(root).records())
    words = [_counted(str(path), records)] if records or not kernels else [str(path)]
    if kernels:
        words.append(plural(len(kernels), "kernel record"))
    places = {root: frozenset(record.trial_id for record in of_root) for root, of_root in stored.items()}
    return Source(", ".join(words), records, kernels=kernels, results=path, places=places)


def _baseline(path: Path) -> Source:
    from bench.store.baseline import read_baseline

    baseline = read_baseline(path)
    return Source(_named(baseline, str(path)), baseline.records)


def _json(path: Path) -> Source:
    from bench.report.formatting import plural
    from bench.store.golden import is_golden, read_golden

    if not is_golden(path):
        return _timings(path)
    golden = read_golden(path)
    words = f"{path}, {plural(len(golden.traces), 'golden trace')}, torch {golden.versions.get('torch', 'unknown')}"
    return Source(f"{words}, on {golden.cpu}", golden=golden)


def _timings(path: Path) -> Source:
    from bench.report.formatting import plural
    from bench.store.timings import read_timings

    timings = read_timings(path)
    return Source(f"{path}, {plural(len(timings.benchmarks), 'benchmark')} on {timings.machine}", timings=timings)


def _named(baseline: "Baseline", where: str) -> str:
    from bench.report.formatting import plural

    header = baseline.header
    return f"baseline {header.baseline} ({where}), {plural(header.trials, 'trial')}, digest {header.digest[:12]}"


def _counted(where: str, records: "tuple[Record, ...]") -> str:
    from bench.report.formatting import plural
    from bench.store.baseline import records_digest

    return f"{where}, {plural(len(records), 'record')}, digest {records_digest(records)[:12]}"


def refuse_shared(base: Source, new: Source) -> None:
    """Refuse two folders of which one holds results of the other: they would be compared with themselves, and pass.

    One and the same folder is compared with itself, which says that everything is identical.
    """
    shared = base.roots & new.roots
    if base.results and new.results and shared and resolved(base.results) != resolved(new.results):
        raise click.UsageError(
            f"BASE, {base.results}, and NEW, {new.results}, both hold the results in {min(shared)}, which would be "
            "compared with themselves; name two folders that share none"
        )


def not_there(source: Source, name: str) -> click.UsageError:
    return click.UsageError(
        f"{name} is {source.description}: give a results folder, a baseline's name or file, git:REV[:PATH], or a file "
        "of pytest --benchmark-json or of `golden`"
    )
