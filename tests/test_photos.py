"""Photos of every sort, opened as encoders take them; and pictures fitted into a square."""

from __future__ import annotations

import io
import os
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from rnnkit.data.photos import fit_picture, open_photo
from rnnkit.errors import DataError, MissingPackage
from rnnkit.kinds import Picture
from tests.photos import pattern

PIXELS = pattern(24, 3)[:12]
UPRIGHT = {
    1: PIXELS,
    2: PIXELS[:, ::-1],
    3: PIXELS[::-1, ::-1],
    4: PIXELS[::-1],
    5: PIXELS.transpose(1, 0, 2),
    6: np.rot90(PIXELS, -1),
    7: PIXELS[::-1, ::-1].transpose(1, 0, 2),
    8: np.rot90(PIXELS),
}
"""What a camera's orientation makes of the pixels, as the EXIF standard has it."""


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


PNG = saved(Image.fromarray(PIXELS))


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_a_photo_is_turned_upright(orientation: int, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(Image.fromarray(PIXELS), kind, exif=exif, lossless=True)
    np.testing.assert_array_equal(open_photo(data), UPRIGHT[orientation])


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_notes_of_a_camera_that_cannot_be_read_turn_nothing() -> None:
    data = saved(Image.fromarray(PIXELS), "JPEG", exif=b"Exif\0\0MM\0*\0\0\xff\xff")
    assert open_photo(data).shape == PIXELS.shape


def test_a_photo_may_be_a_path_bytes_an_image_or_an_array(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    before = PIXELS.copy()
    for photo in (
        tmp_path / "a.png",
        str(tmp_path / "a.png"),
        PNG,
        Image.fromarray(PIXELS),
        PIXELS,
        PIXELS[::-1, ::-1][::-1, ::-1],
    ):
        found = open_photo(photo)
        np.testing.assert_array_equal(found, PIXELS)
        found[:] = 0
    np.testing.assert_array_equal(PIXELS, before)


def test_grey_palettes_and_bits_become_rgb() -> None:
    grey = PIXELS[:, :, 0]
    want = np.stack([grey] * 3, axis=-1)
    np.testing.assert_array_equal(open_photo(saved(Image.fromarray(grey))), want)
    np.testing.assert_array_equal(open_photo(grey), want)
    bits = Image.fromarray(grey).point(lambda v: 255 * (v > 99)).convert("1")
    np.testing.assert_array_equal(open_photo(saved(bits)), 255 * (want > 99))
    palette = Image.fromarray(PIXELS // 128 * 255).convert("P", palette=Image.Palette.ADAPTIVE)
    np.testing.assert_array_equal(open_photo(saved(palette)), PIXELS // 128 * 255)


def test_what_is_transparent_becomes_white() -> None:
    alpha = np.full(PIXELS.shape[:2], 255, np.uint8)
    alpha[:3], alpha[3:6] = 0, 51
    half = np.round(PIXELS[3:6] * 0.2 + 255 * 0.8)
    for photo in (np.dstack([PIXELS, alpha]), saved(Image.fromarray(np.dstack([PIXELS, alpha])))):
        found = open_photo(photo)
        assert (found[:3] == 255).all()
        np.testing.assert_allclose(found[3:6], half, atol=1)
        np.testing.assert_array_equal(found[6:], PIXELS[6:])
    sign = Image.new("P", (2, 1))
    sign.putpalette([10, 20, 30, 40, 50, 60])
    sign.putpixel((1, 0), 1)
    found = open_photo(saved(sign, transparency=1))
    assert found.tolist() == [[[10, 20, 30], [255, 255, 255]]]


def test_cmyk_becomes_rgb() -> None:
    ink = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    assert open_photo(saved(ink, "TIFF"))[0, 0].tolist() == [255, 0, 0]
    np.testing.assert_allclose(open_photo(saved(ink, "JPEG"))[0, 0], [255, 0, 0], atol=3)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_become_the_upper_eight(kind: str) -> None:
    grey = (PIXELS[:, :, 0].astype(np.uint16) << 8) + 77
    want = np.stack([PIXELS[:, :, 0]] * 3, axis=-1)
    np.testing.assert_array_equal(open_photo(saved(Image.fromarray(grey), kind)), want)


def test_an_animation_is_its_first_picture() -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "lime", "blue")]
    for kind in ("GIF", "PNG", "WEBP"):
        data = saved(frames[0], kind, save_all=True, append_images=frames[1:], lossless=True)
        assert (open_photo(data) == [255, 0, 0]).all(), kind


def declared(width: int, height: int) -> bytes:
    """A PNG file of a few bytes that says it has so many pixels."""
    head = struct.pack(">4sIIBBBBB", b"IHDR", width, height, 8, 2, 0, 0, 0)
    return b"".join(
        [
            PNG[:8],
            *(
                struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c))
                for c in (head, b"IDAT")
            ),
        ]
    )


