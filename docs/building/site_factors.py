"""Which change moves the score: another loss, R1, a norm, or only another seed, from campaigns of one suite.

The suite trains the same losses, plain and with R1; its campaigns differ in the discriminator's norm.
"""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Final

import numpy as np
from site_answers import records_of, second_half
from site_marks import line

from bench.probes.campaign_claims import runs_of, score_of
from bench.probes.factor_claims import PENALIZED, PLAIN, change_of_loss, change_of_penalty, grids
from bench.report.formatting import MISSING, distance, signed
from bench.statistics.blocks import block_intervals
from bench.statistics.intervals import Array
from bench.store.campaigns import suite_of
from bench.store.record import Record

_NORMS: Final = {None: "no norm", "ln": "layer norm", "sn": "spectral norm"}
_LINES: Final = ("no R1", "R1")
_METHODS: Final = (PLAIN, PENALIZED)
"""The methods of each line."""
_HEADS: Final = ("what changes", "at the same", "size of the change", "95 %", "mean change")
METRICS: Final = ("precision", "recall")
MONITORS: Final = ("discriminator_accuracy", "logit_gap", "diversity_ratio")
"""What is told of each norm beside score and distance: the monitors as medians over a run's second half."""


def table(names: Sequence[str]) -> str:
    """Return the table of what each change does to the score, from campaigns of the same suite at the same seeds."""
    scores = scores_of(names)
    return "\n".join([line(*_HEADS), "|---|---|---:|---:|---:|", *(line(*cells) for cells in rows(scores))])


def scores_of(names: Sequence[str]) -> dict[str, Array]:
    """Return the scores [seeds, 2, losses] by the words for the norm: plain losses first, then those with R1."""
    by_norm = {}
    for name in names:
        by_norm[_NORMS[suite_of(name)[1]]] = grids(records_of(name), PLAIN, PENALIZED)
    seeds = sorted(set.intersection(*(set(found) for found in by_norm.values())))
    return {norm: np.array([found[seed] for seed in seeds]) for norm, found in by_norm.items()}


def rows(scores: Mapping[str, Array]) -> Iterator[tuple[str, ...]]:
    """Return the cells of each row: a mean over the seeds of a mean of absolute differences at the same seed."""
    for norm, grid in scores.items():
        of_loss, of_seed = change_of_loss(grid).T, change_of_seed(grid)
        for which, sizes, chance in zip(_LINES, of_loss, of_seed, strict=True):
            yield "the loss", f"{norm}, {which}", *_size(sizes), MISSING
            yield "only the seed", f"{norm}, {which}, loss", f"{chance:.3f}", MISSING, MISSING
    for norm, grid in scores.items():
        moved = grid[:, 1] - grid[:, 0]
        yield "R1 is added", f"{norm}, loss", *_size(change_of_penalty(grid)), _signed(moved)
    (_, bare), *others = scores.items()
    for norm, grid in others:
        for which, moved in zip(_LINES, np.moveaxis(grid - bare, 1, 0), strict=True):
            yield f"{norm} is added", f"{which}, loss", *_size(np.abs(moved).mean(axis=-1)), _signed(moved)


def sides(names: Sequence[str]) -> str:
    """Return the table of what the runs of each norm are like, plain and with R1: medians over losses and seeds."""
    heads = ("norm", "R1", "runs", "score", "FD", *(f"`{name}`" for name in (*METRICS, *MONITORS)))
    lines = [line(*heads), f"|---|---|{'---:|' * (len(heads) - 2)}"]
    for name in names:
        for which, methods in zip(_LINES, _METHODS, strict=True):
            runs = [run for method in methods for run in runs_of(records_of(name), method).values()]
            norm, told = _NORMS[suite_of(name)[1]], side(runs)
            lines.append(line(norm, which, len(runs), f"{told['score']:.3f}", *map(distance, [*told.values()][1:])))
    return "\n".join(lines)


def side(runs: Sequence[Record]) -> dict[str, float]:
    """Return the medians over runs of their score, distance, metrics and monitors; those that none has are NaN."""
    told = {"score": [score_of(run) for run in runs]}
    told |= {name: [run.metrics.get(name) for run in runs] for name in ("distance", *METRICS)}
    told |= {name: [second_half(run, name) for run in runs] for name in MONITORS}
    known = {name: [value for value in values if value is not None] for name, values in told.items()}
    return {name: statistics.median(values) if values else np.nan for name, values in known.items()}


def change_of_seed(grid: Array) -> Array:
    """Return what chance alone moves: the mean of |s_i - s_j| over pairs of seeds and losses, for each line."""
    first, second = np.array([*combinations(range(len(grid)), 2)]).T
    return np.asarray(np.abs(grid[first] - grid[second]).mean(axis=(0, -1)))


def _size(sizes: Array) -> tuple[str, str]:
    (low,), (high,) = block_intervals([sizes[None]])
    return f"{sizes.mean():.3f}", f"{low:.3f} to {high:.3f}"


def _signed(moved: Array) -> str:
    return signed(moved.mean()).replace("-", "−")
