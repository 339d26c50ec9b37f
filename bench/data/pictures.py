"""Image files of any size and mode, turned into square RGB arrays."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from bench.files.regular import open_regular

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image


FORMATS: Final = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
"""The only formats that are opened, whatever the file name: some others run programs, such as Ghostscript for EPS."""


class AnotherSizeError(ValueError):
    """An image has another size than those of its data set. The message goes on where the image is named."""


def decode(source: Path | IO[bytes], size: int, *, expected: tuple[int, int] | None = None) -> "NDArray[np.uint8]":
    """Read an image file as uint8 [3, size, size].

    The image is rotated as its EXIF data says and converted to RGB: gray is repeated, grays of 12 and 16 bits keep the
    upper eight, and transparent parts are put on white. Then it is cropped to its central square and resized by
    pillow's bilinear filter, which averages when it makes an image smaller.

    Args:
        source: the file, or its content.
        size: of the result.
        expected: the width and height of the file's image; any if None.

    Raises:
        UnusableFileError: it is not a regular file.
        AnotherSizeError: its image has another size than the expected one.
        Exception: any error of pillow, whose decoders have no common error.
    """
    import numpy as np
    from PIL import Image, ImageOps

    with _opened(source) as file, Image.open(file, formats=FORMATS) as opened:
        if opened.format == "TIFF" and opened.mode == "I":
            raise ValueError("its pixels are 32-bit numbers, or have signs: their white is not known")
        depth, starts_at_white = _gray_scale(opened)
        image = _to_rgb(ImageOps.exif_transpose(opened), depth, starts_at_white=starts_at_white)
    if expected is not None and image.size != expected:
        raise AnotherSizeError(f"has {image.width}x{image.height} pixels, expected {expected[0]}x{expected[1]}")
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = (left, top, left + side, top + side)
    resized = image.resize((size, size), Image.Resampling.BILINEAR, box=square)
    return np.ascontiguousarray(np.asarray(resized).transpose(2, 0, 1))


def _opened(source: Path | IO[bytes]) -> AbstractContextManager[IO[bytes]]:
    return open_regular(source) if isinstance(source, Path) else nullcontext(source)


def _gray_scale(opened: "Image") -> tuple[int, bool]:
    """Return how many bits a deep gray has, and whether its 0 is white. Of a TIFF, pillow leaves both to the reader."""
    from PIL.TiffImagePlugin import BITSPERSAMPLE, PHOTOMETRIC_INTERPRETATION, TiffImageFile

    if not isinstance(opened, TiffImageFile):
        return 16, False
    tags = opened.tag_v2
    return tags.get(BITSPERSAMPLE, (16,))[0], tags.get(PHOTOMETRIC_INTERPRETATION) == 0


def _to_rgb(image: "Image", depth: int, *, starts_at_white: bool) -> "Image":
    """Convert to RGB on white; `depth` and `starts_at_white` are those of grays of more than eight bits."""
    import numpy as np
    from PIL import Image

    if image.mode == "F":
        raise ValueError("its pixels are floating-point numbers, whose white is not known")
    if image.mode.startswith("I"):
        # Pillow clips 16-bit grays at 255, which would make them white.
        levels = np.asarray(image).astype(np.int64)
        upper = (levels >> (depth - 8)).clip(0, 255)
        if starts_at_white:
            upper = 255 - upper
        transparent = image.info.get("transparency")
        if transparent is not None:  # one level out of 65,536, which eight bits no longer tell from its neighbors
            upper[levels == transparent] = 255
        return Image.fromarray(upper.astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        layered = image.convert("RGBA")
        white = Image.new("RGBA", layered.size, "white")
        return Image.alpha_composite(white, layered).convert("RGB")
    return image.convert("RGB")
