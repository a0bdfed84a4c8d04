"""Open and decode image files within limits; nothing else in the backend opens one.

A file of one megabyte can decode to a gigabyte. So the header is read first, formats and sizes are
checked on it, and all threads of a process together decode `IN_FLIGHT` megapixels at a time.
"""

import io
import struct
import threading
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final, TypeVar

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from backend.domain.errors import UnreadableImage

_FORMATS: Final = {
    "JPEG", "PNG", "GIF", "WEBP", "BMP", "DIB", "TIFF", "AVIF", "JPEG2000", "PPM",
}  # fmt: skip
"""Formats that Pillow may open; its others run helper programs or hold no photographs."""

IN_FLIGHT: Final = 160.0
"""Megapixels that a process decodes at a time: twice the largest image that is allowed by default.
At four bytes a pixel, and as much again for a copy, that is 1.3 GB at worst."""

STRIP: Final = 1_000_000
"""Pixels that are converted at a time, so that no second copy of a large image is made."""

PILLOW_ERRORS: Final = (
    OSError, SyntaxError, ValueError, EOFError, TypeError, IndexError, KeyError, OverflowError,
    AttributeError, RuntimeError, MemoryError, struct.error, zlib.error,
)  # fmt: skip
"""Exceptions that Pillow's plugins raise on corrupt files."""

Decoded = TypeVar("Decoded")

_HEIC_BRANDS: Final = {
    b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1",
}  # fmt: skip
_HEIC_HINT: Final = (
    "Install the extra label-studio-autolabel[heif] in the worker's environment, or convert the"
    " image to JPEG"
)
_MAGIC: Final = {
    b"%PDF": "a PDF document",
    b"\x1aE\xdf\xa3": "a video",
    b"\xff\x0a": "JPEG XL",
    b"\0\0\0\x0cJXL ": "JPEG XL",
    b"\0\0\x01\0": "an icon",
    b"8BPS": "a Photoshop document",
    b"PK\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "a gzip archive",
}
"""Beginnings of files that people take for images, or whose names end like those of images."""

_END_OF_JPEG: Final = b"\xff\xd9"
_READS_HEIC: Final = find_spec("pillow_heif") is not None

Size = tuple[int, int]
"""Width and height in pixels."""


class PixelBudget:
    """A semaphore that counts megapixels; threads that wait are served in order of arrival."""

    def __init__(self, megapixels: float) -> None:
        self._total = self._free = megapixels
        self._turn = threading.Lock()
        self._changed = threading.Condition()

    @contextmanager
    def spend(self, size: Size) -> Generator[None]:
        """Wait until an image of this size fits; one larger than the budget takes all of it.

        Do not nest: two threads that hold a part and ask for more would wait for each other.
        """
        megapixels = min(_megapixels(size), self._total)
        with self._turn, self._changed:
            self._changed.wait_for(lambda: self._free >= megapixels)
            self._free -= megapixels
        try:
            yield
        finally:
            with self._changed:
                self._free += megapixels
                self._changed.notify_all()


DECODING: Final = PixelBudget(IN_FLIGHT)
"""The budget of this process."""


@cache
def prepare_decoders() -> tuple[str, ...]:
    """Set up both libraries and return the formats that Pillow may open. Call before decoding.

    OpenCV is limited to the calling thread: images are decoded side by side, and a thread pool
    must not exist before a fork.
    """
    cv2.setNumThreads(1)
    Image.init()
    if not _READS_HEIC:
        return tuple(_FORMATS & Image.OPEN.keys())
    import_module("pillow_heif").register_heif_opener()
    return (*(_FORMATS & Image.OPEN.keys()), "HEIF")


class TruncatedJpeg(UnreadableImage):
    """The end of a JPEG is missing; what is there can be shown, as browsers do."""


def tolerating_truncation(decode: Callable[[bool], Decoded]) -> tuple[Decoded, bool]:
    """Call `decode(False)` and, for a truncated JPEG, `decode(True)`; returns whether it was one.

    The argument is to be handed to `opened` as `completed`.
    """
    try:
        return decode(False), False
    except TruncatedJpeg:
        return decode(True), True


