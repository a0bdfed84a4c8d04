"""Delete the annotations of many tasks in one call that spares what people do meanwhile.

The Data Manager's action "Delete Annotations" deletes all annotations and drafts of the tasks that
match its filters when it runs, however late. So the filters say what must still hold then: nobody
added an annotation to the task, began a draft of it, or changed the one that it has. Label Studio
checks this in the statement that reads what to delete:

- `annotations_ids`: no annotation is newer than ours, whoever made it.
- `draft_exists`: nobody has a draft, neither of our annotation nor of another one.
- `avg_lead_time`: nobody submitted a change in the editor, which stores how long that took.
- `updated_at`: the task has not changed since it was listed, as it does with each change of an
  annotation through the API.

A change that is stored while that statement runs is lost, as with a deletion by id.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from connectors.label_studio.calls import FEWEST_AT_ONCE, Calls, JsonObject
from connectors.label_studio.filters import HIGHEST_ID, joined, where

FIELDS = ("id", "updated_at", "total_annotations", "annotations", "lead_time", "updated_by")
"""What the rows of `UntouchedAnnotations.delete` must contain."""


class UntouchedAnnotations:
    """Deletes annotations that are the only ones of their tasks."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def delete(
        self, project: int, rows: Sequence[JsonObject], annotations: Mapping[int, int]
    ) -> bool:
        """Delete those of the annotations, given by task, that nobody touched before or meanwhile.

        `rows` are the tasks as listed. Whoever calls this lists the tasks again to learn what was
        deleted; False if that is not necessary, because nothing was requested. Where Label Studio
        refuses or does not answer, the annotations may be deleted by id.
        """
        chosen = [row for row in rows if _is_untouched(row, annotations)]
        if len(chosen) < FEWEST_AT_ONCE:
            return False
        tasks = [row["id"] for row in chosen]
        newest = max(annotations[task] for task in tasks)
        listed = max(datetime.fromisoformat(row["updated_at"]) for row in chosen)
        filters = joined(_still_untouched(newest, listed))
        self._calls.delete_at_once(project, "delete_tasks_annotations", tasks, filters)
        return True


def _still_untouched(newest: int, listed: datetime) -> list[JsonObject]:
    """Match tasks without a draft, without a change since `listed`, and without the work of people.

    No annotation has an id above `newest`.
    """
    return [
        where("updated_at", "less_or_equal", listed),
        where("total_annotations", "equal", 1),
        where("draft_exists", "equal", False),
        where("avg_lead_time", "empty", True),
        where("annotations_ids", "not_in", {"min": newest + 1, "max": HIGHEST_ID}),
    ]


def _is_untouched(row: JsonObject, annotations: Mapping[int, int]) -> bool:
    """Whether the given annotation is the only one of a task, counted, and nobody changed it."""
    match row["annotations"]:
        case [{"id": int(only), "lead_time": None, "updated_by": None}]:
            return only == annotations[row["id"]] and row["total_annotations"] == 1
        case _:
            return False
