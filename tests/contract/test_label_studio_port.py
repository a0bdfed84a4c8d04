"""The fake Label Studio keeps the contract of the port."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from backend.domain.answers import Choices
from backend.domain.ids import ControlName, Label, ProjectId, TaskId
from backend.label_studio.tabs import TABS
from tests.contract.label_studio_port import LabelStudioContract
from tests.fakes.label_studio import FIRST, FakeLabelStudio


@dataclass
class FakeScene:
    """Implements `tests.contract.label_studio_port.Scene`."""

    label_studio: FakeLabelStudio
    tasks: Sequence[TaskId]
    project: ProjectId = FIRST

    def annotate(self, task: TaskId, label: str) -> None:
        self.label_studio.people[task] = {ControlName("c"): Choices((Label(label),))}

    def skip(self, task: TaskId) -> None:
        self.label_studio.skipped.add(task)

    def delete(self, task: TaskId) -> None:
        del self.label_studio.people[task]

    def correct(self, task: TaskId, label: str) -> None:
        self.label_studio.correct(task, {ControlName("c"): Choices((Label(label),))})

    def draft(self, task: TaskId) -> None:
        self.label_studio.drafted.add(task)

    def annotate_as_opened(self, task: TaskId, label: str) -> None:
        self.annotate(task, label)
        if any(of == task for of, _ in self.label_studio.predictions):
            self.label_studio.seen.add(task)

    def listed(self, title: str) -> Sequence[TaskId]:
        return self.label_studio.lists[title]

    def tab_titles(self) -> set[str]:
        standard = {tab.title for tab in TABS} if self.label_studio.has_tabs else set()
        standard |= set(self.label_studio.walls)
        return standard | {title for title, tasks in self.label_studio.lists.items() if tasks}


class TestFakeLabelStudio(LabelStudioContract):
    @pytest.fixture
    def scene(self) -> FakeScene:
        tasks = [TaskId(number) for number in range(1, 7)]
        return FakeScene(FakeLabelStudio(people=dict.fromkeys(tasks)), tasks)
