"""Lists of chosen tasks, each shown in a Data Manager tab."""

from dataclasses import dataclass

from backend.domain.ids import TaskId, VersionName
from backend.domain.tab_titles import ListOrder
from backend.domain.version_names import list_place


@dataclass(frozen=True, slots=True)
class TaskList:
    """The tasks of a tab, in order; an empty list means no tab.

    A `wall` shows the images side by side in place of a table, until they are labeled.
    """

    title: str
    tasks: tuple[TaskId, ...]
    order: ListOrder = ListOrder.AS_GIVEN
    wall: bool = False


@dataclass(frozen=True, slots=True)
class ListDraft:
    """A list that no tab shows yet, with the name of its edition."""

    tasks: TaskList
    edition: str

    @property
    def markers(self) -> tuple[tuple[TaskId, VersionName], ...]:
        """The model version that marks each task, once."""
        each_once = dict.fromkeys(self.tasks.tasks)
        return tuple(
            (task, list_place(self.edition, position, len(each_once)))
            for position, task in enumerate(each_once)
        )
