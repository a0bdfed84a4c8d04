"""Synchronize a project with a folder: images become tasks, label files annotations, and back.

Nothing is done twice. Whether an image has a task is read from Label Studio each time, so a
synchronization that broke off goes on where it was. Only a task without any annotation gets the
labels of a file, and no task is changed otherwise.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any, Protocol

from backend.domain.answers import Answer, Choices, LabeledImage, Regions
from backend.domain.errors import BadInput
from backend.domain.ids import ControlName, ProjectId, TaskId
from backend.domain.json import Json
from backend.domain.schema import LabelSchema
from backend.domain.side_cars import FolderFile, SideCar, Skipped, SyncReport
from backend.label_studio import codec, labeling_config
from backend.policies import side_cars
from backend.ports.folders import ImageFolder, SyncProgress
from backend.ports.label_studio import ProjectReader, TaskResults
from backend.ports.stores import Ledgers

IMPORTED_AT_ONCE = 100
RECORD = "autolabel-labels.json"
"""The file in the folder that says of each label file who the labels are from."""


class SynchronizedProject(ProjectReader, Protocol):
    """A project whose tasks are read, created, and labeled."""

    def task_results(self, project: ProjectId) -> Iterator[TaskResults]:
        """As `LabelEditor.task_results`."""
        ...

    def import_tasks(self, project: ProjectId, contents: Sequence[Json]) -> Sequence[TaskId]:
        """As `LabelEditor.import_tasks`."""
        ...

    def annotate(self, task: TaskId, result: Sequence[Json]) -> None:
        """Add an annotation to a task."""
        ...


@dataclass(frozen=True, slots=True)
class _Task:
    """A task whose image is in the folder; `labeled` is None without a valid annotation."""

    id: TaskId
    is_free: bool
    labeled: LabeledImage | None
    size: tuple[int, int]


@dataclass(slots=True)
class _Pass:
    """What one synchronization knows and has done so far."""

    schema: LabelSchema
    folder: ImageFolder
    files: Mapping[str, FolderFile]
    tasks: Mapping[str, _Task]
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
        progress("listing the folder", 0, 1)
        files = {file.path: file for file in folder.files()}
        tasks = self._tasks(project, schema, folder, progress)
        going = _Pass(schema, folder, files, tasks, progress)
        images = [path for path in files if _ending(path) in side_cars.IMAGES]
        going.done = replace(going.done, images=len(images))
        self._label_tasks(going, [path for path in images if path in tasks])
        self._create(going, project, [path for path in images if path not in tasks])
        if write_back:
            self._write_back(going, project)
        return replace(going.done, skipped=tuple(going.skipped))

    def _tasks(
        self, project: ProjectId, schema: LabelSchema, folder: ImageFolder, progress: SyncProgress
    ) -> Mapping[str, _Task]:
        found = dict[str, _Task]()
        for number, one in enumerate(self.label_studio.task_results(project)):
            if number % 500 == 0:
                progress("reading tasks", number, 0)
            path = folder.path_of(codec.image_ref(one.content, schema).uri)
            if path is not None:
                labeled = codec.labeled_image(one.content, schema)
                is_free = not one.content.get("annotations")
                found[path] = _Task(one.task, is_free, labeled, _size(one))
        return found

    def _label_tasks(self, going: _Pass, paths: Sequence[str]) -> None:
        """Give tasks that nobody annotated or skipped the labels of their files."""
        free = [path for path in paths if going.tasks[path].is_free]
        for number, path in enumerate(free):
            going.progress("reading label files", number, len(free))
            result = self._result(going, path)
            if result is not None:
                self.label_studio.annotate(going.tasks[path].id, result)
                going.done = replace(going.done, labeled=going.done.labeled + 1)

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
        """Return the task of a new image as it is imported; None if the image is too large."""
        size = going.files[path].size
        if size > self.most_bytes:
            most = self.most_bytes / 1e6
            going.skip(
                path,
                f"{size / 1e6:.0f} MB, and AUTOLABEL_MAX_IMAGE_MEGABYTES allows {most:.0f}",
            )
            return None
        result = self._result(going, path)
        return {
            "data": {going.schema.data_key: going.folder.address(path)},
            "annotations": [] if result is None else [{"result": result}],
            "predictions": [],
        }

    def _result(self, going: _Pass, path: str) -> Sequence[Json] | None:
        """Return what the label file of an image says, as Label Studio stores it.

        Empty where it says that nothing is there, None where it says nothing.
        """
        try:
            label_file, found = _read(going, path)
        except BadInput as exc:
            going.skip(path, str(exc))
            return None
        if found.problem:
            going.skip(label_file, found.problem)
        return codec.results(found.answers, going.schema, found.size) if found.answers else None

    def _write_back(self, going: _Pass, project: ProjectId) -> None:
        """Write the labels of every image in the folder beside it, and whose they are."""
        accepted = self.ledgers.load(project).accepted
        authors = dict[str, Mapping[str, str]]()
        labeled = {path: task for path, task in going.tasks.items() if task.labeled}
        for number, (path, task) in enumerate(sorted(labeled.items())):
            going.progress("writing label files", number, len(labeled))
            image = task.labeled
            if image is None or not image.answers or path not in going.files:
                continue
            author = "person" if image.by_person else "import"
            by = "model, accepted" if task.id in accepted else author
            authors[path] = {"by": by, "changed": image.changed}
            for written, text in _label_files(going, path, image.answers, task.size):
                self._replace(going, written, text, image.changed)
        if authors:
            going.folder.write(RECORD, json.dumps(authors, indent=1, sort_keys=True) + "\n")

    def _replace(self, going: _Pass, path: str, text: str, changed: str) -> None:
        """Write a label file, unless it is the same already or newer than the annotation."""
        known = going.files.get(path)
        if known:
            if _text(going, path) == text:
                return
            if known.changed > datetime.fromisoformat(changed).timestamp():
                going.skip(path, "newer than the labels in Label Studio")
                return
        going.folder.write(path, text)
        going.done = replace(going.done, written=going.done.written + 1)


def _read(going: _Pass, path: str) -> tuple[str, SideCar]:
    """Return the path of the label file of an image, and what it says.

    Raises:
        BadInput: when the file cannot be read.
    """
    stem = PurePosixPath(path).with_suffix("")
    for ending in (".xml", ".txt"):
        label_file = f"{stem}{ending}"
        if label_file not in going.files:
            continue
        text = going.folder.read(label_file)
        if ending == ".xml":
            return label_file, side_cars.read_voc(text, going.schema)
        classes = _classes(going, path)
        if side_cars.is_yolo(text):
            return label_file, side_cars.read_yolo(text, classes, going.schema)
        control = side_cars.drawn(going.schema)
        if not text.strip() and classes and control and len(going.schema.controls) == 1:
            return label_file, SideCar({control.name: Regions(())})
        return label_file, side_cars.read_labels(text, going.schema)
    return path, SideCar()


def _classes(going: _Pass, path: str) -> Sequence[str]:
    """Return YOLO's class names for an image, of the nearest folder that has them."""
    for folder in PurePosixPath(path).parents:
        names = (folder / side_cars.CLASSES).as_posix()
        if names in going.files:
            return [line.strip() for line in _text(going, names).splitlines() if line.strip()]
    return ()


def _label_files(
    going: _Pass, path: str, answers: Mapping[ControlName, Answer], size: tuple[int, int]
) -> Iterator[tuple[str, str]]:
    """Yield the label files of an image: path and text."""
    stem = PurePosixPath(path).with_suffix("")
    chosen = {name: one for name, one in answers.items() if isinstance(one, Choices)}
    drawn = [one for one in answers.values() if isinstance(one, Regions)]
    classes = _classes(going, path)
    if chosen:
        yield f"{stem}.txt", side_cars.write_labels(chosen)
    for regions in drawn:
        if not chosen and {one.label for one in regions.regions} <= set(classes) and classes:
            yield f"{stem}.txt", side_cars.write_yolo(regions.regions, classes)
        elif size == (0, 0):
            going.skip(path, "the size of the image is unknown, so no rectangles can be written")
        else:
            image = PurePosixPath(path).name
            yield f"{stem}.xml", side_cars.write_voc(regions.regions, image, size)


def _text(going: _Pass, path: str) -> str:
    """Return a text file, empty if it cannot be read."""
    try:
        return going.folder.read(path)
    except BadInput:
        return ""


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