@contextmanager
def opened(
    path: Path, max_megapixels: float | None = None, *, completed: bool = False
) -> Generator[Image.Image]:
    """Open an image; its pixels are not read yet. Errors inside the block are translated, too.

    Args:
        path: the file.
        max_megapixels: None where `require_decodable` checked the file already.
        completed: add the end of a truncated JPEG; what is missing is gray then.

    Raises:
        TruncatedJpeg: when the block loads such a file that is not completed.
        UnreadableImage: with the reason in words.
    """
    try:
        if path.stat().st_size == 0:
            raise UnreadableImage("the file is empty")
        source = io.BytesIO(path.read_bytes() + _END_OF_JPEG) if completed else path
        with Image.open(source, formats=prepare_decoders()) as image:
            if max_megapixels is not None:
                _refuse_large(image.size, max_megapixels)
            yield image
    except UnidentifiedImageError as exc:
        raise _unidentified(path) from exc
    except (FileNotFoundError, PermissionError) as exc:
        raise UnreadableImage(f"the file cannot be opened: {exc.strerror}") from exc
    except Image.DecompressionBombError as exc:
        raise UnreadableImage(f"more pixels than can be decoded safely ({exc})") from exc
    except PILLOW_ERRORS as exc:
        raise _damaged(path, exc) from exc


def require_decodable(path: Path, max_megapixels: float) -> Path:
    """Check format and size of an image by its header, and return its path.

    Raises:
        UnreadableImage: when the file must not be decoded.
    """
    with opened(path, max_megapixels):
        return path


def strips(image: Image.Image, multiple: int = 1) -> Iterator[tuple[int, Image.Image]]:
    """Yield the image in strips of full width, each with the row where it begins.

    Their heights are multiples of `multiple`, except for the last one.
    """
    rows = max(1, STRIP // (image.width * multiple)) * multiple
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(image.height, top + rows)))


def is_deep(image: Image.Image) -> bool:
    """Return whether a gray value takes more than 8 bits."""
    return image.mode in {"I", "F"} or image.mode.startswith("I;16")


def to_8_bit(image: Image.Image) -> Image.Image:
    """Scale, not clip: integers from their 16-bit range, others from what the image spans."""
    low, high = _range(image)
    scaled = np.empty((image.height, image.width), np.uint8)
    for top, strip in strips(image):
        values = np.nan_to_num(np.asarray(strip, np.float32), nan=low)
        values = (values - low) * (255 / max(high - low, 1e-12))
        scaled[top : top + strip.height] = np.rint(np.clip(values, 0, 255))
    return Image.fromarray(scaled, "L")


def _range(image: Image.Image) -> tuple[float, float]:
    """Return the values that become black and white."""
    low, high = np.inf, -np.inf
    for _, strip in strips(image):
        values = np.asarray(strip, np.float32)
        low = min(low, float(np.fmin.reduce(values, axis=None)))  # which passes over NaN
        high = max(high, float(np.fmax.reduce(values, axis=None)))
    if image.mode.startswith("I") and low >= 0 and high <= 65535:
        return 0.0, 65535.0
    if low > high:  # no number at all
        return 0.0, 1.0
    return (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)


def _megapixels(size: Size) -> float:
    return size[0] * size[1] / 1e6


def _refuse_large(size: Size, max_megapixels: float) -> None:
    megapixels = _megapixels(size)
    if megapixels > max_megapixels:
        raise UnreadableImage(
            f"{size[0]} x {size[1]} is {megapixels:.0f} megapixels, over {max_megapixels:g}",
            "Make the image smaller or raise AUTOLABEL_MAX_IMAGE_MEGAPIXELS",
        )


def _damaged(path: Path, exc: Exception) -> UnreadableImage:
    with path.open("rb") as file:
        is_jpeg = file.read(2) == b"\xff\xd8"
    if is_jpeg and "image file is truncated" in str(exc):
        return TruncatedJpeg(f"the end of the file is missing: {exc}", "Put the whole file there")
    return UnreadableImage(f"the file is damaged: {exc}")


def _unidentified(path: Path) -> UnreadableImage:
    """Name what a file is that Pillow does not open."""
    with path.open("rb") as file:
        start = file.read(1024).lstrip(b"\xef\xbb\xbf \t\r\n")
    kind, brand = start[4:8], start[8:12]
    if start.startswith(b"<"):
        return _markup(start)
    if kind == b"ftyp" and brand in _HEIC_BRANDS:
        return UnreadableImage("a HEIC photograph", _HEIC_HINT)
    is_video = kind == b"ftyp" or (start[:4] == b"RIFF" and brand == b"AVI ")
    named = "a video" if is_video else _named(start)
    if named:
        return UnreadableImage(f"{named}, which cannot be read", "Convert it to JPEG or PNG")
    return UnreadableImage("not an image in a format that can be read")


def _named(start: bytes) -> str:
    return next((name for magic, name in _MAGIC.items() if start.startswith(magic)), "")


def _markup(start: bytes) -> UnreadableImage:
    if b"<svg" in start.lower():
        return UnreadableImage("an SVG drawing, which has no pixels", "Convert it to PNG")
    return UnreadableImage("not an image: the file holds a web page or other markup")
