"""The pages of the Python API: the public names of `losses` and `bench`, with their signatures and docstrings."""

import importlib
import inspect
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any, Final

from site_commands import MARK, escaped

FOLDER: Final = "reference/api"
EXTRA: Final = {"losses": ["losses.contract", "losses.profiling", "losses.fusion"], "bench": []}
"""Modules that are public and not imported with their package."""

_SECTIONS: Final = ("Args", "Returns", "Raises", "Yields", "Parameters", "Formula", "Source", "BatchNorm", "Shapes")
_ENTRY: Final = re.compile(r"^(\*{0,2}\w[\w., *]*): ?(.*)", re.DOTALL)


def pages() -> dict[str, str]:
    """Return the page of each package, and one that lists them."""
    made = {f"{FOLDER}/{name}.md": _package(name) for name in EXTRA}
    listed = "\n".join(f"- [`{name}`]({name}.md): {_first(importlib.import_module(name))}" for name in EXTRA)
    made[f"{FOLDER}/index.md"] = f"# Python API\n\n{listed}\n\n{MARK}\n"
    return made


def public(package: ModuleType) -> dict[str, Any]:
    """Return the public names of a module, and what they are: `__all__`, or what is defined in it without a `_`."""
    if listed := getattr(package, "__all__", None):
        return {name: getattr(package, name) for name in listed}
    return {
        name: value
        for name, value in vars(package).items()
        if not name.startswith("_") and getattr(value, "__module__", "") == package.__name__
    }


def _package(name: str) -> str:
    package = importlib.import_module(name)
    lines = [f"# {name}", "", *docstring(package), ""]
    for module in [package, *map(importlib.import_module, EXTRA[name])]:
        if module is not package:
            lines += [f"## {module.__name__}", "", *docstring(module), ""]
        shown = public(module)
        families = {key: value for key, value in shown.items() if inspect.ismodule(value)}
        for key, value in shown.items():
            if key not in families:
                lines += [*_entry(module.__name__, key, value), ""]
        if families:
            lines += ["## Modules", ""]
            lines += [f"- `{module.__name__}.{key}`: {_first(value)}" for key, value in families.items()]
            lines += ["", "What they register is in the [atlas](../../atlas/index.md).", ""]
    return "\n".join([*lines, MARK, ""])


def _entry(module: str, name: str, value: Any) -> Iterator[str]:  # noqa: ANN401 - any public value
    level = "##" if module in EXTRA else "###"
    yield from (f"{level} {name}", "")
    if inspect.isclass(value):
        yield from ("```python", f"class {module}.{name}{_signature(value)}", "```", "")
        yield from docstring(value)
        yield from _members(value, f"{level}#")
    elif callable(value) and not _is_alias(value):
        yield from ("```python", f"{module}.{name}{_signature(value)}", "```", "", *docstring(value))
    else:
        yield from ("```python", f"{module}.{name} = {_short(value)}", "```")


def _members(owner: type, level: str) -> Iterator[str]:
    for name, value in vars(owner).items():
        value = value.__func__ if isinstance(value, classmethod | staticmethod) else value
        if name.startswith("_") or not inspect.getdoc(value):
            continue
        if isinstance(value, property):
            yield from ("", f"{level} {owner.__name__}.{name}", "", "*property*", "", *docstring(value))
        elif inspect.isfunction(value):
            yield from (
                "",
                f"{level} {owner.__name__}.{name}",
                "",
                "```python",
                f"{name}{_signature(value)}",
                "```",
                "",
            )
            yield from docstring(value)


def _signature(value: Any) -> str:  # noqa: ANN401 - any callable
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):  # a class that is made by C code has none
        return ""
    text = re.sub(r" at 0x[0-9a-f]+", "", str(signature)).replace("torch.", "").replace("nn.modules.module.", "nn.")
    text = re.sub(r"(: |-> )'([^']*)'", r"\1\2", text)
    text = re.sub(r"\b(?:losses|bench|collections|typing)(?:\.\w+)*\.(\w)", r"\1", text)
    parts = re.split(r", (?![^\[(]*[\])])", text[1:].rpartition(")")[0])
    end = text[text.rindex(")") :]
    if len(text) <= 80:
        return text
    return "(\n" + "".join(f"    {part},\n" for part in parts) + end


def _is_alias(value: object) -> bool:
    return type(value).__module__ == "typing"


def _short(value: object) -> str:
    return re.sub(r"typing\.", "", repr(value))


def _first(module: ModuleType) -> str:
    return escaped(" ".join((inspect.getdoc(module) or "").split("\n\n")[0].split()))


def docstring(value: Any) -> Iterator[str]:  # noqa: ANN401 - whatever has one
    """Yield the docstring as Markdown: sections as lists, indented lines as code."""
    for block in re.split(r"\n\n(?! )", inspect.getdoc(value) or ""):
        head, _, rest = block.partition(":\n")
        if head in _SECTIONS and rest.startswith("    "):
            yield from (f"**{head}**", "", *_section(inspect.cleandoc("\n" + rest)), "")
        else:
            yield from (*_paragraph(block), "")


def _section(text: str) -> Iterator[str]:
    """Yield the entries of a section, each begun by a line that is not indented."""
    for item in re.split(r"\n(?! )", text):
        entry = _ENTRY.match(" ".join(item.split()))
        yield f"- `{entry[1]}`: {escaped(entry[2])}" if entry else f"- {escaped(' '.join(item.split()))}"


def _paragraph(text: str) -> Iterator[str]:
    """Yield a paragraph, and the indented block that follows or is the whole of it, as code."""
    plain, _, block = text.partition("\n\n    ") if not text.startswith("    ") else ("", "", text[4:])
    if plain:
        yield escaped(plain)
    if block:
        yield from ("", "```python", inspect.cleandoc("\n    " + block), "```")
