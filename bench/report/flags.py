"""What stage 1 hands to stage 2: the flagged cells with the seeds it has seen, and the commands that run fresh ones."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from bench.config.trial import is_from_elsewhere, part_versions
from bench.statistics.gates.cells import CellKey
from bench.statistics.gates.comparison import Rerun
from bench.statistics.gates.verdicts import Direction, Flag
from bench.store import strict_json

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
    commands: tuple[str, ...]


def encode_flags(reruns: Sequence[Rerun], results: str) -> str:
    """Return the text of the file; `results` is the folder that the fresh seeds go to."""
    cells = tuple(
        FlaggedCell(cell=each.pair.key, direction=each.flag.direction, seeds=each.flag.seeds) for each in reruns
    )
    document = FlagFile(flags_version=_SCHEMA_VERSION, cells=cells, commands=tuple(commands(reruns, results)))
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def read_flags(path: Path) -> Mapping[CellKey, Flag]:
    """Read the flagged cells.

    Raises:
        ValueError: the file cannot be read, or stage 1 has not written it.
    """
    hint = f"write it with: python -m bench compare BASE NEW --stage 1 --flagged {path}"
    try:
        document = strict_json.decode(path.read_bytes(), FlagFile)
    except OSError as error:
        raise ValueError(f"cannot read the flagged cells from {path}: {error.strerror}; {hint}") from error
    except msgspec.DecodeError as error:
        raise ValueError(f"{path} holds no flagged cells ({error}); {hint}") from error
    return {each.cell: Flag(each.direction, each.seeds) for each in document.cells}


def commands(reruns: Iterable[Rerun], results: str) -> list[str]:
    """Return the commands that run the fresh seeds; cells that share all settings share one.

    Seeds are 0 to n-1 by rule: what has been run is not run again, so a command trains the fresh ones alone.
    """
    grouped: dict[tuple[str, ...], list[str]] = {}
    for each in reruns:
        grouped.setdefault(_settings(each), []).append(each.pair.key.method)
    written = []
    for settings, methods in grouped.items():
        chosen = [word for method in methods for word in ("--method", method)]
        written.append(shlex.join(["python", "-m", "bench", "run", *chosen, *settings, "--results", results]))
    return written


def _settings(each: Rerun) -> tuple[str, ...]:
    key = each.pair.key
    record = next(iter((each.pair.new.runs or each.pair.base.runs).values()))
    own = any(map(is_from_elsewhere, part_versions(record.components).values()))
    return (
        *(("--losses", "YOUR_LOSSES.py") if own else ()),
        *("--workload", record.spec.workload, "--seeds", str(each.seeds), "--steps", str(key.steps)),
        # A toy's network has no norm to choose, and a method's own recipe chooses its own.
        *(("--d-norm", key.d_norm) if key.track == "controlled" else ("--set", f"track={key.track}")),
        *(("--allow-invalid",) if key.allow_invalid else ()),
        *("--set", f"evaluate_every={key.evaluate_every}", "--set", f"samples={key.samples}"),
        *("--set", f"batch_size={key.batch_size}", "--set", f"precision={key.precision}"),
    )
