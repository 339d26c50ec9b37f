"""What stage 1 hands to stage 2: the cells that it flags or lets pass, and the commands that run fresh seeds."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from bench import data
from bench.config.commands import command
from bench.config.trial import is_from_elsewhere, part_versions
from bench.extractors.specs import features_of
from bench.files.regular import UnusableFileError, read_regular
from bench.statistics.gates.cells import CellKey
from bench.statistics.gates.comparison import Comparison, Rerun
from bench.statistics.gates.verdicts import Direction, Flag
from bench.store import strict_json
from bench.store.record import Record

ResultsOf = Callable[[Rerun], Path]

_SCHEMA_VERSION: Final = 1


class FlaggedCell(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One suspect."""

    cell: CellKey
    direction: Direction
    seeds: tuple[int, ...]
    """The seeds of NEW that stage 1 has seen; stage 2 does not look at them again."""


class FlagFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file that `compare --stage 1 --flagged FILE` writes."""

    flags_version: int
    cells: tuple[FlaggedCell, ...]
    passed: tuple[CellKey, ...] | None = None
    """What stage 1 has judged and not flagged; none in files of before this was kept."""
    commands: tuple[str, ...]


class Screened(NamedTuple):
    """What stage 1 says of its cells, as `bench.statistics.gates.comparison.compare` takes it."""

    flags: Mapping[CellKey, Flag]
    passed: frozenset[CellKey] | None


def encode_flags(comparison: Comparison, results_of: ResultsOf, files: Mapping[str, Path]) -> str:
    """Return the text of the file; `results_of` and `files` are those of `commands`."""
    reruns = comparison.reruns
    cells = tuple(
        FlaggedCell(cell=rerun.pair.key, direction=rerun.flag.direction, seeds=rerun.flag.seeds) for rerun in reruns
    )
    document = FlagFile(
        flags_version=_SCHEMA_VERSION,
        cells=cells,
        passed=tuple(sorted(comparison.judged)),
        commands=tuple(commands(reruns, results_of, files)),
    )
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def read_flags(path: Path) -> Screened:
    """Read what stage 1 has flagged and let pass.

    Raises:
        ValueError: the file cannot be read, or stage 1 has not written it.
    """
    hint = f"write it with: {command('compare', 'BASE', 'NEW', '--stage', '1', '--flagged', path)}"
    try:
        document = strict_json.decode(read_regular(path), FlagFile)
    except UnusableFileError as error:
        raise ValueError(f"the flagged cells: {path} {error}; {hint}") from error
    except strict_json.UNREADABLE as error:
        raise ValueError(f"{path} holds no flagged cells ({error}); {hint}") from error
    flags = {cell.cell: Flag(cell.direction, cell.seeds) for cell in document.cells}
    return Screened(flags, None if document.passed is None else frozenset(document.passed))


def commands(reruns: Iterable[Rerun], results_of: ResultsOf, files: Mapping[str, Path]) -> list[str]:
    """Return the commands that run the fresh seeds; cells that share all settings and a results folder share one.

    Seeds are 0 to n-1 by rule: what has been run is not run again, so a command trains the fresh ones alone.

    Args:
        reruns: the flagged cells.
        results_of: the folder that the fresh seeds of a cell go to, where its other seeds are.
        files: where losses of the user's come from, by the versions of their parts.
    """
    grouped: dict[tuple[str, ...], list[Rerun]] = {}
    for rerun in reruns:
        settings = (*_settings(rerun), "--results", str(results_of(rerun)))
        grouped.setdefault(settings, []).append(rerun)
    written = []
    for settings, together in grouped.items():
        chosen = [word for rerun in together for word in ("--method", rerun.pair.key.method)]
        needed = dict.fromkeys(
            files[version] for rerun in together for version in foreign_parts(rerun) if version in files
        )
        own = [word for path in needed for word in ("--losses", str(path))]
        written.append(command("run", *own, *chosen, *settings))
    return written


def foreign_parts(rerun: Rerun) -> dict[str, str]:
    """Return the names of the parts that came in files of the user's, by their versions, which are their contents'."""
    versions = part_versions(_latest(rerun).components)
    return {version: name for name, version in versions.items() if is_from_elsewhere(version)}


def _latest(rerun: Rerun) -> Record:
    return next(iter((rerun.pair.new.runs or rerun.pair.base.runs).values()))


def _features(rerun: Rerun) -> tuple[str, ...]:
    """Ask for what the photographs were measured in: with what is installed here they may be other trials."""
    if not data.workload(rerun.pair.workload).photographs:
        return ()
    return "--set", f"features={features_of(_latest(rerun).components)}"


def _settings(rerun: Rerun) -> tuple[str, ...]:
    key = rerun.pair.key
    return (
        *("--workload", rerun.pair.workload, "--seeds", str(rerun.seeds), "--steps", str(key.steps)),
        # A toy's network has no norm to choose, and a method's own recipe chooses its own.
        *(("--d-norm", key.d_norm) if key.track == "controlled" else ("--set", f"track={key.track}")),
        *(("--allow-invalid",) if key.allow_invalid else ()),
        *("--set", f"evaluate_every={key.evaluate_every}", "--set", f"samples={key.samples}"),
        *("--set", f"batch_size={key.batch_size}", "--set", f"precision={key.precision}"),
        *_features(rerun),
    )
