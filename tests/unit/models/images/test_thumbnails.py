"""Image files as people really have them."""

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from backend.domain.batches import IMAGE_STATS
from backend.domain.errors import UnreadableImage
from backend.models.images.notes import Note
from backend.models.images.statistics import measure
from backend.models.images.thumbnails import decode
from backend.models.images.upright import reading

SIDE = 224


def saved(image: Image.Image, path: Path, **options) -> Path:
    image.save(path, **options)
    return path


def photo(mode: str = "RGB", size: tuple[int, int] = (320, 240)) -> Image.Image:
    """Smooth colours with a dark bar at the top, so that every turn shows."""
    rows, columns = np.mgrid[0 : size[1], 0 : size[0]]
    planes = np.stack([columns * 255 / size[0], rows * 255 / size[1], 0 * rows + 90], axis=-1)
    planes[: size[1] // 5] = 10
    return Image.fromarray(planes.astype(np.uint8)).convert(mode)


def exact(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC), float)


def difference(pixels: np.ndarray, image: Image.Image) -> float:
    return float(np.abs(pixels - exact(image)).mean())


@pytest.mark.parametrize(
    ("mode", "ending"),
    [
        ("RGB", "jpg"), ("L", "jpg"), ("CMYK", "jpg"), ("RGB", "png"), ("L", "png"), ("P", "png"),
        ("1", "png"), ("RGB", "bmp"), ("RGB", "webp"), ("P", "gif"), ("RGB", "tiff"),
        ("CMYK", "tiff"),
    ],
)  # fmt: skip
def test_every_format_shows_the_same_picture(tmp_path: Path, mode: str, ending: str) -> None:
    image = photo(mode)

    thumbnail = decode(saved(image, tmp_path / f"a.{ending}"), SIDE, 80)

    assert thumbnail.pixels.shape == (SIDE, SIDE, 3)
    assert thumbnail.pixels.dtype == np.uint8
    assert difference(thumbnail.pixels, image) < (30 if mode == "1" else 4)
    assert tuple(thumbnail.image_stats[:2]) == (320, 240)
    assert thumbnail.notes == Note(0)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["jpg", "png", "tiff", "webp"])
def test_a_turned_image_comes_upright(tmp_path: Path, orientation: int, ending: str) -> None:
    image = photo()
    exif = image.getexif()
    exif[0x0112] = orientation
    path = saved(image, tmp_path / f"a.{ending}", exif=exif)

    thumbnail = decode(path, SIDE, 80)

    upright = ImageOps.exif_transpose(Image.open(path))
    assert difference(thumbnail.pixels, upright) < 4
    assert tuple(thumbnail.image_stats[:2]) == upright.size


def test_a_large_photo_is_decoded_at_reduced_scale_to_the_same_picture(tmp_path: Path) -> None:
    image = photo(size=(2400, 1800))

    thumbnail = decode(saved(image, tmp_path / "a.jpg"), SIDE, 80)

    assert difference(thumbnail.pixels, image) < 2
    assert tuple(thumbnail.image_stats[:2]) == (2400, 1800)