@pytest.mark.parametrize("size", [(9434, 9434), (20000, 20000), (2**31 - 1, 1)])
def test_a_decompression_bomb_is_refused_by_the_size_it_declares(size: tuple[int, int]) -> None:
    with pytest.raises(DataError, match="is refused: "):
        open_photo(declared(*size))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty; write or download it again"),
        (PNG[:40], "is a damaged picture"),
        (PNG[:-40], "is a damaged picture, or cut short"),
        (
            saved(Image.fromarray(pattern(90, 3)), "JPEG")[:-400],
            "or cut short (image file is trunc",
        ),
        (b"<!doctype html><html></html>", "it is a web page, perhaps of an error"),
        (b"%PDF-1.4", "it is a PDF; give one in JPEG, PNG, GIF, WEBP, BMP, TIFF, PPM"),
        (b"\0\0\0\x18ftypheic" + bytes(12), "it is a HEIC or AVIF picture; save it as JPEG"),
        (b"\0\0\0\x18ftypisom" + bytes(12), "it is a video; save a picture of it"),
        (b"<svg xmlns=''/>", "it is an SVG drawing; save it as PNG"),
        (
            b"a cat",
            "is not a picture in JPEG, PNG, GIF, WEBP, BMP, TIFF, PPM: it begins with b'a cat'",
        ),
        (saved(Image.fromarray(np.ones((2, 2), np.float32)), "TIFF"), "has floating-point pixels"),
        (saved(Image.fromarray(np.full((2, 2), 1 << 20, np.int32)), "TIFF"), "more than 16 bits"),
    ],
)
def test_what_is_no_photo_is_named(data: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(data)
    for photo in (data, tmp_path / "a.jpg"):
        with pytest.raises(DataError) as caught:
            open_photo(photo)
        assert said in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "a.jpg"))


def test_a_path_that_cannot_be_read_is_told_with_its_reason(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.jpg does not exist"):
        open_photo(tmp_path / "none.jpg")
    with pytest.raises(DataError, match="is a folder, where a file must be"):
        open_photo(tmp_path)
    if os.name == "posix":
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(DataError, match="is a named pipe"):
            open_photo(tmp_path / "pipe")


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.ones((2, 2, 3)), "values of type float64; give uint8, 0 to 255"),
        (np.ones((2, 2, 3), np.uint16), "values of type uint16"),
        (np.ones((3, 2, 2), np.uint8), r"shape \(3, 2, 2\); a picture is \(h, w\), \(h, w, 3\) or"),
        (np.ones(4, np.uint8), r"shape \(4,\)"),
        (np.ones((0, 2, 3), np.uint8), "has no pixels"),
    ],
)
def test_an_array_that_is_no_picture_is_told(array: npt.NDArray[np.uint8], said: str) -> None:
    with pytest.raises(DataError, match=f"the array has .*{said.removeprefix('has ')}"):
        open_photo(array)


def test_what_is_no_photo_at_all_is_told() -> None:
    with pytest.raises(DataError, match=r"a photo is a path, .* not int"):
        open_photo(3)  # type: ignore[arg-type]  # the mistake


def test_without_pillow_a_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingPackage, match=r'need Pillow: pip install "rnnkit\[photos\]"'):
        open_photo(PNG)


def flags(height: int, width: int) -> Picture:
    """Red at the left, lime in the middle square, blue at the right."""
    made = np.zeros((height, width, 3), np.uint8)
    side = min(height, width)
    start = (width - side) // 2
    made[:, :start, 0] = made[:, start : start + side, 1] = made[:, start + side :, 2] = 255
    return made


def test_a_picture_is_squashed_cropped_or_padded_into_a_square() -> None:
    picture = flags(30, 90)
    squashed = fit_picture(picture, 30, "squash", "nearest")
    np.testing.assert_array_equal(squashed, picture[:, 1::3])
    np.testing.assert_array_equal(fit_picture(picture, 30, "crop", "nearest"), picture[:, 30:60])
    padded = fit_picture(picture, 90, "pad", "nearest")
    np.testing.assert_array_equal(padded[30:60], picture)
    assert not padded[:30].any()
    assert not padded[60:].any()


def test_the_shorter_side_may_be_larger_than_what_is_cropped() -> None:
    picture = pattern(64, 3)
    large = np.asarray(Image.fromarray(picture).resize((32, 32), Image.Resampling.BICUBIC))
    cropped = fit_picture(picture, 20, "crop", "bicubic", shorter=32)
    np.testing.assert_array_equal(cropped, large[6:26, 6:26])


@pytest.mark.parametrize("shape", [(1, 1), (1, 50_000), (50_000, 1), (3, 2)])
@pytest.mark.parametrize("fit", ["squash", "crop", "pad"])
def test_a_picture_of_any_shape_fits(shape: tuple[int, int], fit: str) -> None:
    picture = np.full((*shape, 3), 200, np.uint8)
    found = fit_picture(picture, 16, fit)  # type: ignore[arg-type]  # parametrized
    assert found.shape == (16, 16, 3)
    assert found.max() == 200
