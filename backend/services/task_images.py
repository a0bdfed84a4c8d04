"""Read all images of each task that some control is about, with or without their features."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from backend.domain.answers import ImageRef, NoPrediction
from backend.domain.batches import ImageBatch
from backend.domain.ids import TaskId
from backend.domain.schema import LabelSchema
from backend.ports.images import FeatureExtractor, SizeReader
from backend.ports.progress import Progress

Read = tuple[ImageBatch, Sequence[NoPrediction]]
"""Images that can be read, and the reason for each of the others."""


def extract(
    extractor: FeatureExtractor,
    schema: LabelSchema,
    refs: Sequence[ImageRef],
    progress: Progress,
    backbone: str = "",
) -> Read:
    """Return the first image of each task, with the others row by row, and the unreadable tasks.

    A task of which any image cannot be read is left out: an answer to it would be incomplete.
    """
    used = backbone

    def read(some: Sequence[ImageRef]) -> Read:
        nonlocal used
        images, unreadable = extractor.extract(some, progress, used)
        used = images.backbone  # one that was fitted to the first texts serves the others, too
        return images, unreadable

    return _of_each_task(read, schema, refs)


def without_features(
    reader: SizeReader, schema: LabelSchema, refs: Sequence[ImageRef], progress: Progress
) -> Read:
    """Return the same, read as `SizeReader` says."""
    return _of_each_task(lambda some: reader.without_features(some, progress), schema, refs)


def _of_each_task(
    read: Callable[[Sequence[ImageRef]], Read], schema: LabelSchema, refs: Sequence[ImageRef]
) -> Read:
    images, unreadable = read(refs)
    others: dict[str, ImageBatch] = {}
    for position, tag in enumerate(schema.images[1:], start=1):
        more, lost = read([ref.at(position) for ref in refs])
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
