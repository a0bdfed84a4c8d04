"""Pillow and OpenCV set up for decoding, with what every reader of image files shares."""

import struct
import zlib
from functools import cache

import cv2
import numpy as np
from PIL import Image

_FORMATS = {"JPEG", "PNG", "GIF", "WEBP", "BMP", "DIB", "TIFF", "AVIF", "JPEG2000", "PPM"}
"""Formats that Pillow may open; its others run helper programs or hold no photographs."""

PILLOW_ERRORS = (
    OSError, SyntaxError, ValueError, EOFError, TypeError, IndexError, KeyError, OverflowError,
    AttributeError, RuntimeError, MemoryError, struct.error, zlib.error,
)  # fmt: skip
"""Exceptions that Pillow's plugins raise on corrupt files."""


@cache
def prepare_decoders() -> tuple[str, ...]:
    """Set up both libraries and return the formats that Pillow may open. Call before decoding.

    OpenCV is limited to the calling thread: images are decoded side by side, and a thread pool
    must not exist before a fork.
    """
    cv2.setNumThreads(1)
    Image.init()
    return tuple(_FORMATS & Image.OPEN.keys())


def is_deep(image: Image.Image) -> bool:
    """Whether a gray value takes more than 8 bits."""
    return image.mode in {"I", "F"} or image.mode.startswith("I;16")


def to_8_bit(image: Image.Image) -> Image.Image:
    """Scale, not clip: integers from their 16-bit range, others from the range of the image."""
    values = np.asarray(image, np.float32)
    if image.mode.startswith("I") and values.min() >= 0 and values.max() <= 65535:
        low, high = 0.0, 65535.0
    elif np.nanmin(values) >= 0 and np.nanmax(values) <= 1:
        low, high = 0.0, 1.0
    else:
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
    scaled = (np.nan_to_num(values, nan=low) - low) * (255 / max(high - low, 1e-12))
    return Image.fromarray(np.rint(np.clip(scaled, 0, 255)).astype(np.uint8), "L")
