"""Which tasks a version learned from, kept in its folder.

The next version reads it, so that an image that once taught a model is never held out later: the
figures would flatter whoever had seen it.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from backend.domain import TaskId

FILE = "taught.json"


def write(folder: Path, tasks: Iterable[TaskId]) -> None:
    """Write the record into the folder of a control."""
    (folder / FILE).write_text(json.dumps(sorted(tasks)), "utf-8")


def read(folder: Path | None) -> frozenset[TaskId]:
    """The tasks of the previous version; none where there is no version or no record."""
    if folder is None or not (folder / FILE).is_file():
        return frozenset()
    return frozenset(map(TaskId, json.loads((folder / FILE).read_text("utf-8"))))
