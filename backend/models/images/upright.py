"""Image files as upright pixels: the EXIF orientation is applied, as Label Studio displays them."""

from pathlib import Path

import cv2
import numpy as np
from PIL import ExifTags, Image

from backend.domain.arrays import Pixels
from backend.domain.errors import UnreadableImage
from backend.models.images.decoding import PILLOW_ERRORS, is_deep, prepare_decoders, to_8_bit

_DAMAGED = (*PILLOW_ERRORS, Image.DecompressionBombError)


def read(path: Path) -> Pixels:
    """The upright pixels (height, width, 3) of an image file, in BGR.

    OpenCV is two to three times faster than Pillow and turns JPEG files upright, so it reads what
    it reads right; Pillow reads the rest.

    Raises:
        UnreadableImage: when the file is no image, or is damaged.
    """
    if not is_plain(path):
        return _read_with_pillow(path)
    pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    return _read_with_pillow(path) if pixels is None else np.asarray(pixels, dtype=np.uint8)


def is_plain(path: Path) -> bool:
    """Whether OpenCV, and so Ultralytics, reads this file as Label Studio displays it.

    Raises:
        UnreadableImage: when the file is no image.
    """
    try:
        with Image.open(path, formats=prepare_decoders()) as image:
            if image.format == "JPEG":
                return image.mode in {"RGB", "L"}
            simple = image.mode in {"RGB", "L", "I;16"} and not image.has_transparency_data
            return image.format in {"PNG", "BMP"} and simple and not _may_be_turned(image)
    except _DAMAGED as exc:
        raise UnreadableImage(f"{path.name} is no image that can be read", str(exc)) from exc


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; a damaged EXIF block counts as 1, which is upright.

    Pillow turns TIFF upright while it loads the pixels, after which the orientation is 1.
    """
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except PILLOW_ERRORS:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Width and height in pixels of the upright image."""
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


def _may_be_turned(image: Image.Image) -> bool:
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1) != 1
    except PILLOW_ERRORS:
        return True


def _read_with_pillow(path: Path) -> Pixels:
    try:
        with Image.open(path, formats=prepare_decoders()) as image:
            image.load()
            pixels = np.asarray(_on_white(image), dtype=np.uint8)
            return turned_upright(pixels[:, :, ::-1], orientation_of(image))
    except _DAMAGED as exc:
        raise UnreadableImage(f"{path.name} cannot be decoded", str(exc)) from exc


def _on_white(image: Image.Image) -> Image.Image:
    """RGB, with deep grays scaled and transparency composited over white, as in `thumbnails`."""
    if is_deep(image):
        image = to_8_bit(image)
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return image.convert("RGB")
