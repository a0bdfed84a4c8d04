"""Leave images that are in the data of tasks out of lists of tasks."""

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from backend.domain.answers import ImageRef, LabeledImage
from backend.domain.ids import ProjectId
from backend.domain.json import Json
from connectors.images.task_content import shortened


def without_content(ref: ImageRef, project: ProjectId) -> ImageRef:
    """Return the image with a short address in place of its content; other references as they are.

    The address of a text holds what is learned of it.
    """
    if ref.kind.is_text:
        return ref
    others = tuple(shortened(uri, project) for uri in ref.others)
    return replace(ref, uri=shortened(ref.uri, project), others=others)


def labeled_without_content(image: LabeledImage, project: ProjectId) -> LabeledImage:
    return replace(image, image=without_content(image.image, project))


def task_without_content(task: Json, project: ProjectId) -> Json:
    """Return a task in Label Studio's JSON with short addresses in its data."""
    return {**task, "data": _without_content(task.get("data"), project)}


def _without_content(value: object, project: ProjectId) -> object:
    if isinstance(value, str):
        return shortened(value, project)
    if isinstance(value, Mapping):
        fields = cast(Mapping[str, object], value)
        return {key: _without_content(inner, project) for key, inner in fields.items()}
    if isinstance(value, list):
        return [_without_content(inner, project) for inner in cast(list[object], value)]
    return value
