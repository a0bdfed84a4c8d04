"""Versions that are forgotten with the test; models are written below a given folder."""

from collections.abc import Callable, Sequence
from pathlib import Path

from backend.domain.errors import NotFound
from backend.domain.ids import ControlName, ProjectId, VersionName
from backend.domain.version_names import control_folder
from backend.domain.versions import ModelVersion


class FakeVersions:
    def __init__(self, root: Path) -> None:
        self._root = root
        self._cards: dict[ProjectId, list[ModelVersion]] = {}
        self._current: dict[ProjectId, VersionName] = {}
        self._published = 0

    def publish(
        self,
        project: ProjectId,
        card: Callable[[VersionName], ModelVersion],
        write: Callable[[Path], None],
    ) -> ModelVersion:
        name = VersionName(f"al-{self._published + 1:04d}-0000")
        folder = self._root / name
        folder.mkdir(parents=True)
        write(folder)
        self._published += 1
        version = card(name)
        self._cards.setdefault(project, []).insert(0, version)
        return version

    def all(self, project: ProjectId) -> Sequence[ModelVersion]:
        return tuple(self._cards.get(project, ()))

    def get(self, project: ProjectId, version: VersionName) -> ModelVersion:
        for card in self.all(project):
            if card.name == version:
                return card
        raise NotFound(f"project {project} has no version {version}")

    def folder(self, project: ProjectId, version: VersionName, control: ControlName) -> Path:
        if control not in self.get(project, version).kinds:
            raise NotFound(f"version {version} has no control '{control}'")
        return control_folder(self._root / version, control)

    def current(self, project: ProjectId) -> ModelVersion | None:
        name = self._current.get(project)
        return self.get(project, name) if name else None

    def activate(self, project: ProjectId, version: VersionName) -> ModelVersion:
        card = self.get(project, version)
        self._current[project] = version
        return card

    def prune(self, project: ProjectId, keep: int) -> Sequence[VersionName]:
        current = self.current(project)
        needed = {current.name, current.parent} if current else set()
        gone = [card.name for card in self.all(project)[keep:] if card.name not in needed]
        self._cards[project] = [card for card in self.all(project) if card.name not in gone]
        return gone
