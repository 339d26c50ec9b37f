"""Putting somebody's own losses to the contract of the loss library: a file in, findings out."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import losses
from bench.config.protocol import REFERENCE_METHOD
from bench.config.trial import Trial, is_from_elsewhere, part_versions
from bench.files.places import resolved
from losses import contract, plugins, registry
from losses.parts import Part

TUTORIAL: Final = "https://github.com/gan-loss-bench/gan-loss-bench/blob/main/docs/tutorials/your-own-loss.md"


@dataclass(frozen=True)
class Examined:
    """What came of the checks of one part."""

    name: str
    kind: str
    expression: str
    """A method with it, to try it with."""
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
        method = name if part.kind == "objective" else " + ".join([REFERENCE_METHOD, *part.requires, name])
        yield Examined(name, part.kind, method, tuple(contract.diagnose(part)))


def first_steps(trials: Iterable[Trial]) -> list[str]:
    """Say which methods with parts of the user's own fail at the first step, before anything is trained.

    It is a remark, and no refusal: they are tried on small made-up images, and a part may be made for others alone.
    """
    own = {
        trial.spec.method: trial.spec.method_name
        for trial in trials
        if any(map(is_from_elsewhere, part_versions(trial.components).values()))
    }
    tried = {name: contract.trial_run_of(losses.get(method)) for method, name in own.items()}
    return [
        f"{name} failed when it was tried on small made-up images: {wrong}" for name, wrong in tried.items() if wrong
    ]


def _parts_of(path: Path) -> dict[str, type[Part]]:
    """Return the parts that a file registers, importing it unless the library or a plugin already has."""
    registry.parts()  # first what is known without the file
    registry.import_file(path)
    known, file = registry.parts(), resolved(path)
    parts = {name: part for name, part in known.items() if plugins.file_of(part.__module__) == file}
    if not parts:
        raise ValueError(f"{path.name} registers no loss: {_what_to_register(file)}")
    return parts


def _what_to_register(file: Path) -> str:
    """Say what a file without losses needs: a decorator above the part that it has, or a part."""
    own = [
        member
        for name, module in list(sys.modules.items())
        if plugins.file_of(name) == file
        for member in vars(module).values()
        if isinstance(member, type) and issubclass(member, Part) and member.__module__ == name
    ]
    if own:
        return f'put @losses.register("its_name") above {own[0].__qualname__}'
    return f'write it as a class derived from losses.Objective, under @losses.register("its_name"), as in {TUTORIAL}'
