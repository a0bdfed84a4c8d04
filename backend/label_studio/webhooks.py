"""Label Studio's webhooks: what happened, as one of three events.

Payloads are those of Label Studio 1.18 to 1.23. `START_TRAINING` is a direct call, the others come
from the webhook subsystem, which may leave out the payload.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from backend.domain.errors import BadInput
from backend.domain.ids import ProjectId
from backend.domain.json import Json


@dataclass(frozen=True, slots=True)
class TrainNow:
    """Someone pressed "Start training"; `labeled` tasks have annotations, as far as is known."""

    project: ProjectId
    labeled: int = 0


@dataclass(frozen=True, slots=True)
class Changed:
    """People annotated, or took annotations back."""

    project: ProjectId
    annotations: int


@dataclass(frozen=True, slots=True)
class Ignored:
    """An event that changes nothing for us."""

    reason: str


Event = TrainNow | Changed | Ignored


def event(body: Json) -> Event:
    """What a webhook says. A skip (a cancelled annotation) is no label and is ignored.

    Raises:
        BadInput: when the body has no action, or names no project where it must.
    """
    action = body.get("action")
    match action:
        case "START_TRAINING":
            return TrainNow(_project_in(body), _labeled(body.get("project")))
        case "ANNOTATION_CREATED" | "ANNOTATION_UPDATED":
            note = body.get("annotation")
            if isinstance(note, Mapping) and cast(Json, note).get("was_cancelled"):
                return Ignored("the task was skipped")
            return Changed(_project_in(body), 1)
        case "ANNOTATIONS_CREATED":
            return Changed(_project_in(body), _count(body.get("annotation")))
        case "ANNOTATIONS_DELETED":
            return Changed(_project_in(body), _count(body.get("annotations")))
        case str():
            return Ignored(f"nothing to do on {action[:64]}")
        case _:
            raise BadInput("the webhook has no action", 'Send {"action": "..."}')


def project_of(text: str) -> ProjectId:
    """The project id in Label Studio's `"<id>.<created at>"`.

    Raises:
        BadInput: when there is none.
    """
    head = str(text).partition(".")[0]
    if not head.isdecimal():
        raise BadInput(f"{str(text)[:64]!r} names no project", 'Send "project": "<id>.<time>"')
    return ProjectId(int(head))


def _project_in(body: Json) -> ProjectId:
    project = body.get("project")
    inner = cast(Json, project).get("id") if isinstance(project, Mapping) else project
    if isinstance(inner, bool) or not isinstance(inner, int | str):
        raise BadInput("the webhook names no project", "Switch on 'Send payload' for the webhook")
    return project_of(str(inner))


def _labeled(project: object) -> int:
    """Label Studio's own counter, which counts skipped tasks too; 0 where it tells none."""
    told = (
        cast(Json, project).get("num_tasks_with_annotations") if isinstance(project, Mapping) else 0
    )
    return told if isinstance(told, int) else 0


def _count(items: object) -> int:
    return max(1, len(cast(Sequence[object], items))) if isinstance(items, Sequence) else 1
