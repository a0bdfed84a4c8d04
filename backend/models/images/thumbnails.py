"""Image files as people really have them, to small upright RGB squares.

The whole image is squeezed into the square: nothing at its border goes unseen. JPEG is decoded at
reduced scale, so a 12-megapixel photo costs little more than its entropy coding.
"""

import struct
import zlib
from dataclasses import dataclass
from enum import IntFlag
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from backend.domain.arrays import Pixels
from backend.domain.errors import UnreadableImage
from backend.models.images.statistics import measure

Image.init()
FORMATS = tuple(
    {"JPEG", "PNG", "GIF", "WEBP", "BMP", "DIB", "TIFF", "AVIF", "JPEG2000", "PPM"}
    & Image.OPEN.keys()
)
"""What Pillow may open; its other formats run helper programs or are no photographs."""

_DRAFT = 0.85
"""How much smaller than the square a reduced JPEG may be: mean cosine similarity of the vectors
to those of the exact path stays above 0.99 (tests/bench/bench_embedding.py)."""

PILLOW_ERRORS = (
    OSError, SyntaxError, ValueError, EOFError, TypeError, IndexError, KeyError, OverflowError,
    AttributeError, RuntimeError, MemoryError, struct.error, zlib.error,
)  # fmt: skip
"""What Pillow's decoders raise on broken files; each plugin has its own habits."""


cv2.setNumThreads(1)  # images are decoded side by side; and no thread pool may precede a fork


class Note(IntFlag):
    """What was done to an image that its owner should know."""

    COMPOSITED_OVER_WHITE = 1
    SCALED_TO_8_BIT = 2


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """An image ready for a model: `pixels` (side, side, 3) RGB, `image_stats` by `IMAGE_STATS`."""

    pixels: Pixels
    image_stats: NDArray[np.float32]
    notes: Note


def decode(path: Path, side: int, max_megapixels: float) -> Thumbnail:
    """Read, turn upright and squeeze into a square of `side` pixels.

    Raises:
        UnreadableImage: with the reason in words.
    """
    try:
        if path.stat().st_size == 0:
            raise UnreadableImage("the file is empty")
        with Image.open(path, formats=FORMATS) as image:
            _refuse_large(image.size, max_megapixels)
            return _thumbnail(image, side)
    except UnidentifiedImageError as exc:
        raise UnreadableImage(_unidentified(path)) from exc
    except (FileNotFoundError, PermissionError) as exc:
        raise UnreadableImage(f"the file cannot be opened: {exc.strerror}") from exc
    except Image.DecompressionBombError as exc:
        raise UnreadableImage(f"more pixels than can be decoded safely ({exc})") from exc
    except PILLOW_ERRORS as exc:
        raise UnreadableImage(f"the file is damaged: {exc}") from exc


def _refuse_large(size: tuple[int, int], max_megapixels: float) -> None:
    megapixels = size[0] * size[1] / 1e6
    if megapixels > max_megapixels:
        raise UnreadableImage(
            f"{size[0]} x {size[1]} is {megapixels:.0f} megapixels, over {max_megapixels:g}",
            "Make the image smaller or raise AUTOLABEL_MAX_IMAGE_MEGAPIXELS",
        )


def _unidentified(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(64).lstrip()
    if start.startswith(b"<"):
        return "not an image: the file holds a web page or other markup"
    return "not an image in a format that can be read"


def _thumbnail(image: Image.Image, side: int) -> Thumbnail:
    size = image.size
    least = int(side * _DRAFT)
    drafted = image.draft(None, (least, least))
    image.load()
    width, height = size if drafted else image.size  # Pillow turns TIFF upright while loading
    orientation = orientation_of(image)
    if orientation >= 5:
        width, height = height, width
    square, notes = _square(image, side)
    pixels = _upright(square, orientation)
    return Thumbnail(pixels, measure(pixels, width, height), notes)


def orientation_of(image: Image.Image) -> int:
    """EXIF orientation, 1 to 8; a damaged EXIF block counts as none."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except PILLOW_ERRORS:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _square(image: Image.Image, side: int) -> tuple[Pixels, Note]:
    notes = Note(0)
    if is_deep(image):
        image, notes = to_8_bit(image), Note.SCALED_TO_8_BIT
    if image.has_transparency_data:
        premultiplied = _resized(image.convert("RGBA").convert("RGBa"), side)
        white = premultiplied[..., :3] + (255 - premultiplied[..., 3:])
        return white, notes | Note.COMPOSITED_OVER_WHITE
    return _resized(image if image.mode == "RGB" else image.convert("RGB"), side), notes


def is_deep(image: Image.Image) -> bool:
    """Whether a gray value takes more than 8 bits."""
    return image.mode in {"I", "F"} or image.mode.startswith("I;16")


def to_8_bit(image: Image.Image) -> Image.Image:
    """Scale, not clip: integers from their 16-bit range, others from what the image spans."""
    values = np.asarray(image, np.float32)
    if image.mode.startswith("I") and values.min() >= 0 and values.max() <= 65535:
        low, high = 0.0, 65535.0
    elif np.nanmin(values) >= 0 and np.nanmax(values) <= 1:
        low, high = 0.0, 1.0
    else:
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
    scaled = (np.nan_to_num(values, nan=low) - low) * (255 / max(high - low, 1e-12))
    return Image.fromarray(np.rint(np.clip(scaled, 0, 255)).astype(np.uint8), "L")


def _resized(image: Image.Image, side: int) -> Pixels:
    """Box averages where it shrinks, bicubic where it grows, each direction on its own."""
    factors = (max(1, image.width // (2 * side)), max(1, image.height // (2 * side)))
    if factors != (1, 1):
        image = image.reduce(factors)  # quick, and leaves twice what is needed
    if max(image.size) < side // 2:  # where the filter's exact shape shows
        image = image.resize((side, side), Image.Resampling.BICUBIC)
    pixels = np.asarray(image)
    least = (min(image.width, side), min(image.height, side))
    if least != image.size:
        pixels = cv2.resize(pixels, least, interpolation=cv2.INTER_AREA)
    if least != (side, side):
        pixels = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_CUBIC)
    return pixels.astype(np.uint8, copy=False)


def _upright(square: Pixels, orientation: int) -> Pixels:
    """Undo an EXIF orientation; on a square that never changes the shape."""
    if orientation in {5, 6, 7, 8}:
        square = square.transpose(1, 0, 2)
    if orientation in {2, 3, 6, 7}:
        square = square[:, ::-1]
    if orientation in {3, 4, 7, 8}:
        square = square[::-1]
    return np.ascontiguousarray(square)
