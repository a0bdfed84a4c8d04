"""Illustrations that are not drawn; implements `backend.ports.stores.Illustrations`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from backend.domain.answers import ImageRef
from backend.domain.ids import JobId, TaskId
from backend.domain.jobs import Job


@dataclass
class FakeIllustrations:
    """`shown` holds the tasks of the hardest images of each job; `unreadable` are left out."""

    unreadable: frozenset[TaskId] = frozenset()
    shown: dict[JobId, Sequence[TaskId]] = field(default_factory=dict)

    def draw(self, job: Job, report: Mapping[str, Any], hardest: Sequence[ImageRef]) -> None:
        self.shown[job.id] = [ref.task for ref in hardest if ref.task not in self.unreadable]
