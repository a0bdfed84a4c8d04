"""Changed annotations, counted in memory."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from backend.domain.ids import ProjectId
from backend.domain.jobs import Events


@dataclass
class FakeChanges:
    """Implements `backend.ports.jobs.AnnotationChanges`."""

    now: Callable[[], datetime]
    counted: dict[ProjectId, Events] = field(default_factory=dict)
    expected: dict[ProjectId, int] = field(default_factory=dict)

    def changed(self, project: ProjectId, annotations: int = 1) -> None:
        known, now = self.read(project), self.now()
        ours = min(annotations, self.expected.get(project, 0))
        self.expected[project] = self.expected.get(project, 0) - ours
        if annotations > ours:
            count = known.count + annotations - ours
            self.counted[project] = replace(known, count=count, last=now)

    def consumed(self, project: ProjectId, annotations: int) -> None:
        known = self.read(project)
        left = max(0, known.count - annotations)
        last = known.last if left else None
        self.counted[project] = Events(left, last, trained=self.now())

    def discount(self, project: ProjectId, annotations: int) -> None:
        known = self.read(project)
        left = max(0, known.count - annotations)
        self.expected[project] = self.expected.get(project, 0) + annotations - (known.count - left)
        self.counted[project] = replace(known, count=left, last=known.last if left else None)

    def forget(self, project: ProjectId) -> None:
        self.counted.pop(project, None)
        self.expected.pop(project, None)

    def read(self, project: ProjectId) -> Events:
        return self.counted.get(project, Events())

    def pending(self) -> Sequence[ProjectId]:
        return sorted(project for project, events in self.counted.items() if events.count)
