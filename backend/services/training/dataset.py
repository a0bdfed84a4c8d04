"""The images of a job: annotations, features, and what each image may be used for."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto

from backend.domain.answers import Answer, Choices, LabeledImage, NoPrediction
from backend.domain.batches import ImageBatch
from backend.domain.errors import ImagesUnreachable, UnreadableImage
from backend.domain.faults import faults_of
from backend.domain.ids import TaskId
from backend.domain.items import ItemKind
from backend.domain.schema import Control, LabelSchema
from backend.domain.versions import Ledger
from backend.ports.images import FeatureExtractor
from backend.ports.progress import Progress
from backend.services import project_tasks, task_images
from backend.services.project_tasks import ProjectTasks, is_of_model

MAX_MISSING = 0.02
"""Share of the images that a job does without when they cannot be fetched for now, and of those
that could be read before."""

MOST_FAULTS = 3
"""Faults of images that a refusal names."""


class ImageUse(Enum):
    """What a job may use an image for.

    No model is trained on labels that an earlier job accepted, or it would learn its own mistakes.
    """

    TRAINING = auto()
    PREDICTION = auto()
    NONE = auto()


def partition(tasks: ProjectTasks, ledger: Ledger) -> dict[TaskId, ImageUse]:
    """Assign each task its use.

    |                    | by people | accepted by a job | unlabeled  |
    |--------------------|-----------|-------------------|------------|
    | in the open audit  | TRAINING  | NONE              | NONE       |
    | elsewhere          | TRAINING  | NONE              | PREDICTION |

    Unlabeled images of an open audit wait for a person: nobody may see a prediction before. Once
    labeled they may teach, because the test is about predictions that are frozen.
    """
    labeled = {
        image.image.task: ImageUse.NONE if is_of_model(image, ledger) else ImageUse.TRAINING
        for image in tasks.labeled
    }
    unlabeled = {
        ref.task: ImageUse.NONE if ref.task in ledger.withheld else ImageUse.PREDICTION
        for ref in tasks.unlabeled
    }
    return labeled | unlabeled


@dataclass(frozen=True, slots=True)
class Dataset:
    """All annotations of a project, and its readable images by use.

    Models may be trained on `labeled`. `unlabeled` is to be predicted.
    """

    schema: LabelSchema
    annotations: Mapping[TaskId, LabeledImage]
    labeled: ImageBatch
    unlabeled: ImageBatch


def load_dataset(
    extractor: FeatureExtractor,
    schema: LabelSchema,
    tasks: ProjectTasks,
    ledger: Ledger,
    progress: Progress,
    backbone: str = "",
) -> tuple[Dataset, Sequence[NoPrediction]]:
    """Extract the features of all images; those that cannot be read come back with the reason.

    `backbone` names the encoder; without, it is the default one.

    Raises:
        UnreadableImage: when no image can be read.
        ImagesUnreachable: when more than `MAX_MISSING` of the images are missing for now.
    """
    labeled = [image.image for image in tasks.labeled]
    everything = [*labeled, *tasks.unlabeled]
    images, unreadable = task_images.extract(extractor, schema, everything, progress, backbone)
    if unreadable and not len(images):
        raise UnreadableImage(
            f"no {schema.items.noun} can be read; {_faults(unreadable, schema.items)}"
        )
    require_reachable(unreadable, len(everything), schema.items)
    uses = partition(tasks, ledger)

    def part(use: ImageUse) -> ImageBatch:
        return images.take([row for row, task in enumerate(images.tasks) if uses[task] is use])

    dataset = Dataset(
        schema=schema,
        annotations={image.image.task: image for image in tasks.labeled},
        labeled=part(ImageUse.TRAINING),
        unlabeled=part(ImageUse.PREDICTION),
    )
    return dataset, unreadable


def require_reachable(
    unreadable: Sequence[NoPrediction], images: int, items: ItemKind = ItemKind.IMAGE
) -> None:
    """Refuse to go on while many images are missing only for now.

    A model of the remaining images would replace a better one.

    Raises:
        ImagesUnreachable: when more than `MAX_MISSING` of the images are missing for now.
    """
    missing = [slot for slot in unreadable if slot.transient]
    if len(missing) > MAX_MISSING * images:
        raise ImagesUnreachable(
            f"{len(missing)} of {images} {items.plural} cannot be fetched at the moment; "
            f"{_faults(missing, items)}",
            f"Nothing was changed. Start the job again when the {items.plural} can be reached",
        )


def require_known(
    unreadable: Sequence[NoPrediction],
    known: Collection[TaskId],
    items: ItemKind = ItemKind.IMAGE,
) -> None:
    """Refuse to go on without images that an earlier job could read.

    Unlike `require_reachable`, this counts images that seem to be gone for good, too: whoever moved
    a bucket or changed its rights wants neither model nor predictions replaced.

    Raises:
        ImagesUnreachable: when more than `MAX_MISSING` of the known images cannot be read.
    """
    lost = [slot for slot in unreadable if slot.task in known]
    if len(lost) > MAX_MISSING * len(known):
        raise ImagesUnreachable(
            f"{len(lost)} of {len(known)} {items.plural} that could be read before cannot be read "
            f"now; {_faults(lost, items)}",
            "Nothing was changed. Make them readable again, or delete their tasks, and start again",
        )


def _faults(unreadable: Sequence[NoPrediction], items: ItemKind) -> str:
    """Describe the most frequent faults in one sentence."""
    most = faults_of(unreadable)[:MOST_FAULTS]
    return "; ".join(fault.sentence(items).rstrip(".") for fault in most)


def answered(control: Control, dataset: Dataset) -> tuple[ImageBatch, list[Answer]]:
    """Return the labeled images that a control is about and that answer it, and their answers."""
    rows: list[int] = []
    answers: list[Answer] = []
    for row, ref in enumerate(dataset.labeled.refs):
        answer = dataset.annotations[ref.task].answers.get(control.name)
        if answer is not None:
            rows.append(row)
            answers.append(answer)
    return dataset.labeled.of(control.image).take(rows), answers


def used_controls(dataset: Dataset) -> tuple[Control, ...]:
    """Return the controls with at least one label; nothing can be learned of the others."""
    return tuple(
        control
        for control in dataset.schema.controls
        if any(
            _is_labeled(image.answers.get(control.name)) for image in dataset.annotations.values()
        )
    )


def readable(tasks: ProjectTasks, unreadable: Sequence[NoPrediction]) -> ProjectTasks:
    """Leave out the tasks whose images could not be read."""
    gone = {slot.task for slot in unreadable}
    return replace(
        tasks,
        labeled=tuple(image for image in tasks.labeled if image.image.task not in gone),
        unlabeled=tuple(ref for ref in tasks.unlabeled if ref.task not in gone),
    )


def trained_on(dataset: Dataset, held_out: int) -> dict[str, int]:
    """Count the images that a version was trained on: in all, held out, and of each label."""
    trainable = [dataset.annotations[task] for task in dataset.labeled.tasks]
    used = {
        f"{count.control}/{count.label}": count.images
        for count in project_tasks.count(dataset.schema, trainable)
        if count.images
    }
    return {"images": len(dataset.labeled), "validation": held_out, **used}


def _is_labeled(answer: Answer | None) -> bool:
    return bool(answer and (answer.labels if isinstance(answer, Choices) else answer.regions))
