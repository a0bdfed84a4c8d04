from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from backend.domain.errors import UnreadableImage
from backend.models.images.thumbnails import decode
from backend.models.images.upright import is_plain, reading

RED = (0, 0, 255)
"""Blue first."""


def read(path: Path) -> np.ndarray:
    with reading(path) as pixels:
        return pixels


def an_image(path: Path, orientation: int = 1, mode: str = "RGB", **options: object) -> Path:
    """A red corner at the top left of a 60x40 image, before the orientation is applied."""
    image = Image.new("RGB", (60, 40), "white")
    image.paste((255, 0, 0), (0, 0, 20, 10))
    exif = Image.Exif()
    exif[274] = orientation
    image.convert(mode).save(path, exif=exif, **options)
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_every_orientation_is_turned_upright(tmp_path: Path, orientation: int, suffix: str):
    options = (
        {"lossless": True} if suffix == "webp" else {"quality": 100} if suffix == "jpg" else {}
    )
    path = an_image(tmp_path / f"a.{suffix}", orientation, **options)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))[:, :, ::-1]
    pixels = read(path)
    assert pixels.shape == expected.shape
    assert np.abs(pixels.astype(int) - expected).mean() < 3


def test_transparent_pixels_are_white(tmp_path: Path):
    image = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    image.paste((255, 0, 0, 255), (0, 0, 10, 10))
    image.save(tmp_path / "a.png")
    pixels = read(tmp_path / "a.png")
    assert pixels[0, 0].tolist() == list(RED)
    assert pixels[15, 15].tolist() == [255, 255, 255]


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "1"])
def test_other_colour_modes_become_three_channels(tmp_path: Path, mode: str):
    path = an_image(tmp_path / ("a.jpg" if mode == "CMYK" else "a.png"), mode=mode)
    assert read(path).shape == (40, 60, 3)


def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path):
    Image.fromarray(np.full((12, 12), 32768, np.uint16)).save(tmp_path / "a.png")
    assert read(tmp_path / "a.png")[0, 0].tolist() == [128, 128, 128]


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_deep_grays_are_scaled_as_for_the_backbone(tmp_path: Path, dtype: type):
    values = np.linspace(0, 1, 64 * 64).reshape(64, 64) * (1 if dtype is np.float32 else 65535)
    Image.fromarray(values.astype(dtype)).save(tmp_path / "a.tif")
    seen = decode(tmp_path / "a.tif", 64, 1.0).pixels
    assert np.abs(read(tmp_path / "a.tif").astype(int) - seen).max() <= 1


@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_a_damaged_exif_block_costs_no_image(tmp_path: Path, suffix: str):
    image = Image.new("RGB", (20, 10), "red")
    image.save(tmp_path / f"a.{suffix}", exif=b"Exif\0\0garbage", lossless=True)
    assert read(tmp_path / f"a.{suffix}").shape == (10, 20, 3)
    assert not is_plain(tmp_path / f"a.{suffix}")


def test_a_turned_png_is_not_left_to_opencv(tmp_path: Path):
    assert is_plain(an_image(tmp_path / "straight.png"))
    assert not is_plain(an_image(tmp_path / "turned.png", orientation=6))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"<html>no image</html>", "web page"),
        (b"\xff\xd8\xff\xe0 broken", "damaged"),
    ],
)
def test_a_file_that_is_no_image_is_unreadable(tmp_path: Path, content: bytes, reason: str):
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(UnreadableImage, match=reason):
        read(tmp_path / "a.jpg")


def test_formats_that_run_helper_programs_are_not_opened(tmp_path: Path):
    Image.new("RGB", (20, 10)).save(tmp_path / "a.eps")
    for open_ in (is_plain, read):
        with pytest.raises(UnreadableImage):
            open_(tmp_path / "a.eps")
