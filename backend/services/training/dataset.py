"""From addresses to pictures, of every part of a project in one pass."""

from collections.abc import Sequence

from backend.domain.answers import NoPrediction
from backend.domain.batches import ImageBatch
from backend.domain.errors import UnreadableImage
from backend.domain.schema import LabelSchema
from backend.domain.versions import Ledger
from backend.ports.images import FeatureExtractor
from backend.ports.progress import Progress
from backend.services import project_tasks
from backend.services.project_tasks import ProjectTasks
from backend.services.training.train import Dataset


def look(
    extractor: FeatureExtractor,
    schema: LabelSchema,
    people: ProjectTasks,
    ledger: Ledger,
    progress: Progress,
) -> tuple[Dataset, Sequence[NoPrediction]]:
    """Everything that a job works on, and the images that cannot be read with why not.

    Raises:
        UnreadableImage: when there is no image that can be read.
    """
    labeled = {image.image.task: image for image in people.labeled}
    refs = [image.image for image in people.labeled]
    everything = [*refs, *people.unlabeled, *people.unanswered]
    images, unreadable = extractor.extract(everything, progress)
    if unreadable and not len(images):
        first = unreadable[0]
        raise UnreadableImage(f"no image can be read; task {first.task}: {first.reason}")
    trainable = {image.image.task for image in project_tasks.trainable(people.labeled, ledger)}
    seen = labeled.keys() | {ref.task for ref in people.unanswered}
    return (
        Dataset(
            schema=schema,
            people=labeled,
            labeled=_part(images, [ref.task in trainable for ref in images.refs]),
            validation=_part(
                images, [ref.task in ledger.open and ref.task in seen for ref in images.refs]
            ),
            unlabeled=_part(
                images,
                [ref.task not in seen and ref.task not in ledger.open for ref in images.refs],
            ),
        ),
        unreadable,
    )


def _part(images: ImageBatch, chosen: Sequence[bool]) -> ImageBatch:
    return images.take([row for row, inside in enumerate(chosen) if inside])
