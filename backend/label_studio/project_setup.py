"""Do what a person does in Label Studio before and after a job, for the trial run."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from backend.domain.ids import ProjectId, TaskId, VersionName
from backend.domain.json import Json
from backend.label_studio.errors import errors_translated
from connectors.label_studio.client import LabelStudioClient


class ProjectSetup:
    """Creates a project, uploads and annotates images, and reads the predictions."""

    def __init__(self, client: LabelStudioClient) -> None:
        self._client = client

    def create(self, title: str, label_config: str) -> ProjectId:
        with errors_translated():
            return ProjectId(self._client.projects.create(title, label_config)["id"])

    def upload(self, project: ProjectId, images: Sequence[Path]) -> list[TaskId]:
        """Create a task for each image, in order."""
        with errors_translated():
            return [TaskId(task) for task in self._client.tasks.upload_images(project, images)]

    def annotate(self, task: TaskId, result: Sequence[Json]) -> None:
        with errors_translated():
            self._client.annotations.create(task, [dict(one) for one in result])

    def predictions(self, project: ProjectId, version: VersionName) -> Iterator[Json]:
        """Yield the predictions of a version, with `task` and `result`."""
        with errors_translated():
            yield from self._client.predictions.of_version(project, version)