@pytest.mark.parametrize("top", [0xFFFF, 0x8000])
def test_sixteen_bits_are_scaled_and_not_clipped(tmp_path: Path, top: int) -> None:
    ramp = np.tile(np.linspace(0, top, 256), (256, 1)).astype(np.uint16)
    for name in ("a.png", "a.tiff"):
        thumbnail = decode(saved(Image.fromarray(ramp), tmp_path / name), SIDE, 80)

        row = thumbnail.pixels[100, :, 0].astype(float)
        assert abs(row[SIDE // 2] - top / 257 / 2) < 3
        assert abs(row[-1] - top / 257) < 3
        assert thumbnail.notes == Note.SCALED_TO_8_BIT


@pytest.mark.parametrize("ending", ["png", "webp", "tiff"])
def test_what_is_transparent_becomes_white_and_is_noted(tmp_path: Path, ending: str) -> None:
    image = Image.new("RGBA", (100, 100), (255, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, 50, 100))
    image.paste((0, 0, 255, 128), (50, 50, 100, 100))
    options = {"lossless": True} if ending == "webp" else {}

    thumbnail = decode(saved(image, tmp_path / f"a.{ending}", **options), SIDE, 80)

    assert thumbnail.pixels[100, 20].tolist() == [255, 255, 255]
    assert thumbnail.pixels[50, 180].tolist() == [255, 0, 0]
    assert np.abs(thumbnail.pixels[180, 180].astype(int) - [127, 127, 255]).max() <= 2
    assert thumbnail.notes == Note.COMPOSITED_OVER_WHITE


@pytest.mark.parametrize("side", [60, 150, 223])
def test_sharp_edges_of_what_is_transparent_have_no_dark_dots(tmp_path: Path, side: int) -> None:
    noise = np.random.default_rng(0).integers(0, 2, (side, side, 4), dtype=np.uint8) * 255
    image = Image.fromarray(noise)
    over_white = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)

    pixels = decode(saved(image, tmp_path / "a.png"), SIDE, 80).pixels
    expected = decode(saved(over_white.convert("RGB"), tmp_path / "b.png"), SIDE, 80).pixels

    assert np.abs(pixels.astype(int) - expected).max() < 128


def test_a_transparent_palette_colour_becomes_white(tmp_path: Path) -> None:
    image = Image.new("P", (50, 50), 0)
    image.putpalette([0, 0, 0, 255, 0, 0])
    path = saved(image, tmp_path / "a.png", transparency=0)

    thumbnail = decode(path, SIDE, 80)

    assert thumbnail.pixels.min() == 255
    assert thumbnail.notes == Note.COMPOSITED_OVER_WHITE


@pytest.mark.parametrize("ending", ["gif", "webp", "png"])
def test_the_first_frame_of_an_animation_counts(tmp_path: Path, ending: str) -> None:
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue")]
    path = saved(frames[0], tmp_path / f"a.{ending}", save_all=True, append_images=frames[1:])

    assert decode(path, SIDE, 80).pixels[100, 100].tolist() == pytest.approx([255, 0, 0], abs=3)
    with reading(path) as pixels:
        assert pixels[20, 20].tolist() == pytest.approx([0, 0, 255], abs=3)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (3000, 2)])
def test_tiny_and_thin_images_are_images_too(tmp_path: Path, size: tuple[int, int]) -> None:
    thumbnail = decode(saved(Image.new("RGB", size, "green"), tmp_path / "a.png"), SIDE, 80)

    assert thumbnail.pixels[0, 0].tolist() == [0, 128, 0]
    assert tuple(thumbnail.image_stats[:2]) == size


def bomb() -> bytes:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", len(header)) + b"IHDR" + header
    chunk += struct.pack(">I", zlib.crc32(b"IHDR" + header))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 9) + b"IDAT" + bytes(13)


