"""Preconditions that images or texts themselves set: there must be some left, and of a kind."""

from dataclasses import replace

from backend.domain.errors import Reason, ReasonCode
from backend.domain.items import ItemKind
from backend.domain.schema import LabelSchema


def nothing_left(items: ItemKind) -> Reason:
    """Return why a job has nothing to do: all images, or texts, are labeled."""
    return Reason(
        ReasonCode.NO_UNLABELED_IMAGES,
        f"no unlabeled {items.noun} left",
        have=0,
        need=1,
        hint=f"Import more {items.plural} into the project",
    )


def none_chosen(tasks: int) -> Reason:
    """Return why a job on chosen tasks would have nothing to do."""
    message = f"none of the {tasks} chosen tasks is unlabeled"
    if tasks == 1:
        message = "the chosen task is labeled or skipped"
    hint = "Choose tasks that nobody labeled or skipped"
    return replace(nothing_left(ItemKind.IMAGE), message=message, hint=hint)


def images_only(schema: LabelSchema, what: str) -> tuple[Reason, ...]:
    """Return why something that `what` names cannot be done: the project has no images."""
    if schema.items is ItemKind.IMAGE:
        return ()
    message = f"{what} for images only, and this project has {schema.items.plural}"
    hint = "Choose a project whose labeling config has an <Image>"
    return (Reason(ReasonCode.UNSUPPORTED_LABELING_CONFIG, message, hint=hint),)
