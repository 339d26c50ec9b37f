"""`imagefolder:PATH`: a folder of your own images, of any size and mode, as 32x32 or 64x64 color images.

Images are found in PATH and all folders in it, by the ending of their names, and sorted by path. If PATH has folders
`train` and `test`, these are the two parts. Otherwise a tenth is held out, chosen by a hash of each path.
"""

import hashlib
import logging
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.config.workload import Workload
from bench.data import pictures
from bench.data.cache import decoded, kept_sets
from bench.data.family import Arrays, DataError, Family, Form, OnProgress
from bench.files.places import expanded
from bench.files.writing import reason

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PREFIX: Final = "imagefolder"
SIZES: Final = (32, 64)
ENDINGS: Final = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
MIN_TRAIN: Final = 450
MIN_TEST: Final = 50
"""Fewer images say nothing about 128 features."""
_LEAST_TOGETHER: Final = MIN_TRAIN + MIN_TEST
SAMPLES: Final = (1_000, 10_000)
"""The fewest and the most samples of an evaluation."""

_PREPARATION: Final = "imagefolder-v2"
_PARTS: Final = ("train", "test")
_OTHER_PARTS: Final = ("dev", "eval", "holdout", "test", "testing", "train", "training", "val", "valid", "validation")
"""Common names of parts of a data set, in lower case."""
_OTHER_ENDINGS: Final = (
    *(".apng", ".avif", ".dng", ".eps", ".heic", ".heif", ".ico", ".j2k", ".jfif", ".jp2", ".jpe", ".jxl", ".pbm"),
    *(".pcx", ".pdf", ".pnm", ".psd", ".raw", ".svg", ".tga"),
)
"""Images that are not read. A message says so if there are any."""
_OPTION: Final = re.compile(r"\w*=.*|\d{2,3}", re.DOTALL)
"""Text after a question mark that is meant as an option, valid or not, and not as the end of a folder's name."""
_NAMED: Final = 3
"""How many unreadable files and folders are named; the others are counted."""
_CHUNK: Final = 1000

_log = logging.getLogger(__name__)


def workload(name: str) -> Workload:
    """Return the workload that `imagefolder:PATH` or `imagefolder:PATH?size=64` stands for. No file is read.

    Raises:
        ValueError: there is no path, or what follows the question mark is not a valid size.
    """
    path, mark, option = name.removeprefix(f"{PREFIX}:").rpartition("?")
    sizes = {f"size={size}": size for size in SIZES}
    if not (mark and _OPTION.fullmatch(option)):  # a folder's name may have question marks too
        path, option = name.removeprefix(f"{PREFIX}:"), f"size={SIZES[0]}"
    if not path.strip():
        raise ValueError(f"{name!r} names no folder; write {PREFIX}:PATH, for example {PREFIX}:photos?size=64")
    if option not in sizes:
        raise ValueError(
            f"{name!r} has {option!r} after the question mark; write ?{' or ?'.join(sizes)}, also after a folder whose "
            "name has a question mark"
        )
    size = sizes[option]
    folder = os.path.abspath(expanded(path))  # noqa: PTH100 - resolve() would follow links
    try:
        folder.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"the name of the folder {folder!r} is no UTF-8 text: rename it, or make a link to it"
        ) from error
    return Workload(
        name=f"{PREFIX}:{folder}?size={size}",
        summary=f"the images in {folder}, {size}x{size}",
        content_hash="",
        network="dcgan-v2",
        width=64,
        latent_size=100,
        steps=50_000,
        evaluate_every=2500,
        samples=0,  # see `evaluation_samples`
        modes=0,
        channels=3,
        image_size=size,
        extractor="random-conv-v1",
        photographs=True,
    )


def evaluation_samples(arrays: Arrays) -> int:
    """Return how many samples an evaluation has: twice as many as there are images, within the bounds of `SAMPLES`.

    The uncertainty of a distance is proportional to 1/samples + 1/images. Twice as many samples as images add half to
    the part that no number of samples can remove; more samples would be mostly wasted.
    """
    fewest, most = SAMPLES
    return max(fewest, min(most, 2 * (len(arrays.train) + len(arrays.test))))


def _folder_of(entry: Workload) -> Path:
    return Path(entry.name.removeprefix(f"{PREFIX}:").rpartition("?")[0])


def find(folder: Path, endings: tuple[str, ...] = ENDINGS) -> list[Path]:
    """Return the image files below a folder, relative to it and sorted, without hidden files and linked folders."""
    paths = []
    for parent, _, files in _walk(folder):
        images = (name for name in files if name.lower().endswith(endings) and not name.startswith("."))
        paths += [(Path(parent) / name).relative_to(folder) for name in images]
    return sorted(paths, key=Path.as_posix)


def _walk(
    folder: Path, on_error: Callable[[OSError], object] | None = None
) -> Iterator[tuple[str, list[str], list[str]]]:
    """Walk through a folder as `os.walk` does, but for hidden folders. Linked folders are named and not entered."""
    for parent, inner, files in os.walk(folder, onerror=on_error):
        inner[:] = [name for name in inner if not name.startswith(".")]
        yield parent, inner, files


