"""Which tasks a version knows: those that taught it, and those that it was measured on.

Kept in the version's folder, with those that taught the version it went on from. An image that once
taught a model is never held out later, and one that is known vouches for nothing that the model
says: the figures would flatter whoever had seen it.
"""

import json
from pathlib import Path

from backend.domain.ids import TaskId
from backend.domain.versions import ModelVersion
from backend.ports.model_family import TrainingSet
from backend.ports.stores import VersionFolders

FILE = "taught.json"


def write(folder: Path, training_set: TrainingSet) -> None:
    """Write the record into the folder of a control."""
    taught = read(training_set.previous) | set(training_set.train.tasks)
    record = {"trained_on": sorted(taught), "measured": sorted(training_set.held_out.tasks)}
    (folder / FILE).write_text(json.dumps(record), "utf-8")


def read(folder: Path | None) -> frozenset[TaskId]:
    """The tasks that taught a control; none where there is no version or no record."""
    return _read(folder, "trained_on")


def known(versions: VersionFolders, version: ModelVersion) -> frozenset[TaskId]:
    """All tasks that some control of a version knows."""
    folders = [versions.folder(version.project, version.name, name) for name in version.kinds]
    return frozenset[TaskId]().union(*map(known_to, folders))


def known_to(folder: Path) -> frozenset[TaskId]:
    """All tasks that one control of a version knows."""
    return _read(folder, "trained_on") | _read(folder, "measured")


def _read(folder: Path | None, part: str) -> frozenset[TaskId]:
    if folder is None or not (folder / FILE).is_file():
        return frozenset()
    return frozenset(map(TaskId, json.loads((folder / FILE).read_text("utf-8"))[part]))
