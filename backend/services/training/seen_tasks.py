"""Record which tasks a version has seen: those it was trained on or measured on.

The record is in the version's folder and includes the training tasks of the version that it
continued from. An image that a model was trained on is never held out later, and one that a version
has seen cannot certify it: the metrics would be too good.
"""

import json
from pathlib import Path

from backend.domain.ids import TaskId
from backend.domain.versions import ModelVersion
from backend.ports.model_family import TrainingSet
from backend.ports.stores import VersionFolders

FILE = "taught.json"  # a name from before the glossary; published folders contain it


def write(folder: Path, training_set: TrainingSet) -> None:
    """Write the record into the folder of a control."""
    trained_on = read(training_set.previous) | set(training_set.train.tasks)
    record = {"trained_on": sorted(trained_on), "measured": sorted(training_set.held_out.tasks)}
    (folder / FILE).write_text(json.dumps(record), "utf-8")


def read(folder: Path | None) -> frozenset[TaskId]:
    """Return the tasks that a control was trained on; none without a version or a record."""
    return _read(folder, "trained_on")


def of_version(versions: VersionFolders, version: ModelVersion) -> frozenset[TaskId]:
    """Return the tasks that any control of a version has seen."""
    folders = [versions.folder(version.project, version.name, name) for name in version.kinds]
    return frozenset[TaskId]().union(*map(of_control, folders))


def of_control(folder: Path) -> frozenset[TaskId]:
    """Return the tasks that one control of a version has seen."""
    return _read(folder, "trained_on") | _read(folder, "measured")


def _read(folder: Path | None, part: str) -> frozenset[TaskId]:
    if folder is None or not (folder / FILE).is_file():
        return frozenset()
    return frozenset(map(TaskId, json.loads((folder / FILE).read_text("utf-8"))[part]))
