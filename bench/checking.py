"""Putting somebody's own losses to the contract of the loss library: a file in, findings out."""

import importlib.util
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from losses import contract, registry
from losses.kinds import Part

_SUFFIX: Final = ".py"


@dataclass(frozen=True)
class Examined:
    """What came of the checks of one part."""

    name: str
    kind: str
    findings: tuple[contract.Finding, ...]

    @property
    def ready(self) -> bool:
        return not any(finding.is_failure for finding in self.findings)

    @property
    def verdict(self) -> str:
        """The outcome in one line."""
        return contract.verdict(self.name, self.findings)

    def to_json(self) -> dict[str, object]:
        """Return it as JSON's types."""
        findings = [asdict(finding) for finding in self.findings]
        return {
            "name": self.name,
            "kind": self.kind,
            "ready": self.ready,
            "verdict": self.verdict,
            "findings": findings,
        }


def examine_file(path: Path) -> Iterator[Examined]:
    """Import a Python file and examine every part that it registers, by name, one after the other.

    Raises:
        ValueError: there is no such file, it cannot be imported (the message has the line), or it registers nothing.
    """
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    if path.suffix != _SUFFIX:
        raise ValueError(f"{path} is no Python file: its name does not end in {_SUFFIX}")
    for name, part in _parts_of(path.resolve()).items():
        yield Examined(name, part.kind, tuple(contract.examine(part)))


def _parts_of(path: Path) -> dict[str, type[Part]]:
    """Return the parts that a file registers, importing it unless the library or a plugin already has."""
    before = registry.parts()
    known = {name: part for name, part in before.items() if _file_of(part) == path}
    if known:
        return known
    _import(path)
    added = {name: part for name, part in registry.parts().items() if name not in before}
    if not added:
        raise ValueError(f'{path.name} registers no loss: decorate a class with @losses.register("name")')
    return added


def _file_of(part: type[Part]) -> Path | None:
    file = getattr(sys.modules.get(part.__module__), "__file__", None)
    return Path(file).resolve() if file else None


def _import(path: Path) -> None:
    specification = importlib.util.spec_from_file_location(f"examined_{path.stem}", path)
    assert specification is not None, "a file that ends in .py has a loader"
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module
    try:
        with _beside(path):
            specification.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[specification.name]
        raise ValueError(f"{path.name}{_line(path, error)}: {type(error).__name__}: {_first_line(error)}") from error


@contextmanager
def _beside(path: Path) -> Iterator[None]:
    """Let a file import its neighbours, as it could if it were run."""
    sys.path.insert(0, str(path.parent))
    try:
        yield
    finally:
        sys.path.remove(str(path.parent))


def _line(path: Path, error: BaseException) -> str:
    """Return ", line 12" for where the file went wrong, as near to the mistake as the file itself goes."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == path]
    if isinstance(error, SyntaxError) and error.filename == str(path):
        lines.append(error.lineno)
    return f", line {lines[-1]}" if lines else ""


def _first_line(error: BaseException) -> str:
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return (text.strip().splitlines() or [""])[0]
