"""Image files as upright pixels: the EXIF orientation is applied, as Label Studio displays them."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from PIL import ExifTags, Image

from backend.domain.arrays import Pixels
from backend.models.images.decoding import (
    DECODING,
    PILLOW_ERRORS,
    is_deep,
    opened,
    strips,
    to_8_bit,
    tolerating_truncation,
)


@contextmanager
def reading(path: Path) -> Generator[Pixels]:
    """Decode an image file; its pixels count against the budget of the process inside the block.

    OpenCV is two to three times faster than Pillow and turns JPEG files upright, so it reads what
    it reads right; Pillow reads the rest.

    Yields:
        (height, width, 3) BGR, upright; transparent pixels over white.

    Raises:
        UnreadableImage: when the file is no image, or is damaged.
    """
    with opened(path) as image:
        size, plain = image.size, _is_plain(image)
    with DECODING.spend(size):
        yield _read(path, plain=plain)


def is_plain(path: Path) -> bool:
    """Return whether OpenCV, and so Ultralytics, reads this file as Label Studio displays it.

    Raises:
        UnreadableImage: when the file is no image.
    """
    with opened(path) as image:
        return _is_plain(image)


def orientation_of(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; a damaged EXIF block counts as 1, which is upright.

    Pillow turns TIFF upright while it loads the pixels, after which the orientation is 1.
    """
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except PILLOW_ERRORS:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Return width and height in pixels of the upright image."""
    if image.format == "TIFF" and orientation_of(image) >= 5:
        image.load()  # which turns it; some versions of Pillow turn its size before
    return (image.height, image.width) if orientation_of(image) >= 5 else image.size


def turned_upright(pixels: Pixels, orientation: int) -> Pixels:
    """Undo an EXIF orientation of (height, width, 3) pixels."""
    if orientation in {5, 6, 7, 8}:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in {2, 3, 6, 7}:
        pixels = pixels[:, ::-1]
    if orientation in {3, 4, 7, 8}:
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def _is_plain(image: Image.Image) -> bool:
    if image.format == "JPEG":
        return image.mode in {"RGB", "L"}
    simple = image.mode in {"RGB", "L", "I;16"} and not image.has_transparency_data
    return image.format in {"PNG", "BMP"} and simple and not _may_be_turned(image)


def _may_be_turned(image: Image.Image) -> bool:
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1) != 1
    except PILLOW_ERRORS:
        return True


def _read(path: Path, *, plain: bool) -> Pixels:
    if plain:
        pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
        if pixels is not None:
            return np.asarray(pixels, dtype=np.uint8)
    return tolerating_truncation(lambda completed: _read_by_pillow(path, completed))[0]


def _read_by_pillow(path: Path, completed: bool) -> Pixels:
    with opened(path, completed=completed) as image:
        image.load()  # which turns TIFF files
        return turned_upright(_on_white(image), orientation_of(image))


def _on_white(image: Image.Image) -> Pixels:
    """(height, width, 3) BGR, with deep grays scaled and transparent pixels over white.

    Converted strip by strip: a large image is never held as a whole in a second mode.
    """
    if is_deep(image):
        image = to_8_bit(image)
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    transparent = image.has_transparency_data
    for top, strip in strips(image):
        opaque = _composited(strip) if transparent else strip
        pixels[top : top + strip.height] = np.asarray(opaque.convert("RGB"))[:, :, ::-1]
    return pixels


def _composited(image: Image.Image) -> Image.Image:
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
