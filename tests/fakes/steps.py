"""The steps of a job that no queue watches."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from backend.domain.steps import Step
from backend.ports.progress import Progress


def quiet(_step: Step, _done: int, _of: int, _detail: str = "") -> None:
    """Ignore progress."""


@dataclass
class FakeSteps:
    """Implements `backend.ports.progress.Steps`; every step takes one second."""

    progress: Progress = quiet
    seconds: dict[Step, float] = field(default_factory=dict)

    def spent(self, seconds: Mapping[Step, float]) -> None:
        for step, more in seconds.items():
            self.seconds[step] = self.seconds.get(step, 0.0) + more

    @contextmanager
    def __call__(self, step: Step) -> Generator[Progress]:
        self.spent({step: 1})
        self.progress(step, 0, 1)
        yield self.progress
