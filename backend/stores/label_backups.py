"""Backups of label operations, which are their journals too: one file of JSON lines each.

    projects/<id>/label-backups/<name>.jsonl    the operation, then everything before its change
    projects/<id>/label-backups/<name>.files/   copies of deleted image files

A line is on disk before what it describes is changed. The last line of a process that was killed
may be cut off; nothing was changed for it. An operation without the line `done` is unfinished.
"""

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

from pydantic import TypeAdapter

from backend.domain.errors import BadInput, NotFound
from backend.domain.ids import ProjectId
from backend.domain.json import Json, JsonObject
from backend.domain.label_edits import LabelEdit
from backend.stores.atomic_files import room_for, sync
from backend.stores.validation import parse_json

_EDIT = TypeAdapter(LabelEdit)
_SUFFIX = ".jsonl"


class LabelBackupFiles:
    """Implements `backend.ports.stores.LabelBackups`."""

    def __init__(self, data_dir: Path) -> None:
        self._projects = data_dir / "projects"

    def begin(self, project: ProjectId, name: str, edit: LabelEdit, label_config: str) -> None:
        head = {
            "what": "edit",
            "project": project,
            "edit": _EDIT.dump_python(edit, mode="json"),
            "label_config": label_config,
        }
        self.append(project, name, [head])

    def append(self, project: ProjectId, name: str, rows: Sequence[Json]) -> None:
        path = self.path(project, name)
        with room_for(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a+b") as file:
                if _is_cut_off(path):
                    file.write(b"\n")
                file.writelines(json.dumps(row).encode() + b"\n" for row in rows)
                file.flush()
                os.fsync(file.fileno())
            sync(path.parent)

    def rows(self, project: ProjectId, name: str) -> Iterator[Json]:
        path = self.path(project, name)
        if not path.is_file():
            raise NotFound(f"there is no backup {path}")
        with path.open("rb") as file:
            for line in file:
                row = _parsed(line)
                if row is not None:
                    yield row

    def edit(self, project: ProjectId, name: str) -> tuple[LabelEdit, str]:
        nothing: Json = {}
        head: Json = next(self.rows(project, name), nothing)
        if head.get("what") != "edit" or head.get("project") != project:
            path = self.path(project, name)
            raise BadInput(f"{path} is no backup of labels of project {project}")
        edit = parse_json(_EDIT, json.dumps(head["edit"]), f"a backup ({name})")
        return edit, str(head["label_config"])

    def unfinished(self, project: ProjectId) -> str | None:
        for path in sorted(self._folder(project).glob(f"*{_SUFFIX}"), reverse=True):
            states = [row["what"] for row in self.rows(project, path.stem)]
            return None if {"done", "restored"} & {*states} else path.stem
        return None

    def keep_file(self, project: ProjectId, name: str, source: Path) -> str:
        folder = self._folder(project) / f"{name}.files"
        with room_for(folder):
            folder.mkdir(parents=True, exist_ok=True)
            copy = folder / f"{len(list(folder.iterdir())):06d}-{source.name}"
            shutil.copy2(source, copy)
            sync(copy)
        return copy.name

    def bring_back(self, project: ProjectId, name: str, copy: str, target: Path) -> bool:
        kept = self._folder(project) / f"{name}.files" / copy
        if target.exists() or not kept.is_file():
            return False
        with room_for(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(kept, target)
        return True

    def path(self, project: ProjectId, name: str) -> Path:
        return self._folder(project) / f"{name}{_SUFFIX}"

    def adopt(self, project: ProjectId, file: Path) -> str:
        name = file.name.removesuffix(_SUFFIX)
        known = self.path(project, name)
        if not known.is_file():
            if not file.is_file():
                raise NotFound(f"there is no backup {file}", f"Backups are in {known.parent}")
            with room_for(known):
                known.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(file, known)
        self.edit(project, name)
        return name

    def _folder(self, project: ProjectId) -> Path:
        return self._projects / str(project) / "label-backups"


def _is_cut_off(path: Path) -> bool:
    """Whether the last line has no end: its process was killed."""
    with path.open("rb") as file:
        if not file.seek(0, os.SEEK_END):
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def _parsed(line: bytes) -> JsonObject | None:
    try:
        row: object = json.loads(line)
    except ValueError:
        return None
    return cast("JsonObject", row) if isinstance(row, dict) and "what" in row else None
