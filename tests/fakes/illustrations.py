"""Illustrations that are not drawn; implements `backend.ports.stores.Illustrations`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from backend.domain.answers import ImageRef
from backend.domain.ids import TaskId
from backend.domain.jobs import Job


@dataclass
class FakeIllustrations:
    """`shown` collects the tasks of the hardest images, one entry for each report."""

    shown: list[list[TaskId]] = field(default_factory=list)

    def draw(self, job: Job, report: Mapping[str, Any], hardest: Sequence[ImageRef]) -> None:
        self.shown.append([ref.task for ref in hardest])
