"""Decode image files of any common kind to small upright RGB squares.

The whole image is squeezed into the square, so that nothing at its border is cut off. JPEG is
decoded at reduced scale: a 12-megapixel photo costs little more than its entropy coding.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from backend.domain.arrays import Pixels
from backend.models.images.decoding import (
    DECODING,
    is_deep,
    opened,
    strips,
    to_8_bit,
    tolerating_truncation,
)
from backend.models.images.notes import Note
from backend.models.images.statistics import measure
from backend.models.images.upright import orientation_of, turned_upright

_DRAFT = 0.85
"""Least side of a reduced JPEG, as a share of the square's: the mean cosine similarity of the
vectors to those of exact resampling stays above 0.99 (tests/bench/bench_embedding.py)."""


PREPARATION = 3
"""Changes whenever `decode` returns other pixels or statistics: features are cached under it."""


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

    def read(completed: bool) -> Thumbnail:
        with opened(path, max_megapixels, completed=completed) as image:
            size, least = image.size, int(side * _DRAFT)
            drafted = image.draft(None, (least, least))
            with DECODING.spend(image.size):
                return _thumbnail(image, side, size if drafted else None)

    thumbnail, truncated = tolerating_truncation(read)
    return replace(thumbnail, notes=thumbnail.notes | Note.TRUNCATED) if truncated else thumbnail


def _thumbnail(image: Image.Image, side: int, whole: tuple[int, int] | None) -> Thumbnail:
    """`whole` is the size of an image that is decoded at a reduced scale."""
    image.load()
    width, height = whole or image.size  # Pillow turns TIFF upright while loading
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
        premultiplied = _resized(_reduced(image, ("RGBA", "RGBa"), side), side)
        alpha = premultiplied[..., 3:]
        # interpolation may make a colour brighter than its alpha allows
        white = np.minimum(premultiplied[..., :3], alpha) + (255 - alpha)
        return white, notes | Note.COMPOSITED_OVER_WHITE
    return _resized(_reduced(image, ("RGB",), side), side), notes


def _reduced(image: Image.Image, modes: Sequence[str], side: int) -> Image.Image:
    """Convert through these modes, and leave about twice the pixels that are needed.

    Strip by strip: a large image is never held twice, and conversion may triple its size.
    """
    factors = across, down = (max(1, image.width // (2 * side)), max(1, image.height // (2 * side)))
    if factors == (1, 1):
        return _converted(image, modes)
    if image.mode == modes[-1]:
        return image.reduce(factors)
    size = (-(-image.width // across), -(-image.height // down))
    reduced = Image.new(modes[-1], size)
    for top, strip in strips(image, down):
        reduced.paste(_converted(strip, modes).reduce(factors), (0, top // down))
    return reduced


def _converted(image: Image.Image, modes: Sequence[str]) -> Image.Image:
    for mode in modes:
        image = image if image.mode == mode else image.convert(mode)
    return image


def _resized(image: Image.Image, side: int) -> Pixels:
    """Interpolate to the nearest multiple of `side` in each direction, and average its pixels.

    OpenCV averages whole pixels ten times as fast as parts of them. Its exact bilinear
    interpolation is the one that docs/models.md can repeat without it; where a direction is
    enlarged, bicubic is closer to Pillow's.
    """
    if max(image.size) < side // 2:  # where the filter's exact shape shows
        return np.asarray(image.resize((side, side), Image.Resampling.BICUBIC))
    multiples = (_multiple(image.width, side), _multiple(image.height, side))
    way = cv2.INTER_CUBIC if min(image.size) < side else cv2.INTER_LINEAR_EXACT
    pixels = cv2.resize(np.asarray(image), multiples, interpolation=way)
    if multiples != (side, side):
        pixels = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA)
    return pixels.astype(np.uint8, copy=False)


def _multiple(length: int, side: int) -> int:
    return side * max(1, round(length / side))
