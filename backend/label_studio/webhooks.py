"""Parse Label Studio's webhooks into one of four events.

Payloads are those of Label Studio 1.18 to 1.23. `START_TRAINING` is a direct call; the others come
from the webhook subsystem, which may leave out the payload.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from backend.domain.errors import BadInput
from backend.domain.ids import PROJECT_NUMBER, ProjectId
from backend.domain.json import Json

NAMELESS = "the webhook names no project: switch on 'Send payload', or run `autolabel connect`"


@dataclass(frozen=True, slots=True)
class TrainNow:
    """Someone pressed "Start training".

    `labeled` is the number of annotated tasks, 0 if unknown.
    """

    project: ProjectId
    labeled: int = 0


@dataclass(frozen=True, slots=True)
class Changed:
    """Annotations were created, changed or deleted."""

    project: ProjectId
    annotations: int


@dataclass(frozen=True, slots=True)
class Nameless:
    """Annotations changed somewhere: a webhook without payload names no project."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """An event that needs no action."""

    reason: str


Event = TrainNow | Changed | Nameless | Ignored


_ANNOTATIONS = {
    "ANNOTATION_CREATED",
    "ANNOTATIONS_CREATED",
    "ANNOTATION_UPDATED",
    "ANNOTATIONS_DELETED",
}


def event(body: Json) -> Event:
    """Return the event in a webhook's body. A skip, which is a cancelled annotation, is ignored.

    Raises:
        BadInput: when the body has no action, or names no project where it must.
    """
    action = body.get("action")
    match action:
        case str() if action in _ANNOTATIONS:
            return _changed(body, action)
        case "START_TRAINING":
            return TrainNow(_project_in(body), _labeled(body.get("project")))
        case str():
            return Ignored(f"nothing to do on {action[:64]}")
        case _:
            raise BadInput("the webhook has no action", 'Send {"action": "..."}')


def _changed(body: Json, action: str) -> Event:
    """Return the event of annotations that were created, changed or deleted."""
    if _is_skip(body.get("annotation")):
        return Ignored("the task was skipped")
    if not body.get("project"):
        return Nameless()
    match action:
        case "ANNOTATIONS_CREATED":
            return Changed(_project_in(body), _count(body.get("annotation")))
        case "ANNOTATIONS_DELETED":
            return Changed(_project_in(body), _count(body.get("annotations")))
        case _:
            return Changed(_project_in(body), 1)


def _is_skip(annotation: object) -> bool:
    return isinstance(annotation, Mapping) and bool(cast(Json, annotation).get("was_cancelled"))


def project_of(text: str) -> ProjectId:
    """Return the project id in Label Studio's `"<id>.<created at>"`.

    Raises:
        BadInput: when there is none.
    """
    head = str(text).partition(".")[0]
    if not re.fullmatch(PROJECT_NUMBER, head):
        raise BadInput(f"{str(text)[:64]!r} names no project", 'Send "project": "<id>.<time>"')
    return ProjectId(int(head))


def created_of(text: str) -> int | None:
    """The seconds in Label Studio's `"<id>.<created at>"`; None when it names none."""
    tail = str(text).partition(".")[2]
    return int(tail) if re.fullmatch(r"[0-9]{1,18}", tail) else None


def _project_in(body: Json) -> ProjectId:
    project = body.get("project")
    inner = cast(Json, project).get("id") if isinstance(project, Mapping) else project
    if isinstance(inner, bool) or not isinstance(inner, int | str):
        raise BadInput("the webhook names no project", "Switch on 'Send payload' for the webhook")
    return project_of(str(inner))


def _labeled(project: object) -> int:
    """Label Studio's own count, which includes skipped tasks; 0 if it is missing."""
    if not isinstance(project, Mapping):
        return 0
    count = cast(Json, project).get("num_tasks_with_annotations")
    return count if isinstance(count, int) else 0


def _count(items: object) -> int:
    return max(1, len(cast(Sequence[object], items))) if isinstance(items, Sequence) else 1
