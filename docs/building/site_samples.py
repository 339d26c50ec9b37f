"""What the methods of a published campaign draw: the first row of each one's grid of one seed.

`python docs/building/site_samples.py` cuts the rows out again. A campaign has them where its folder has the grids.
"""

from pathlib import Path
from typing import Final

from PIL import Image
from site_answers import MEASURES, PICTURES, is_published, results, spellings
from site_leaderboards import tables
from site_links import PUBLISHED, ROOT

SAMPLES: Final = PICTURES / "samples"
_ROWS: Final = 8
_GAP: Final = 2
"""Pixels between the images of a grid, and around them."""
_ENLARGED: Final = 2
"""A grid shows each pixel as a square with sides of so many."""

_WORDS: Final = {
    "en": ("method", "the first eight samples of seed {}", "samples of {}"),
    "zh": ("方法", "随机种子 {} 的前八个样本", "{} 的样本"),
}


def grids(name: str) -> dict[str, str]:
    """Return the trials whose grids a published folder shows, by the method's expression: those of `seed`."""
    return _grids(name, seed(name))


def seed(name: str) -> int | None:
    """Return the first seed of which the folder has a grid of every method; None where there is no such seed."""
    if not is_published(name):
        return None
    runs = results(name)
    methods = set(runs["expression"])
    seeds = (int(number) for number in sorted(set(runs["seed"])))
    return next((number for number in seeds if set(_grids(name, number)) == methods), None)


def _grids(name: str, number: int | None) -> dict[str, str]:
    if number is None:
        return {}
    runs = results(name)
    own = runs[runs["seed"] == number]
    trials = zip(own["expression"], own["trial_id"], strict=True)
    return {expression: trial for expression, trial in trials if _grid(name, trial).is_file()}


def _grid(name: str, trial: str) -> Path:
    return ROOT / PUBLISHED / name / "artifacts" / trial / "samples.png"


def row(name: str, trial: str) -> Image.Image:
    """Return the first row of a trial's grid, a pixel for a pixel."""
    with Image.open(_grid(name, trial)) as grid:
        gap = _ENLARGED * _GAP
        height = (grid.height - gap) // _ROWS + gap
        first = grid.crop((0, 0, grid.width, height))
        return first.resize((grid.width // _ENLARGED, height // _ENLARGED), Image.Resampling.NEAREST)


def table(name: str, language: str, root: str) -> str:
    """Return a table of samples in the order of the leaderboard; `root` leads from the page to docs/."""
    trials, spelled = grids(name), spellings(name)
    method, words, alternative = _WORDS[language]
    lines = [f"| {method} | {words.format(seed(name))} |", "|---|---|"]
    for board in tables(name):
        for each in board["rows"]:
            label, trial = spelled[each["expression"]], trials[each["expression"]]
            lines.append(f"| `{label}` | ![{alternative.format(label)}]({root}pictures/samples/{trial}.png) |")
    return "\n".join(lines)


if __name__ == "__main__":
    SAMPLES.mkdir(exist_ok=True)
    for name in MEASURES:
        for trial in grids(name).values():
            row(name, trial).save(SAMPLES / f"{trial}.png", format="PNG", optimize=True)
