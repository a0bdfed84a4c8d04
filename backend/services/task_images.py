"""Extract the features of all images of each task that some control is about."""

from collections.abc import Sequence
from dataclasses import replace

from backend.domain.answers import ImageRef, NoPrediction
from backend.domain.batches import ImageBatch
from backend.domain.ids import TaskId
from backend.domain.schema import LabelSchema
from backend.ports.images import FeatureExtractor
from backend.ports.progress import Progress


def extract(
    extractor: FeatureExtractor,
    schema: LabelSchema,
    refs: Sequence[ImageRef],
    progress: Progress,
    backbone: str = "",
) -> tuple[ImageBatch, Sequence[NoPrediction]]:
    """Return the first image of each task, with the others row by row, and the unreadable tasks.

    A task of which any image cannot be read is left out: an answer to it would be incomplete.
    """
    images, unreadable = extractor.extract(refs, progress, backbone)
    others: dict[str, ImageBatch] = {}
    backbone = images.backbone  # one that was fitted to the first texts serves the others, too
    for position, tag in enumerate(schema.images[1:], start=1):
        more, lost = extractor.extract([ref.at(position) for ref in refs], progress, backbone)
        others[tag.name] = more
        unreadable = (*unreadable, *lost)
    if not others:
        return images, unreadable
    lost_tasks = {slot.task: slot for slot in reversed(unreadable)}
    aligned = {name: _without(batch, lost_tasks) for name, batch in others.items()}
    complete = replace(_without(images, lost_tasks), others=aligned)
    return complete, tuple(lost_tasks.values())


def _without(images: ImageBatch, lost: dict[TaskId, NoPrediction]) -> ImageBatch:
    return images.take([row for row, task in enumerate(images.tasks) if task not in lost])
