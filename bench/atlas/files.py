"""The atlas as files: written, and compared with what is on disk.

Pages are compared byte for byte. Pictures are compared by the hash of the numbers that they were drawn from, which
is in their description, because versions of matplotlib draw the same numbers with other bytes. Files that were not
generated are never changed.
"""

import functools
from pathlib import Path

from bench.atlas import pages, pictures
from bench.atlas.entries import PICTURES
from bench.common.threads import torch_threads
from bench.files.writing import write_output


def directory() -> Path:
    """Return where the atlas lies in a checkout."""
    return Path(__file__).parents[2] / "docs" / "atlas"


def generate(folder: Path) -> int:
    """Write all pages and pictures, and delete generated ones that are no longer needed. Return the number of files."""
    with torch_threads(1):
        files = {folder / name: text for name, text in pages.all_pages().items()}
        for objective in pages.scalar_objectives():
            files[folder / PICTURES / f"{objective.name}.svg"] = pictures.draw(objective)
    for orphan in _generated(folder) - set(files):
        orphan.unlink()
    for path, text in files.items():
        write_output(path, functools.partial(_write, text.encode()))
    return len(files)


def stale(folder: Path) -> list[str]:
    """Return what `generate` would change, by path within the folder: missing, outdated and orphaned files."""
    with torch_threads(1):
        texts = {folder / name: text for name, text in pages.all_pages().items()}
        drawn = {
            folder / PICTURES / f"{objective.name}.svg": pictures.stamp(objective)
            for objective in pages.scalar_objectives()
        }
    wrong = [path for path, text in texts.items() if _read(path) != text]
    wrong += [path for path, stamp in drawn.items() if pictures.stamp_in(_read(path) or "") != stamp]
    wrong += _generated(folder) - set(texts) - set(drawn)
    return sorted(path.relative_to(folder).as_posix() for path in wrong)


def _read(path: Path) -> str | None:
    return path.read_bytes().decode(errors="replace") if path.is_file() else None


def _write(content: bytes, path: Path) -> None:
    path.write_bytes(content)


def _generated(folder: Path) -> set[Path]:
    """Return the files on disk that a run of the generator has made."""
    pages_on_disk = {path for path in folder.glob("*.md") if (_read(path) or "").startswith(pages.MARK)}
    return pages_on_disk | {
        path for path in (folder / PICTURES).glob("*.svg") if pictures.stamp_in(_read(path) or "") is not None
    }
