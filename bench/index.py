"""The index of the loss library, `bench/config/methods.json`, and the library's version beside it.

`list` and `verify` read both files without importing torch. `python -m bench.index` writes them; run it after adding a
loss.
"""

import sys
from pathlib import Path
from typing import Final

import msgspec

import losses
from bench.atlas.families import family_of, family_of_method
from losses import Kind, Method

_KINDS: Final[tuple[Kind, ...]] = ("method", "objective", "regularizer", "transform", "constraint")


def method_index() -> list[dict[str, str]]:
    """Return the index: the name, kind, summary, formula and other texts of each method and part.

    Methods come first. `expression` is the canonical spelling of a method, and empty for a part. `revision` is that of
    a part, and empty for a method.
    """
    described = [losses.describe(name, kind) for kind in _KINDS for name in losses.names(kind)]
    return [
        {
            "name": description.name,
            "kind": description.kind,
            "summary": description.summary,
            "expression": description.expression or "",
            "formula": description.formula,
            "citation": description.citation,
            "alias_of": description.alias,
            "revision": "" if description.kind == "method" else str(description.revision),
            "family": _family(description.name, description.kind),
        }
        for description in described
    ]


def _family(name: str, kind: Kind) -> str:
    """Return the name of the atlas page that explains a method or part; empty if another package registered it."""
    meant = losses.get(name) if kind == "method" else losses.registry.part(name)
    try:
        return (family_of_method(meant) if isinstance(meant, Method) else family_of(meant)).page
    except ValueError:  # the other package writes its own page
        return ""


def index_path() -> Path:
    """Return the path of the index."""
    return Path(__file__).parent / "config" / "methods.json"


def encode_index() -> bytes:
    """Return what the index file must contain."""
    return msgspec.json.format(msgspec.json.encode(method_index()), indent=2) + b"\n"


def version_path() -> Path:
    """Return the path of the file with the loss library's version."""
    return Path(__file__).parent / "config" / "losses.version"


def encode_version() -> bytes:
    """Return what the version file must contain."""
    return f"{losses.VERSION}\n".encode()


def main() -> None:
    """Write the index file and the version file."""
    for path, content in ((index_path(), encode_index()), (version_path(), encode_version())):
        path.write_bytes(content)
        sys.stdout.write(f"wrote {path}\n")


if __name__ == "__main__":
    main()
