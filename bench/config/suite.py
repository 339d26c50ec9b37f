"""Suites: what a user asks to be run. A suite is a small TOML file; `bench.plan` turns it into resolved trials."""

import math
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Final, Literal, get_args, get_origin

import msgspec
from msgspec import Struct

from bench.common.names import did_you_mean
from bench.config.protocol import CONTROLLED_BATCH_SIZE, CORE_NORM
from bench.config.trial import DiscriminatorNorm, Precision, Track
from bench.files.places import expanded
from bench.files.regular import UnusableFileError, read_regular

BudgetName = Literal["full", "quick"]

DEFAULT_SUITE: Final = "quick"
"""What is run where nothing is asked for."""

FEW_SEEDS: Final = 2
"""How many seeds trials without a suite have, unless it is said: a first look. More can be added at any time, since
what is recorded is not run again, and ten of the longest budgets would be days."""


Features = Literal["auto", "imagenet", "own"]
"""In which features photographs are measured: those of a network that has seen ImageNet's, those of the workload's own
extractor, or the first where its weights are installed.
"""


class Suite(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every method on every workload with seeds 0..seeds-1. `None` stands for the workload's own budget.

    `budget` says which of a workload's own; one that has no quick budget trains its full one in either case.

    `methods` are names of the catalogue or expressions. `d_norm` is the discriminator's norm on the controlled track;
    on the paper track each method brings its own. An attempt is stopped after `timeout_minutes`. `losses` are Python
    files that register losses of the user's own; a suite file names them as they lie from its folder. Which losses a
    trial is made of decides its identity, and not from where they were read.
    """

    name: str
    methods: list[str]
    workloads: list[str]
    seeds: int
    summary: str = ""
    track: Track = "controlled"
    d_norm: DiscriminatorNorm = CORE_NORM
    budget: BudgetName = "full"
    steps: int | None = None
    evaluate_every: int | None = None
    samples: int | None = None
    batch_size: int = CONTROLLED_BATCH_SIZE
    precision: Precision = "fp32"
    allow_invalid: bool = False
    timeout_minutes: float = 240.0
    losses: list[str] = []
    features: Features = "auto"

    @property
    def label(self) -> str:
        """What its plan is called."""
        return f"suite {self.name}" if self.name else "plan"

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name} must be at least {least}, not {value}")
            most = _MOST_SEEDS if name == "seeds" else _MOST
            if value is not None and value > most:
                raise ValueError(f"{name} must be at most {most:,}, not {value:,}")
        for name in ("methods", "workloads"):
            if not getattr(self, name):
                raise ValueError(f"{name} must name at least one")
        if not (math.isfinite(self.timeout_minutes) and self.timeout_minutes > 0):
            raise ValueError(f"timeout_minutes must be a positive number, not {self.timeout_minutes}")


# A batch statistic is defined on two images or more; the neighbor metrics need more samples than neighbors.
_LEAST = {"seeds": 1, "steps": 1, "evaluate_every": 1, "samples": 10, "batch_size": 2}

_MOST = 2**31 - 1
"""A size of a tensor above this ends every trial in an error."""
_MOST_SEEDS = 100_000
"""All trials are planned before the first is trained: a slip of the finger must not fill the memory with them."""

_FIELD_TYPES: dict[str, Any] = {field.name: field.type for field in msgspec.structs.fields(Suite)}


def suite_names() -> list[str]:
    """Return the names of the shipped suites."""
    folder = files("bench.config") / "suites"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def shipped_suites() -> list[Suite]:
    """Return the shipped suites, with their summaries, in the order of their names."""
    return [load_suite(name) for name in suite_names()]


def load_suite(name_or_path: str | Path, overrides: Mapping[str, object] | None = None) -> Suite:
    """Read a shipped suite by name, or a user's own from the path of a .toml file, and apply `overrides`.

    A string among the overrides is typed by its field, as `typed_override` does. A suite of the user's that has no
    `name` is named after its file, and its `losses` are returned as paths from where the program runs.

    Raises:
        ValueError: unknown suite, unreadable file, unknown key, or a value of the wrong type or range.
    """
    source, text, fallback_name = _read(name_or_path)
    try:
        values: dict[str, object] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{source} is not valid TOML: {error}") from error
    except RecursionError as error:
        raise ValueError(f"{source} nests its values deeper than can be read") from error
    values.setdefault("name", fallback_name)
    return _suite(source, values, overrides or {}, folder=Path(name_or_path).parent)


def chosen_suite(overrides: Mapping[str, object]) -> Suite:
    """Return what is run where no suite is named.

    Without methods and workloads of one's own that is the suite `quick`, the rest of `overrides` applied. As soon as
    either is chosen, every workload trains its own budget in the protocol's batch, with `FEW_SEEDS` seeds unless
    `overrides` say otherwise; the methods or workloads that are not chosen are those of `quick`.

    Raises:
        ValueError: as for `load_suite`.
    """
    quick = load_suite(DEFAULT_SUITE)
    if not {"methods", "workloads"} & overrides.keys():
        return load_suite(DEFAULT_SUITE, overrides)
    own: dict[str, object] = {
        "name": "", "methods": quick.methods, "workloads": quick.workloads, "seeds": FEW_SEEDS,
    }  # fmt: skip
    return _suite("what is to be run", own, overrides)


def _suite(
    source: str, values: Mapping[str, object], overrides: Mapping[str, object], *, folder: Path = Path()
) -> Suite:
    settings: dict[str, Any] = {key: _convert(key, value, source, strict=True) for key, value in values.items()}
    if "losses" in settings:
        settings["losses"] = [str(folder / _path(name, source)) for name in settings["losses"]]
    for key, value in overrides.items():
        settings[key] = typed_override(key, value) if isinstance(value, str) else _convert(key, value, "", strict=True)
    if "losses" in overrides:
        settings["losses"] = [str(_path(name, "losses")) for name in settings["losses"]]
    missing = [field.name for field in msgspec.structs.fields(Suite) if field.required and field.name not in settings]
    if missing:
        raise ValueError(f"{source} lacks {', '.join(missing)}")
    try:
        return Suite(**settings)
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error


def _path(name: str, source: str) -> Path:
    """Return the path that a text stands for; `~` is a home, as no shell has seen to it.

    Raises:
        ValueError: it is empty, or there is no such home.
    """
    if not name:
        raise ValueError(f"{source}: the path of a file of losses is empty")
    return expanded(name)


def typed_override(key: str, text: str) -> object:
    """Turn the text of `--set key=text` into a value of that key's type.

    A list is separated by commas, of which those inside parentheses do not count (`methods=nsgan,hinge + r1(gamma=1,
    every=16)`); an optional number takes `none` for the workload's own.

    Raises:
        ValueError: unknown key, or a text that is no value of it.
    """
    expected = _expected_type(key, "")
    if expected == list[str]:
        return split_outside_parentheses(text)
    if NoneType in get_args(expected) and text.strip().lower() == "none":
        return None
    return _convert(key, text.strip(), "", strict=False)


def split_outside_parentheses(text: str) -> list[str]:
    """Split at the commas that no parenthesis encloses; empty items are dropped."""
    items = [""]
    depth = 0
    for character in text:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            items.append("")
        else:
            items[-1] += character
    return [item.strip() for item in items if item.strip()]


def _read(name_or_path: str | Path) -> tuple[str, str, str]:
    """Return where the suite was found (for messages), its text, and a name for it."""
    name = str(name_or_path)
    if name in suite_names():
        text = (files("bench.config") / "suites" / f"{name}.toml").read_text(encoding="utf-8")
        return f"suite {name!r}", text, name
    path = Path(name_or_path)
    if path.suffix != ".toml":
        known = suite_names()
        raise ValueError(
            f"unknown suite {name!r}{did_you_mean(name, known)}; "
            f"there are {', '.join(known)}, or give the path of a .toml file"
        )
    try:
        # utf-8-sig: editors on Windows put a mark before the text that no key of TOML begins with.
        return f"suite file {path}", read_regular(path).decode("utf-8-sig"), path.stem
    except UnusableFileError as error:
        raise ValueError(f"the suite file {path} {error}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"the suite file {path} is not UTF-8 text") from error


def _expected_type(key: str, source: str) -> Any:  # noqa: ANN401 - a type expression has no narrower type
    if key not in _FIELD_TYPES:
        where = f" in {source}" if source else ""
        raise ValueError(
            f"unknown key {key!r}{where}{did_you_mean(key, _FIELD_TYPES)}; a suite has {', '.join(_FIELD_TYPES)}"
        )
    return _FIELD_TYPES[key]


def _convert(key: str, value: object, source: str, *, strict: bool) -> object:
    expected = _expected_type(key, source)
    try:
        converted: object = msgspec.convert(value, expected, strict=strict)
    except msgspec.ValidationError as error:
        where = f" in {source}" if source else ""
        hint = did_you_mean(value, _choices(expected)) if isinstance(value, str) else ""
        raise ValueError(f"{key}={value!r}{where} is not {_describe(expected)}{hint}") from error
    return converted


def _choices(expected: object) -> tuple[str, ...]:
    return get_args(expected) if get_origin(expected) is Literal else ()


def _describe(expected: object) -> str:
    """Say in words what a key takes."""
    choices = _choices(expected)
    if choices:
        return f"one of {', '.join(choices)}"
    if isinstance(expected, UnionType):
        return " or ".join("none" if part is NoneType else _describe(part) for part in get_args(expected))
    words = {
        int: "a whole number",
        float: "a number",
        bool: "true or false",
        str: "a text",
        list[str]: "a list of texts",
    }
    return next(word for known, word in words.items() if known == expected)
