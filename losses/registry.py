"""Where parts are known by name: `@register`, look-up with suggestions, and losses from other packages and files."""

import logging
import re
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import redirect_stdout
from dataclasses import MISSING, fields, is_dataclass
from functools import partial
from pathlib import Path
from typing import Final, TypeVar, get_args

from losses import plugins
from losses.parts import Constraint, InputTransform, LogitTransform, Objective, Part, Regularizer
from losses.suggest import did_you_mean, known_names
from losses.types import Kind

ENTRY_POINT_GROUP: Final = "gan_loss_bench.losses"
"""A package that lists a module here has it imported at the first look-up; the module registers its parts."""

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
_KINDS: Final = (Objective, Regularizer, InputTransform, LogitTransform, Constraint)
_parts: dict[str, type[Part]] = {}
_methods: dict[str, str] = {}
"""The expressions of the catalogue's methods, by name."""
_plugins_loaded = False
_broken: list[str] = []
_log = logging.getLogger(__name__)

PartClass = TypeVar("PartClass", bound=type[Part])


def register(name: str) -> Callable[[PartClass], PartClass]:
    """Give a part its name. Decorate a frozen dataclass derived from one of the four kinds.

    Raises:
        ValueError: for a name that is taken, also by a method of the catalogue, or not lower_snake_case, or a field
            without a default.
        TypeError: for a class that is no frozen dataclass of one of the four kinds, and for anything but a name.
    """
    if not isinstance(name, str):  # used without parentheses, it is given the class
        raise TypeError('a loss is registered under a name: write @losses.register("my_loss")')

    def decorate(part: PartClass) -> PartClass:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a part name: expected lower_snake_case, such as 'rp_bce'")
        if name in _parts:
            raise ValueError(f"the name {name!r} is taken by {_parts[name].__module__}.{_parts[name].__qualname__}")
        if name in _methods:  # an expression would mean the method, and never the part
            raise ValueError(f"the name {name!r} is taken by the method of that name, {_methods[name]!r}")
        if not issubclass(part, _KINDS) or not is_dataclass(part) or "__dataclass_fields__" not in vars(part):
            kinds = ", ".join(kind.__name__ for kind in _KINDS)
            raise TypeError(f"{part.__qualname__} is not a frozen dataclass derived from one of {kinds}")
        bare = [spec.name for spec in fields(part) if spec.default is MISSING]
        if bare:
            raise ValueError(f"{name}: the parameter {bare[0]!r} has no default")
        _check_revision(name, part)
        part.name = name
        _parts[name] = part
        return part

    return decorate


def import_file(path: Path) -> None:
    """Import a Python file by its path, once, for what it registers; of one that ends in an error nothing is kept.

    Raises:
        ValueError: as `plugins.load_file`, which says more.
    """
    known = set(_parts)
    try:
        plugins.load_file(path)
    except ValueError:
        _take_back(known, lambda part: getattr(sys.modules.get(part.__module__), part.__name__, None) is not part)
        raise


def _take_back(known: Collection[str], is_gone: Callable[[type[Part]], bool]) -> None:
    """Forget the parts that were registered since some were known, if they are gone: mended, they come again."""
    for name in [name for name, part in _parts.items() if name not in known and is_gone(part)]:
        del _parts[name]


def reserve(methods: Mapping[str, str]) -> None:
    """Keep the names of methods, with their expressions: no part that comes later is registered under one of them."""
    _methods.update(methods)


def _check_revision(name: str, part: type[Part]) -> None:
    if any(spec.name == "revision" for spec in fields(part)):
        raise ValueError(f"{name}: revision is not a hyper-parameter: declare it as revision: ClassVar[int] = 1")
    if type(part.revision) is not int or part.revision < 1:
        raise ValueError(f"{name}: expected revision to be a whole number of at least 1, not {part.revision!r}")


def parts(kind: Kind | None = None) -> dict[str, type[Part]]:
    """Return the registered parts of a kind, or all, sorted by name. The first call loads what others provide.

    Raises:
        ValueError: for a kind that there is not, naming the nearest.
    """
    if kind is not None and kind not in get_args(Kind):
        raise ValueError(f"unknown kind {kind!r}{did_you_mean(str(kind), get_args(Kind))}: {', '.join(get_args(Kind))}")
    _load_plugins()
    return {name: _parts[name] for name in sorted(_parts) if kind is None or _parts[name].kind == kind}


def part(name: str) -> type[Part]:
    """Return the part with a name; ValueError names the nearest one."""
    known = parts()
    if name not in known:
        raise unknown("part", name, known)
    return known[name]


def all_known(names: Iterable[str]) -> str:
    """Return the names, or where to find them, and which packages could not be loaded, if one could not."""
    broken = f"; what these entry points provide cannot be had: {', '.join(_broken)}" if _broken else ""
    return f"{known_names(names)}{broken}"


def unknown(kind: str, name: str, known: Iterable[str]) -> ValueError:
    """Return the error that no loss or part has a name; its attribute `unknown_name` is what was written."""
    known = list(known)
    error = ValueError(f"unknown {kind} {name!r}{did_you_mean(name, known)}; {all_known(known)}")
    vars(error)["unknown_name"] = name
    return error


def _load_plugins() -> None:
    """Import the entry points of other packages, and the files that the environment names, once."""
    global _plugins_loaded
    if _plugins_loaded:
        return
    from importlib.metadata import entry_points  # late: most uses of a loss never need it at import

    _plugins_loaded = True  # first, because a plugin's module may itself look something up
    for entry_point in entry_points(group=ENTRY_POINT_GROUP):
        known = set(_parts)
        try:
            with redirect_stdout(sys.stderr):
                entry_point.load()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - anybody's code, which costs itself alone
            name = f"{entry_point.name} ({entry_point.value})"
            _broken.append(name)
            package = re.split(r"[.:]", entry_point.value)[0]
            _take_back(known, partial(_is_of, package))
            _log.warning(
                "the losses of the entry point %s cannot be had: %s: %s; mend or uninstall that package. "
                "All other losses are there", name, type(error).__name__, plugins.first_line(error),
            )  # fmt: skip
    try:
        for path in plugins.named_files():
            import_file(path)
    except ValueError:
        _plugins_loaded = False
        raise


def _is_of(package: str, part: type[Part]) -> bool:
    return part.__module__.split(".")[0] == package
