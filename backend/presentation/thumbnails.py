"""Small pictures of the hardest images, kept beside a job's report."""

from collections.abc import Iterable
from pathlib import Path

from PIL import Image, ImageOps

from backend.domain.answers import ImageRef
from backend.domain.errors import UnreadableImage
from backend.ports.images import Fetch

LARGEST = (320, 320)
QUALITY = 80

UNREADABLE = (UnreadableImage, OSError, ValueError, Image.DecompressionBombError)


def write(folder: Path, refs: Iterable[ImageRef], fetch: Fetch) -> None:
    """Write `task-<id>.jpg` for each image; one that cannot be read has no picture."""
    folder.mkdir(parents=True, exist_ok=True)
    for ref in refs:
        try:
            small = _shrunk(fetch(ref))
        except UNREADABLE:
            continue
        small.save(folder / f"task-{ref.task}.jpg", quality=QUALITY)


def _shrunk(path: Path) -> Image.Image:
    """Upright, on white, without what the file says of camera and place."""
    with Image.open(path) as image:
        image.draft("RGB", LARGEST)
        upright = ImageOps.exif_transpose(image).convert("RGBA")
    upright.thumbnail(LARGEST)
    page = Image.new("RGBA", upright.size, "white")
    return Image.alpha_composite(page, upright).convert("RGB")
