"""From addresses to pictures, of every part of a project in one pass."""

from collections.abc import Sequence

from backend.domain.answers import NoPrediction
from backend.domain.batches import Pictures
from backend.domain.errors import UnreadableImage
from backend.domain.schema import LabelSchema
from backend.domain.versions import Ledger
from backend.ports.images import Gallery
from backend.ports.progress import Progress
from backend.services import project_tasks
from backend.services.project_tasks import Census
from backend.services.training.train import Material


def look(
    gallery: Gallery, schema: LabelSchema, people: Census, ledger: Ledger, progress: Progress
) -> tuple[Material, Sequence[NoPrediction]]:
    """Everything that a job works on, and the images that cannot be read with why not.

    Raises:
        UnreadableImage: when there is no image that can be read.
    """
    labeled = {image.image.task: image for image in people.labeled}
    refs = [image.image for image in people.labeled]
    everything = [*refs, *people.unlabeled, *people.unanswered]
    pictures, unreadable = gallery.look(everything, progress)
    if unreadable and not len(pictures):
        first = unreadable[0]
        raise UnreadableImage(f"no image can be read; task {first.task}: {first.because}")
    teachers = {image.image.task for image in project_tasks.teachable(people.labeled, ledger)}
    seen = labeled.keys() | {ref.task for ref in people.unanswered}
    return (
        Material(
            schema=schema,
            people=labeled,
            labeled=_part(pictures, [ref.task in teachers for ref in pictures.refs]),
            validation=_part(
                pictures, [ref.task in ledger.open and ref.task in seen for ref in pictures.refs]
            ),
            unlabeled=_part(
                pictures,
                [ref.task not in seen and ref.task not in ledger.open for ref in pictures.refs],
            ),
        ),
        unreadable,
    )


def _part(pictures: Pictures, chosen: Sequence[bool]) -> Pictures:
    return pictures.take([row for row, inside in enumerate(chosen) if inside])