def _not_entered(folder: Path) -> list[str]:
    """Say which folders below a folder are not looked into, and what to do: what is linked, and what is unreadable."""
    failures: list[OSError] = []
    linked = [
        (Path(parent) / name).relative_to(folder).as_posix()
        for parent, inner, _ in _walk(folder, failures.append)
        for name in inner
        if (Path(parent) / name).is_symlink()
    ]
    closed = [f"{error.filename} ({reason(error)})" for error in failures]
    said = []
    if linked:
        one = len(linked) == 1
        are = "is a link to a folder, which is" if one else "are links to folders, which are"
        mend = "name its target, or move it here" if one else "name their targets, or move them here"
        said.append(f"{_some(sorted(linked), ', ')} {are} not followed: {mend}")
    if closed:
        words = "folder" if len(closed) == 1 else "folders"
        said.append(f"{len(closed)} {words} cannot be read, mend the permissions: {_some(sorted(closed), '; ')}")
    return said


def _others(folder: Path) -> str:
    """Count the images that are not read, by their endings; empty if there are none."""
    counted = Counter(path.suffix.lower() for path in find(folder, _OTHER_ENDINGS))
    return ", ".join(f"{number:,} {ending}" for ending, number in sorted(counted.items()))


def _some(names: Sequence[str], separator: str) -> str:
    """Name the first few, and count the others."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{separator.join(names[:_NAMED])}{more}"


def split(paths: list[Path], *, has_parts: bool) -> tuple[list[Path], list[Path]]:
    """Divide relative paths into a training and a test part, each in the order it had.

    With `has_parts` the first folder of a path is its part, and files elsewhere belong to none. Otherwise the last
    tenth by the SHA-256 of the path is held out. That choice depends on no order of names and on no machine.
    """
    if has_parts:
        train, test = ([path for path in paths if path.parts[0] == part] for part in _PARTS)
        return train, test
    shuffled = sorted(paths, key=lambda path: hashlib.sha256(_bytes_of(path)).digest())
    held_out = set(shuffled[len(paths) - len(paths) // 10 :])
    return [path for path in paths if path not in held_out], [path for path in paths if path in held_out]


def _looked_up(folder: Path) -> list[Path]:
    """Find the images; raise DataError if there are none."""
    if not folder.is_dir():
        existing = next(parent for parent in folder.parents if parent.is_dir())
        state = "is a file" if folder.exists() else f"does not exist ({existing} does)"
        raise DataError(f"{folder} {state}; {PREFIX}:PATH needs a folder of images")
    paths = find(folder)
    if not paths:
        looked_for = f"no images are in {folder} or the folders in it: looked for {' '.join(ENDINGS)}"
        others = _others(folder)
        if others:
            looked_for = f"{looked_for}, and found {others}: convert them, or rename JPEG files to .jpg"
        raise DataError("; ".join([looked_for, *_not_entered(folder)]))
    return paths


def _has_parts(folder: Path) -> bool:
    """Whether a folder is divided into parts: by folders of these names, even if one of them is empty."""
    return all((folder / part).is_dir() for part in _PARTS)


def _key(folder: Path, paths: list[Path], size: int) -> str:
    """Return a name for everything that the decoded arrays depend on, without reading a file.

    Unpacked archives and copies have the times of other files, and bitmaps of one format have one size. So the time of
    the last change of state counts too, which no program sets: it also tells that a file may now be read.
    """
    import PIL

    division = "parts" if _has_parts(folder) else "a tenth"
    digest = hashlib.sha256(f"{_PREPARATION} {size} {division} pillow {PIL.__version__}\n".encode())
    for path in paths:
        try:
            state = (folder / path).stat()
            about = f"{state.st_size}\0{state.st_mtime_ns}\0{state.st_ctime_ns}"
        except OSError:  # a broken link; it is listed with the other files that cannot be read
            about = "unusable"
        digest.update(_bytes_of(path) + f"\0{about}\n".encode())
    return f"{PREFIX}-{size}-{digest.hexdigest()[:16]}"


def _bytes_of(path: Path) -> bytes:
    """Return the bytes of a path in the file system, which need not be valid text."""
    return path.as_posix().encode("utf-8", "surrogateescape")


class _Decoder:
    """Decodes many files in threads, and lists those that cannot be read."""

    def __init__(self, folder: Path, size: int, total: int, on_progress: OnProgress | None) -> None:
        self.unreadable: list[str] = []
        self._folder = folder
        self._size = size
        self._total = total
        self._done = 0
        self._on_progress = on_progress

    def decode(self, paths: list[Path]) -> "NDArray[np.uint8]":
        """Return the images of the readable files, in their order."""
        import numpy as np
        from PIL import UnidentifiedImageError

        images = np.empty((len(paths), 3, self._size, self._size), dtype=np.uint8)
        readable = np.ones(len(paths), dtype=bool)

        def decode_one(index: int) -> str:
            try:
                images[index] = pictures.decode(self._folder / paths[index], self._size)
            except Exception as error:  # noqa: BLE001 - pillow's decoders have no common error
                readable[index] = False
                return f"{paths[index]} ({'no image' if isinstance(error, UnidentifiedImageError) else error})"
            return ""

        with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
            for start in range(0, len(paths), _CHUNK):
                chunk = range(start, min(start + _CHUNK, len(paths)))
                self.unreadable += [complaint for complaint in pool.map(decode_one, chunk) if complaint]
                self._report(len(chunk))
        return images if readable.all() else images[readable]

    def _report(self, count: int) -> None:
        self._done += count
        if self._on_progress is not None:
            self._on_progress(f"decoding {self._folder.name}", self._done, self._total)


def _parts_of(folder: Path, paths: list[Path]) -> tuple[list[Path], list[Path]]:
    return split(paths, has_parts=_has_parts(folder))


def _decode(folder: Path, size: int, paths: list[Path], on_progress: OnProgress | None) -> Arrays:
    import numpy as np

    parts = _parts_of(folder, paths)
    decoder = _Decoder(folder, size, sum(map(len, parts)), on_progress)
    train, test = (decoder.decode(part) for part in parts)
    bad = decoder.unreadable
    words = f"{len(bad)} of {len(paths)} files cannot be read: {_some(bad, '; ')}" if bad else ""
    if len(train) < MIN_TRAIN or len(test) < MIN_TEST:
        too_few = (
            f"{folder} has {len(train)} readable images to train on and {len(test)} to test on, which is too few: at "
            f"least {MIN_TRAIN} and {MIN_TEST} are needed, about {_LEAST_TOGETHER} in all where a tenth is held out"
        )
        raise DataError("; ".join([too_few, *([words] if words else []), *_not_entered(folder)]))
    if words:
        _log.warning("%s: %s; they are left out", folder, words)
    return Arrays(
        train=train,
        train_labels=np.zeros(len(train), dtype=np.int64),
        test=test,
        test_labels=np.zeros(len(test), dtype=np.int64),
    )


def _say_once(folder: Path, note: str) -> None:
    """Warn, once in a process, about files that are left out and folders that are not used as their names suggest."""
    if (folder, note) not in _said:
        _said.add((folder, note))
        _log.warning("%s: %s", folder, note)


_said: Final[set[tuple[Path, str]]] = set()


def _notes(folder: Path, paths: list[Path]) -> Iterator[str]:
    yield from _not_entered(folder)
    others = _others(folder)
    if others:
        taken = " ".join(sorted({path.suffix.lower() for path in paths}))
        yield (
            f"{len(paths):,} files are taken ({taken}), and {others} left out: taken is what ends in "
            f"{' '.join(ENDINGS)}. Convert the others, or rename JPEG files to .jpg"
        )
    sizes = Counter(path.parts[0] for path in paths if len(path.parts) > 1)
    if _has_parts(folder):
        outside = len(paths) - sum(sizes[part] for part in _PARTS)
        if outside:
            rest = sorted(set(sizes) - set(_PARTS))
            where = f" ({', '.join(rest[:_NAMED])})" if rest else ""
            yield (
                f"its parts are train, {sizes['train']:,} files, and test, {sizes['test']:,} files; {outside:,} files "
                f"outside of them{where} are left out"
            )
        return
    parts = sorted(name for name in sizes if name.lower() in _OTHER_PARTS)
    if parts:
        yield (
            f"its folders {', '.join(parts)} are taken together, and a tenth of all {len(paths):,} files is held out: "
            f"only folders named {' and '.join(_PARTS)}, both and in small letters, are parts. Rename them if they are"
        )


def _load(entry: Workload, data_dir: Path, on_progress: OnProgress | None) -> Arrays:
    folder, size = _folder_of(entry), entry.image_size
    paths = _looked_up(folder)
    for note in _notes(folder, paths):
        _say_once(folder, note)
    kept, name = kept_sets(data_dir), _key(folder, paths, size)
    is_kept = True

    def build() -> Arrays:
        nonlocal is_kept
        is_kept = False
        return _decode(folder, size, paths, on_progress)

    arrays = decoded(kept, name, build)
    lacking = sum(map(len, _parts_of(folder, paths))) - len(arrays.train) - len(arrays.test)
    if lacking:
        note = (
            f"{lacking} of {len(paths)} files could not be read when they were decoded; they are left out. Delete "
            f"{kept / name} to try again, and to see which they are"
        )
        if is_kept:
            _say_once(folder, note)
        else:
            _said.add((folder, note))  # they have just been named
    return arrays


FAMILY: Final = Family(
    workloads=(),
    load=_load,
    form=Form(
        prefix=PREFIX,
        usage=f"{PREFIX}:PATH[?size=64]",
        example=f"{PREFIX}:photos",
        summary="the images in a folder of yours, cropped and resized to 32x32 or 64x64",
        workload=workload,
    ),
    samples=evaluation_samples,
)
