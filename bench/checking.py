"""Putting somebody's own losses to the contract of the loss library: a file in, findings out."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.files.places import resolved
from losses import contract, plugins, registry
from losses.parts import Part


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
    for name, part in _parts_of(path).items():
        yield Examined(name, part.kind, tuple(contract.diagnose(part)))


def _parts_of(path: Path) -> dict[str, type[Part]]:
    """Return the parts that a file registers, importing it unless the library or a plugin already has."""
    registry.parts()  # first what is known without the file
    plugins.import_file(path)
    known, file = registry.parts(), resolved(path)
    parts = {name: part for name, part in known.items() if plugins.file_of(part.__module__) == file}
    if not parts:
        raise ValueError(f'{path.name} registers no loss: decorate a class with @losses.register("name")')
    return parts
