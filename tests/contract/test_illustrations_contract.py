"""What every implementation of `backend.ports.stores.Illustrations` does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from backend.domain.answers import ImageRef
from backend.domain.errors import UnreadableImage
from backend.domain.ids import JobId, TaskId
from backend.domain.jobs import Job
from backend.ports.stores import Illustrations
from backend.presentation.report_images import JobImages
from tests.fakes.domain import a_job
from tests.fakes.illustrations import FakeIllustrations

UNREADABLE = TaskId(2)
REPORT = {"notes": {}, "confidence_histogram": []}
REFS = [ImageRef(TaskId(task), f"{task}.png") for task in (3, 2, 1)]


@dataclass(frozen=True)
class Scene:
    """Illustrations, and the tasks whose images are shown beside the report of a job."""

    illustrations: Illustrations
    shown: Callable[[JobId], Sequence[TaskId]]


def real(folder: Path) -> Scene:
    def write_preview(ref: ImageRef, target: Path) -> None:
        if ref.task == UNREADABLE:
            raise UnreadableImage("404")
        target.write_bytes(b"a small JPEG")

    def shown(job: JobId) -> Sequence[TaskId]:
        names = (path.stem for path in (folder / job).glob("task-*.jpg"))
        return sorted(TaskId(int(name.removeprefix("task-"))) for name in names)

    return Scene(JobImages(lambda job: folder / job.id, lambda _: (), write_preview), shown)


def fake() -> Scene:
    illustrations = FakeIllustrations(unreadable=frozenset({UNREADABLE}))
    return Scene(illustrations, lambda job: sorted(illustrations.shown.get(job, ())))


@pytest.fixture(params=["fake", "files"])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Scene:
    return fake() if request.param == "fake" else real(tmp_path)


@pytest.fixture
def job() -> Job:
    return a_job()


def test_the_hardest_images_are_shown_but_for_those_that_cannot_be_read(scene: Scene, job: Job):
    scene.illustrations.draw(job, REPORT, REFS)
    assert scene.shown(job.id) == [1, 3]


def test_a_report_without_figures_and_hard_examples_is_no_error(scene: Scene, job: Job):
    scene.illustrations.draw(job, REPORT, [])
    assert scene.shown(job.id) == []


def test_each_job_has_illustrations_of_its_own(scene: Scene, job: Job):
    other = a_job("job-2")
    scene.illustrations.draw(job, REPORT, REFS[:1])
    scene.illustrations.draw(other, REPORT, REFS[2:])
    assert (scene.shown(job.id), scene.shown(other.id)) == ([3], [1])
