"""One image file decoded: modes, bits, what is white, which way is up, and formats that nobody promised."""

import numpy as np
import pytest
from PIL import Image

from bench.data import imagefolder, pictures


def test_mixed_modes_become_rgb(tmp_path):
    def colour(mode: str, value: tuple[int, ...], ending: str = "png") -> list[int]:
        path = tmp_path / f"{mode.replace(';', '')}.{ending}"
        Image.new(mode, (40, 50), value if len(value) > 1 else value[0]).save(path)
        image = pictures.decode(path, 32)
        assert image.shape == (3, 32, 32)
        assert (image == image[:, :1, :1]).all()
        return [int(channel) for channel in image[:, 0, 0]]

    assert colour("RGB", (1, 2, 3)) == [1, 2, 3]
    assert colour("L", (77,)) == [77, 77, 77]
    assert colour("1", (1,)) == [255, 255, 255]
    assert colour("LA", (40, 255)) == [40, 40, 40]
    assert colour("RGBA", (10, 20, 30, 255)) == [10, 20, 30]
    assert colour("RGBA", (10, 20, 30, 0)) == [255, 255, 255], "what is transparent is laid over white"
    assert colour("I;16", (200 << 8,)) == [200, 200, 200], "16 bits are not clipped"
    assert colour("CMYK", (0, 0, 0, 0), "tif") == [255, 255, 255]
    palette = Image.new("P", (40, 40), 1)
    palette.putpalette([0, 0, 0, 5, 6, 7])
    palette.save(tmp_path / "palette.gif")
    assert list(pictures.decode(tmp_path / "palette.gif", 32)[:, 0, 0]) == [5, 6, 7]


def test_the_central_square_is_averaged_not_sampled(tmp_path):
    pixels = np.zeros((256, 512, 3), dtype=np.uint8)
    pixels[:, 128:384] = (np.indices((256, 256)).sum(0) % 2 * 255)[..., np.newaxis]
    Image.fromarray(pixels).save(tmp_path / "board.png")
    image = pictures.decode(tmp_path / "board.png", 32)
    assert np.abs(image[:, 1:-1, 1:-1].astype(int) - 128).max() <= 2, "a fine chequerboard is grey"


def test_photographs_are_turned_upright(tmp_path):
    pixels = np.zeros((64, 64, 3), dtype=np.uint8)
    pixels[:32] = 255
    exif = Image.Exif()
    exif[0x0112] = 3  # turned by half a turn
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    image = pictures.decode(tmp_path / "turned.png", 32)
    assert image[0, 2, 16] == 0
    assert image[0, -2, 16] == 255


def test_a_file_of_a_format_that_is_not_promised_is_not_opened(tmp_path, monkeypatch):
    """Pillow starts Ghostscript for an EPS file, whatever it is called."""
    from PIL import EpsImagePlugin

    def start(*_: object, **__: object) -> None:
        raise AssertionError("a program was started")

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", start)
    (tmp_path / "x.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n")
    with Image.open(tmp_path / "x.png") as opened:
        assert opened.format == "EPS", "pillow itself would take it"
    with pytest.raises(Image.UnidentifiedImageError):
        pictures.decode(tmp_path / "x.png", 32)


def test_every_promised_ending_is_of_a_format_that_is_opened():
    Image.init()
    assert {Image.EXTENSION[ending] for ending in imagefolder.ENDINGS} == set(pictures.FORMATS)


@pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.int16])
@pytest.mark.parametrize("factor", [1, 100])
def test_integers_whose_white_is_not_known_are_refused(tmp_path, dtype, factor):
    content = tiff(np.full((8, 8), 100 * factor, dtype))
    (tmp_path / "x.tif").write_bytes(content)
    with pytest.raises((ValueError, OSError), match=r"white is not known|cannot identify"):
        pictures.decode(tmp_path / "x.tif", 32)


def tiff(pixels: np.ndarray, bits: int = 0, white: int = 1) -> bytes:
    """Return a TIFF file of one strip, written out by its specification; `white` 0 says that 0 is white.

    Pixels of 12 bits are given as bytes, three for two pixels.
    """
    signed = 2 if pixels.dtype.kind == "i" else 1
    data_at = 8 + 2 + 12 * 9 + 4
    bits = bits or pixels.dtype.itemsize * 8
    width = pixels.nbytes * 8 // bits // len(pixels)
    entries = [
        *((256, 3, width), (257, 3, pixels.shape[0]), (258, 3, bits), (259, 3, 1)),
        *((262, 3, white), (273, 4, data_at), (278, 3, pixels.shape[0]), (279, 4, pixels.nbytes), (339, 3, signed)),
    ]
    listed = b"".join(
        tag.to_bytes(2, "little") + kind.to_bytes(2, "little") + (1).to_bytes(4, "little") + value.to_bytes(4, "little")
        for tag, kind, value in entries
    )
    return (
        b"II*\0" + (8).to_bytes(4, "little") + len(entries).to_bytes(2, "little") + listed + bytes(4) + pixels.tobytes()
    )


def test_sixteen_bits_without_a_sign_are_read(tmp_path):
    (tmp_path / "x.tif").write_bytes(tiff(np.full((8, 8), 100 * 257, np.uint16)))
    assert pictures.decode(tmp_path / "x.tif", 32).tolist() == np.full((3, 32, 32), 100).tolist()


def test_twelve_bits_are_read_by_their_own_white(tmp_path):
    packed = np.tile(np.array([0xFF, 0xFF, 0xFF, 0x80, 0x08, 0x00], np.uint8), (8, 2))
    (tmp_path / "x.tif").write_bytes(tiff(packed, bits=12))
    row = pictures.decode(tmp_path / "x.tif", 64)[0, 0].tolist()
    assert (row[0], row[24], row[40], row[-1]) == (255, 128, 255, 128)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_where_zero_is_white_the_image_is_no_negative(tmp_path, dtype):
    levels = np.full((8, 8), 55, dtype) * (257 if dtype == np.uint16 else 1)
    (tmp_path / "x.tif").write_bytes(tiff(levels, white=0))
    assert pictures.decode(tmp_path / "x.tif", 32).tolist() == np.full((3, 32, 32), 200).tolist()


@pytest.mark.parametrize(("dtype", "opaque"), [(np.uint8, 77), (np.uint16, 77 * 256)])
def test_a_transparent_gray_level_becomes_white(tmp_path, dtype, opaque):
    pixels = np.full((64, 64), opaque, dtype)
    pixels[:32] += 1
    Image.fromarray(pixels).save(tmp_path / "x.png", transparency=opaque + 1)
    decoded = pictures.decode(tmp_path / "x.png", 32)
    assert (decoded[:, 2] == 255).all()
    assert (decoded[:, -2] == 77).all()
