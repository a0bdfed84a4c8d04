"""Accept predictions as annotations, and delete such annotations again.

An annotation is ours if the owner of the token made it from a prediction of the given version and
nobody has submitted or changed it since.

Label Studio creates the annotations first and counts them on their tasks last. Where SQLite is
locked in between, it runs the whole call again, which finds nothing left to accept and reports
success. The tasks then have an annotation and are listed as unlabeled. Such annotations are
deleted, which counts again, and made anew.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from connectors.errors import Rejected
from connectors.label_studio.calls import Calls, JsonObject
from connectors.label_studio.filters import HIGHEST_ID, joined, where
from connectors.label_studio.request_size import RequestSize
from connectors.label_studio.send_once import BETWEEN_LOOKS, RUNS_ON, SendOnce
from connectors.label_studio.tasks import ANNOTATION_FIELDS, Tasks
from connectors.label_studio.untouched_annotations import UntouchedAnnotations

_FIELDS = (
    "id",
    "total_annotations",
    "annotations",
    "was_cancelled",
    "parent_prediction",
    "lead_time",
    "updated_by",
    "updated_at",
    "completed_by",
    "predictions",
    "model_version",
)
_AS_LABELED = ("id", "data", "updated_at", "annotations")
_FIELDS_TO_SHOW = tuple(dict.fromkeys((*_FIELDS, *_AS_LABELED, *ANNOTATION_FIELDS)))

Show = Callable[[Sequence[JsonObject]], None]

_UNANNOTATED = where("annotations_ids", "not_in", {"min": 1, "max": HIGHEST_ID})
"""No annotation and no skip, counted or not; Label Studio looks at them themselves."""

_ATTEMPTS = 3
_COUNTED_AFTER, _BETWEEN_COUNTS = 12.0, 2.0
"""Seconds after which an annotation is taken to be forgotten by the counts, and between looks."""


@dataclass(frozen=True, slots=True)
class Deletion:
    """Tasks by what became of their annotation.

    `deleted`: it was deleted. `changed`, `drafted`: it was kept, because users have changed it or
    have a draft of changes to it.
    """

    deleted: frozenset[int]
    changed: frozenset[int]
    drafted: frozenset[int]


class PredictionAcceptance:
    """Creates annotations from predictions, finds and deletes them; a few hundred at a time."""

    def __init__(
        self, calls: Calls, tasks: Tasks, send_once: SendOnce, clock: Callable[[], float]
    ) -> None:
        self._calls = calls
        self.request_size = RequestSize(clock, first=100, fewest=25, most=400)
        self._tasks = tasks
        self._send_once = send_once
        self._untouched = UntouchedAnnotations(calls)

    def accept(
        self, project: int, version: str, tasks: Collection[int], show: Show = lambda _: None
    ) -> dict[int, int]:
        """Turn predictions into annotations that refer to them; returns their ids by task.

        Safe to repeat. Tasks that people annotated or skipped are left to them, also if they do so
        while this runs. `show` is given what was accepted as `Tasks.labeled` lists it, which saves
        listing it again.

        Raises:
            Rejected: when Label Studio created annotations that do not refer to a prediction.
        """
        kept, left = dict[int, int](), self._unannotated(project, tasks)
        for _ in range(_ATTEMPTS):
            if not left:
                break
            self._create(project, version, left)
            rows = self._when_counted(project, left)
            _require_parents(rows)
            made = self._keep_one(rows, version)
            show([_as_labeled(row) for row in rows if row["id"] in made])
            kept |= made
            left = [row["id"] for row in rows if not _is_counted(row)]
        return kept

    def find(self, project: int, version: str, tasks: Collection[int]) -> dict[int, int]:
        """Find what an `accept` that broke off made of these tasks: annotation ids by task.

        Waits up to a minute for tasks that have no annotation, because Label Studio may still be
        working on that call.
        """
        waited, rows = 0.0, self._rows(project, tasks)
        while waited < RUNS_ON and not all(_is_settled(row, version) for row in rows):
            self._send_once.pause(BETWEEN_LOOKS)
            waited, rows = waited + BETWEEN_LOOKS, self._rows(project, tasks)
        return self._keep_one(rows, version)

    def take_back(
        self, project: int, annotations: Mapping[int, int], ours: Mapping[int, str] | None = None
    ) -> Deletion:
        """Delete annotations, given by task; one that does not exist any more is ignored.

        An annotation that a user has changed, or has a draft of, is kept. So is whatever else the
        task has. `ours` are the times, by annotation, of changes that no user made. Most are
        deleted in one call, those with anything special about them by id.
        """
        rows = self._rows(project, annotations)
        before = set(_standing(rows, annotations))
        if self._untouched.delete(project, rows, annotations):
            rows = self._rows(project, before.difference(self._unannotated(project, before)))
        standing, own = _standing(rows, annotations), ours or {}
        changed = {
            task
            for task, one in standing.items()
            if one["updated_by"] and own.get(one["id"]) != one.get("updated_at", "")
        }
        drafted = self._drafted(project, {task: annotations[task] for task in standing}) - changed
        for task in sorted(set(standing) - changed - drafted):
            self._delete(annotations[task])
        deleted = before - changed - drafted
        return Deletion(frozenset(deleted), frozenset(changed), frozenset(drafted))

    def _create(self, project: int, version: str, tasks: Sequence[int]) -> None:
        def send(left: Sequence[int]) -> None:
            for part in self.request_size.parts(left):
                action, filters = "predictions_to_annotations", joined([_UNANNOTATED])
                self._calls.action(project, action, part, model_version=version, filters=filters)

        self._send_once(tasks, send, lambda sent: self._unannotated(project, sent))

    def _when_counted(self, project: int, tasks: Collection[int]) -> list[JsonObject]:
        """Return the rows of these tasks once their annotations are counted, or late.

        With a Redis, Label Studio counts in the background.
        """
        waited, rows = 0.0, self._rows(project, tasks, _FIELDS_TO_SHOW)
        while waited < _COUNTED_AFTER and not all(map(_is_counted, rows)):
            self._send_once.pause(_BETWEEN_COUNTS)
            waited += _BETWEEN_COUNTS
            rows = self._rows(project, tasks, _FIELDS_TO_SHOW)
        return rows

    def _keep_one(self, rows: Sequence[JsonObject], version: str) -> dict[int, int]:
        """Keep one annotation of ours a task, and none where somebody else has one.

        Also none where Label Studio has not counted it.
        """
        is_ours, kept = self._ours(version), dict[int, int]()
        for row in rows:
            ours = sorted(one["id"] for one in row["annotations"] if is_ours(row, one))
            is_only_ours = len(ours) == len(row["annotations"])
            stays = bool(ours) and is_only_ours and _is_counted(row)
            for annotation in ours[1:] if stays else ours:
                self._delete(annotation)
            if stays:
                kept[row["id"]] = ours[0]
        return kept

    def _ours(self, version: str) -> Callable[[JsonObject, JsonObject], bool]:
        """Tell whether an annotation of a row is ours."""
        owner = self._owner

        def is_ours(row: JsonObject, annotation: JsonObject) -> bool:
            made_from = annotation["parent_prediction"]
            return (
                made_from in _predictions(row, version)
                and annotation["completed_by"] == owner
                and annotation["lead_time"] is None
                and not annotation["updated_by"]
            )

        return is_ours

    @cached_property
    def _owner(self) -> int:
        """The user whose token this is."""
        return int(self._calls.object("GET", "/api/current-user/whoami")["id"])

    def _drafted(self, project: int, annotations: Mapping[int, int]) -> set[int]:
        """Tasks with a draft of the given annotation, by any user.

        The rows of a listing contain only drafts of the token's owner.
        """
        drafts = [where("draft_exists", "equal", True)]
        rows = self._tasks.among(project, annotations, ("id",), filters=drafts)
        return {
            row["id"]
            for row in rows
            for draft in self._calls.array(f"/api/tasks/{row['id']}/drafts")
            if draft["annotation"] == annotations[row["id"]]
        }

    def _unannotated(self, project: int, tasks: Collection[int]) -> list[int]:
        """Return those of the tasks that nobody annotated or skipped, without reading the others.

        To read the annotations and predictions of a task takes Label Studio four times as long.
        """
        return [
            row["id"] for row in self._tasks.among(project, tasks, ("id",), filters=[_UNANNOTATED])
        ]

    def _rows(
        self, project: int, tasks: Collection[int], fields: Sequence[str] = _FIELDS
    ) -> list[JsonObject]:
        return list(self._tasks.among(project, tasks, fields, "all"))

    def _delete(self, annotation: int) -> None:
        self._calls.delete(f"/api/annotations/{annotation}/")


def _as_labeled(row: JsonObject) -> JsonObject:
    return {name: row[name] for name in _AS_LABELED}


def _standing(rows: Sequence[JsonObject], annotations: Mapping[int, int]) -> dict[int, JsonObject]:
    """Those of the annotations, by task, that exist."""
    return {
        row["id"]: one
        for row in rows
        for one in row["annotations"]
        if one["id"] == annotations[row["id"]]
    }


def _predictions(row: JsonObject, version: str) -> Iterator[int]:
    return (one["id"] for one in row["predictions"] if one["model_version"] == version)


def _is_waiting(row: JsonObject, version: str) -> bool:
    """Whether a task has a prediction of the version, and no annotation or skip yet."""
    return not row["annotations"] and any(_predictions(row, version))


def _is_settled(row: JsonObject, version: str) -> bool:
    """Whether no call that accepts this task can still be running."""
    return not _is_waiting(row, version) and _is_counted(row)


def _is_counted(row: JsonObject) -> bool:
    """Whether Label Studio lists the task as labeled if it has an annotation."""
    return row["total_annotations"] > 0 or all(one["was_cancelled"] for one in row["annotations"])


def _require_parents(rows: Sequence[JsonObject]) -> None:
    made = [one for row in rows for one in row["annotations"] if one["lead_time"] is None]
    if made and all(one["parent_prediction"] is None for one in made):
        raise Rejected(
            f"annotations {[one['id'] for one in made[:5]]} do not name the predictions that they"
            " were made from",
            "Delete them, and report this with the version of your Label Studio",
        )
