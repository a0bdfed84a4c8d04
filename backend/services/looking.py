"""From addresses to pictures, labeled and unlabeled in one pass."""

from collections.abc import Sequence

from backend.domain import LabelSchema, NoPrediction
from backend.errors import UnreadableImage
from backend.ports import Gallery, Progress
from backend.services.census import Census
from backend.services.learning import Material


def look(
    gallery: Gallery, schema: LabelSchema, people: Census, progress: Progress
) -> tuple[Material, Sequence[NoPrediction]]:
    """Everything a round learns from, and the images that cannot be read with why not."""
    labeled = {image.image.task: image for image in people.labeled}
    refs = [image.image for image in people.labeled]
    pictures, unreadable = gallery.look([*refs, *people.unlabeled], progress)
    if unreadable and not len(pictures):
        first = unreadable[0]
        raise UnreadableImage(f"no image can be read; task {first.task}: {first.because}")
    known = [row for row, ref in enumerate(pictures.refs) if ref.task in labeled]
    unknown = [row for row, ref in enumerate(pictures.refs) if ref.task not in labeled]
    return (
        Material(schema, labeled, pictures.take(known), pictures.take(unknown)),
        unreadable,
    )
