"""Synchronize a project with a folder: images become tasks, label files annotations, and back.

Nothing is done twice. Whether an image has a task is read from Label Studio each time, so a
synchronization that broke off goes on where it was. Only a task without any annotation gets the
labels of a file, and no task is changed otherwise.

All tasks are listed without their annotations and predictions, which take Label Studio ten times as
long. They are read of those tasks only whose labels are about to be written, on either side.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any, Protocol

from backend.domain.answers import LabeledImage
from backend.domain.errors import BadInput
from backend.domain.ids import ProjectId, TaskId
from backend.domain.json import Json
from backend.domain.schema import LabelSchema
from backend.domain.side_cars import FolderFile, Skipped, SyncReport
from backend.label_studio import codec, labeling_config
from backend.policies import side_cars
from backend.policies.item_checks import images_only
from backend.ports.folders import ImageFolder, SyncProgress
from backend.ports.label_studio import ProjectReader, TaskResults, TaskSummary
from backend.ports.stores import Ledgers
from backend.services.label_files import LabelFiles
from backend.services.project_tasks import REPORT_EVERY

IMPORTED_AT_ONCE, LABELED_AT_ONCE = 100, 100
RECORD = "autolabel-labels.json"
"""The file in the folder that says of each label file who the labels are from."""


class SynchronizedProject(ProjectReader, Protocol):
    """A project whose tasks are read, created, and labeled."""

    def task_summaries(self, project: ProjectId) -> Iterator[TaskSummary]:
        """Yield all tasks in order of task id."""
        ...

    def results_among(self, project: ProjectId, tasks: Collection[TaskId]) -> Iterator[TaskResults]:
        """As `LabelEditor.task_results`, of those of these tasks that exist."""
        ...

    def import_tasks(self, project: ProjectId, contents: Sequence[Json]) -> Sequence[TaskId]:
        """As `LabelEditor.import_tasks`."""
        ...

    def annotate(self, task: TaskId, result: Sequence[Json]) -> None:
        """Add an annotation to a task."""
        ...


@dataclass(frozen=True, slots=True)
class _Labeled:
    """The labels of a task whose image is in the folder; `size` is (0, 0) where none tells it."""

    task: TaskId
    image: LabeledImage
    size: tuple[int, int]


@dataclass(slots=True)
class _Pass:
    """What one synchronization knows and has done so far."""

    schema: LabelSchema
    folder: ImageFolder
    files: Mapping[str, FolderFile]
    labels: LabelFiles
    tasks: Mapping[str, TaskSummary]
    progress: SyncProgress
    done: SyncReport = field(default_factory=SyncReport)
    skipped: list[Skipped] = field(default_factory=list[Skipped])

    def skip(self, path: str, reason: str) -> None:
        self.skipped.append(Skipped(path, reason))


@dataclass(frozen=True, slots=True)
class Synchronization:
    """The use case; `most_bytes` is the size of the largest image that is taken."""

    label_studio: SynchronizedProject
    ledgers: Ledgers
    most_bytes: int

    def __call__(
        self,
        project: ProjectId,
        folder: ImageFolder,
        progress: SyncProgress,
        *,
        write_back: bool = False,
    ) -> SyncReport:
        """Make tasks for new images and read their label files; then write labels, if asked.

        Raises:
            BadInput: when the folder or the labeling config cannot be used.
        """
        schema = labeling_config.parse(self.label_studio.project(project).label_config)
        if unfit := images_only(schema, "folders are synchronized"):
            raise BadInput(unfit[0].message, unfit[0].hint)
        progress("listing the folder", 0, 1)
        files = {file.path: file for file in folder.files()}
        tasks = self._tasks(project, schema, folder, progress)
        labels = LabelFiles(folder, files, schema)
        going = _Pass(schema, folder, files, labels, tasks, progress)
        images = [path for path in files if _ending(path) in side_cars.IMAGES]
        going.done = replace(going.done, images=len(images))
        self._label_tasks(going, project, [path for path in images if path in tasks])
        self._create(going, project, [path for path in images if path not in tasks])
        if write_back:
            self._write_back(going, project)
        return replace(going.done, skipped=tuple(going.skipped))

    def _tasks(
        self, project: ProjectId, schema: LabelSchema, folder: ImageFolder, progress: SyncProgress
    ) -> Mapping[str, TaskSummary]:
        """Return the tasks whose images are in the folder, by their path there."""
        found = dict[str, TaskSummary]()
        for number, one in enumerate(self.label_studio.task_summaries(project)):
            if number % REPORT_EVERY == 0:
                progress("reading tasks", number, 0)
            path = folder.path_of(codec.image_ref(one.content, schema).uri)
            if path is not None:
                found[path] = one
        return found

    def _label_tasks(self, going: _Pass, project: ProjectId, paths: Sequence[str]) -> None:
        """Give tasks that nobody annotated or skipped the labels of their files."""
        free = [path for path in paths if not going.tasks[path].annotations]
        for start in range(0, len(free), LABELED_AT_ONCE):
            results = dict[TaskId, Sequence[Json]]()
            for number, path in enumerate(free[start : start + LABELED_AT_ONCE], start):
                going.progress("reading label files", number, len(free))
                result = self._result(going, path)
                if result is not None:
                    results[going.tasks[path].task] = result
            for task in self._untouched(project, results):
                self.label_studio.annotate(task, results[task])
                going.done = replace(going.done, labeled=going.done.labeled + 1)

    def _untouched(self, project: ProjectId, tasks: Collection[TaskId]) -> Sequence[TaskId]:
        """Return the tasks without annotations and skips, which Label Studio counts late."""
        if not tasks:
            return ()
        found = self.label_studio.results_among(project, tasks)
        return [one.task for one in found if not one.content.get("annotations")]

    def _create(self, going: _Pass, project: ProjectId, paths: Sequence[str]) -> None:
        for start in range(0, len(paths), IMPORTED_AT_ONCE):
            going.progress("creating tasks", start, len(paths))
            contents = [
                self._content(going, path) for path in paths[start : start + IMPORTED_AT_ONCE]
            ]
            fitting = [one for one in contents if one is not None]
            if not fitting:
                continue
            self.label_studio.import_tasks(project, fitting)
            labeled = sum(1 for one in fitting if one["annotations"])
            done = going.done
            going.done = replace(
                done, created=done.created + len(fitting), labeled=done.labeled + labeled
            )

    def _content(self, going: _Pass, path: str) -> Mapping[str, Any] | None:
        """Return the task of a new image as it is imported; None if the image is left out."""
        size = going.files[path].size
        if size > self.most_bytes:
            most = self.most_bytes / 1e6
            going.skip(
                path,
                f"{size / 1e6:.0f} MB, and AUTOLABEL_MAX_IMAGE_MEGABYTES allows {most:.0f}",
            )
            return None
        try:
            address = going.folder.address(path)
        except BadInput as exc:
            going.skip(path, str(exc))
            return None
        result = self._result(going, path)
        return {
            "data": {going.schema.data_key: address},
            "annotations": [] if result is None else [{"result": result}],
            "predictions": [],
        }

    def _result(self, going: _Pass, path: str) -> Sequence[Json] | None:
        """Return what the label file of an image says, as Label Studio stores it.

        Empty where it says that nothing is there, None where it says nothing.
        """
        label_file, found = going.labels.read(path)
        if found.problem:
            going.skip(label_file, found.problem)
        return codec.results(found.answers, going.schema, found.size) if found.answers else None

    def _write_back(self, going: _Pass, project: ProjectId) -> None:
        """Write the labels of every image in the folder beside it, and whose they are."""
        accepted = self.ledgers.load(project).accepted
        authors = dict[str, Mapping[str, str]]()
        claimed = dict[str, str]()
        labeled = self._labeled(going, project)
        for number, (path, one) in enumerate(sorted(labeled.items())):
            going.progress("writing label files", number, len(labeled))
            author = "person" if one.image.by_person else "import"
            by = "model, accepted" if one.task in accepted else author
            authors[path] = {"by": by, "changed": one.image.changed}
            self._write(going, path, one.image, one.size, claimed)
        if authors:
            record = json.dumps(authors, indent=1, sort_keys=True) + "\n"
            if RECORD not in going.files or going.labels.text(RECORD) != record:
                going.folder.write(RECORD, record)

    def _labeled(self, going: _Pass, project: ProjectId) -> Mapping[str, _Labeled]:
        """Read the labels of the images in the folder, by their path there."""
        paths = {
            one.task: path
            for path, one in going.tasks.items()
            if one.annotations and path in going.files
        }
        found = dict[str, _Labeled]()
        for number, one in enumerate(self.label_studio.results_among(project, paths)):
            if number % REPORT_EVERY == 0:
                going.progress("reading labels", number, len(paths))
            image = codec.labeled_image(one.content, going.schema)
            if image and image.answers:
                found[paths[one.task]] = _Labeled(one.task, image, _size(one))
        return found

    def _write(
        self,
        going: _Pass,
        path: str,
        image: LabeledImage,
        size: tuple[int, int],
        claimed: dict[str, str],
    ) -> None:
        """Write the label files of one image, unless they say the same already.

        `claimed` maps the files written so far to their image.
        """
        try:
            composed = list(going.labels.compose(path, image.answers, size))
        except BadInput as exc:
            going.skip(path, str(exc))
            return
        label_file, said = going.labels.read(path)
        if said.answers and side_cars.agree(said.answers, image.answers):
            claimed.setdefault(label_file, path)
            return
        for written, text in composed:
            other = claimed.setdefault(written, path)
            if other == path:
                self._replace(going, written, text, image.changed)
            else:
                going.skip(path, f"its label file {written} is the one of {other}")

    def _replace(self, going: _Pass, path: str, text: str, changed: str) -> None:
        """Write a label file, unless it is the same already or newer than the annotation."""
        known = going.files.get(path)
        if known:
            if going.labels.text(path) == text:
                return
            if known.changed > datetime.fromisoformat(changed).timestamp():
                going.skip(path, "newer than the labels in Label Studio")
                return
        going.folder.write(path, text)
        going.done = replace(going.done, written=going.done.written + 1)


def _size(task: TaskResults) -> tuple[int, int]:
    """Return width and height of the image, as a region of the task tells them, else (0, 0)."""
    for stored in task.results:
        for one in stored.result:
            width, height = one.get("original_width"), one.get("original_height")
            if isinstance(width, int) and isinstance(height, int) and width > 0 and height > 0:
                return width, height
    return 0, 0


def _ending(path: str) -> str:
    return PurePosixPath(path).suffix.lstrip(".").lower()