def truncated(ending: str) -> bytes:
    whole = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    Image.fromarray(noise).save(whole, ending)
    return whole.getvalue()[: len(whole.getvalue()) // 2]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"hello, this is text", "not an image"),
        (b"<!DOCTYPE html><title>Log in</title>", "web page"),
        (b"\x89PNG\r\n\x1a\n", "damaged|not an image"),
        (bomb(), "pixels"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(40), "HEIC|damaged"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"%PDF-1.7 and so on", "PDF"),
        (b"\x00\x00\x00\x20ftypisom" + bytes(40), "a video"),
        (b"RIFF\x24\x00\x00\x00AVI LIST" + bytes(40), "a video"),
        (b"\xff\x0a" + bytes(40), "JPEG XL"),
        (b"\x00\x00\x00\x0cJXL \r\n\x87\n" + bytes(40), "JPEG XL"),
        (b"\x00\x00\x01\x00\x01\x00" + bytes(40), "an icon"),
        (b"8BPS\x00\x01" + bytes(40), "Photoshop"),
        (b"PK\x03\x04" + bytes(40), "a ZIP archive"),
        (truncated("PNG"), "damaged"),
        (truncated("WEBP"), "damaged"),
        (truncated("TIFF"), "damaged"),
        (truncated("BMP"), "damaged"),
    ],
)
def test_what_is_no_image_says_why(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(content)

    with pytest.raises(UnreadableImage, match=reason):
        decode(path, SIDE, 80)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_truncated_jpeg_is_read_by_every_decoder_as_browsers_show_it(
    tmp_path: Path, mode: str, progressive: bool
) -> None:
    whole = saved(photo(mode), tmp_path / "a.jpg", quality=95, progressive=progressive)
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size * 3 // 4])

    thumbnail = decode(whole, SIDE, 80)
    assert thumbnail.notes == Note.TRUNCATED
    assert np.abs(thumbnail.pixels - exact(photo(mode)))[: SIDE // 2].mean() < 8
    with reading(whole) as pixels:
        assert pixels.shape == (240, 320, 3)
        upper = np.asarray(photo(mode).convert("RGB"), float)[:120, :, ::-1]
        assert np.abs(pixels[:120] - upper).mean() < 8


def test_a_heic_photograph_is_read_where_its_decoder_is_installed(tmp_path: Path) -> None:
    pytest.importorskip("pillow_heif").register_heif_opener()
    path = saved(photo(), tmp_path / "a.jpg", format="HEIF", quality=90)
    assert difference(decode(path, SIDE, 80).pixels, photo()) < 6
    with reading(path) as pixels:
        assert pixels.shape == (240, 320, 3)


def test_a_file_that_is_gone_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImage, match="cannot be opened"):
        decode(tmp_path / "missing.png", SIDE, 80)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_random_bytes_behind_a_magic_number_never_escape_as_another_error(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    whole = io.BytesIO()
    photo(size=(60, 40)).save(whole, "PNG")
    sources = [truncated("JPEG"), truncated("TIFF"), truncated("WEBP"), whole.getvalue()]
    readable = 0
    for number in range(400):
        content = bytearray(sources[number % len(sources)])
        for position in rng.integers(0, min(len(content), 400), 8):
            content[position] = rng.integers(0, 256)
        path = tmp_path / "a"
        path.write_bytes(content)
        try:
            decode(path, SIDE, 80)
            readable += 1
        except UnreadableImage:
            pass
    assert readable < 400


def test_statistics_distinguish_gray_from_colour_dark_from_bright_and_blurred_from_sharp(
    tmp_path: Path,
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE), dtype=np.uint8)
    images = {
        "gray": Image.new("RGB", (50, 50), (100, 100, 100)),
        "red": Image.new("RGB", (50, 50), (255, 0, 0)),
        "noise": Image.fromarray(noise),
    }
    path = tmp_path / "a.png"
    image_stats = {
        name: dict(zip(IMAGE_STATS, decode(saved(image, path), SIDE, 80).image_stats, strict=True))
        for name, image in images.items()
    }

    assert image_stats["gray"]["brightness"] == pytest.approx(100 / 255, abs=0.01)
    assert image_stats["gray"]["saturation"] == 0
    assert image_stats["gray"]["colorfulness"] == pytest.approx(0, abs=0.5)
    assert image_stats["red"]["saturation"] == pytest.approx(1)
    assert image_stats["red"]["colorfulness"] > 80
    assert image_stats["gray"]["sharpness"] == 0
    assert image_stats["noise"]["sharpness"] > 10_000


def test_colourfulness_and_sharpness_are_those_of_their_definitions(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (30, 30, 3), dtype=np.uint8))
    path = saved(coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC), tmp_path / "a.png")
    pixels = decode(path, SIDE, 80).pixels

    found = dict(zip(IMAGE_STATS, measure(pixels, SIDE, SIDE), strict=True))

    red, green, blue = pixels.astype(float).transpose(2, 0, 1)
    axes = np.stack([red - green, (red + green) / 2 - blue]).reshape(2, -1)
    colorfulness = np.hypot(*axes.std(axis=1)) + 0.3 * np.hypot(*axes.mean(axis=1))
    assert found["colorfulness"] == pytest.approx(colorfulness, rel=1e-5)
    laplacian = cv2.Laplacian(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), cv2.CV_64F)
    assert found["sharpness"] == pytest.approx(laplacian.var(), rel=1e-5)


@pytest.mark.parametrize(
    "size",
    [
        (225, 800), (448, 300), (500, 700), (895, 336), (2000, 700),
        (192, 256), (300, 200), (150, 600), (120, 150),
    ],
)  # fmt: skip
def test_any_size_comes_to_the_same_picture(tmp_path: Path, size: tuple[int, int]) -> None:
    image = photo(size=size)

    pixels = decode(saved(image, tmp_path / "a.png"), SIDE, 80).pixels

    assert difference(pixels, image) < 1
