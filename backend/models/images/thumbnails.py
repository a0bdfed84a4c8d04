"""Decode image files of any common kind to small upright RGB squares.

The whole image is squeezed into the square, so that nothing at its border is cut off. JPEG is
decoded at reduced scale: a 12-megapixel photo costs little more than its entropy coding.
"""

from dataclasses import dataclass
from enum import IntFlag
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from backend.domain.arrays import Pixels
from backend.domain.errors import UnreadableImage
from backend.models.images.decoding import PILLOW_ERRORS, is_deep, prepare_decoders, to_8_bit
from backend.models.images.statistics import measure
from backend.models.images.upright import orientation_of, turned_upright

_DRAFT = 0.85
"""Least side of a reduced JPEG, as a share of the square's: the mean cosine similarity of the
vectors to those of exact resampling stays above 0.99 (tests/bench/bench_embedding.py)."""


class Note(IntFlag):
    """Changes made to an image in order to read it, which its owner should know."""

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
        UnreadableImage: with the reason as a sentence.
    """
    try:
        if path.stat().st_size == 0:
            raise UnreadableImage("the file is empty")
        with Image.open(path, formats=prepare_decoders()) as image:
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
    pixels = turned_upright(square, orientation)
    return Thumbnail(pixels, measure(pixels, width, height), notes)


def _square(image: Image.Image, side: int) -> tuple[Pixels, Note]:
    notes = Note(0)
    if is_deep(image):
        image, notes = to_8_bit(image), Note.SCALED_TO_8_BIT
    if image.has_transparency_data:
        premultiplied = _resized(image.convert("RGBA").convert("RGBa"), side)
        white = premultiplied[..., :3] + (255 - premultiplied[..., 3:])
        return white, notes | Note.COMPOSITED_OVER_WHITE
    return _resized(image if image.mode == "RGB" else image.convert("RGB"), side), notes


def _resized(image: Image.Image, side: int) -> Pixels:
    """Average boxes to shrink, interpolate bicubically to enlarge; each direction on its own."""
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
