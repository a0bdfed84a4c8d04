"""Model versions in memory; implements `backend.ports.stores.Versions`."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from backend.domain.errors import BadInput, NotFound
from backend.domain.ids import ControlName, Label, ProjectId, VersionName
from backend.domain.version_names import TRAINED, control_folder
from backend.domain.versions import ModelVersion
from backend.stores.versions import version_from_json


@dataclass
class FakeVersions:
    """`cards` are listed as they are, so newest first; models are written below `root`."""

    cards: list[ModelVersion] = field(default_factory=list)
    active: dict[ProjectId, VersionName] = field(default_factory=dict)
    root: Path = Path("/nonexistent")

    def publish(
        self,
        project: ProjectId,
        card: Callable[[VersionName], ModelVersion],
        write: Callable[[Path], None],
        origin: str = TRAINED,
    ) -> ModelVersion:
        name = VersionName(f"{origin}-{len(self.cards) + 1:04d}-0000")
        folder = self.root / name
        folder.mkdir(parents=True)
        write(folder)
        version = card(name)
        self.cards.insert(0, version)
        return version

    def adopt(self, project: ProjectId, source: Path) -> ModelVersion:
        if not (source / "card.json").exists():
            raise BadInput(f"{source} is not a version")
        card = version_from_json((source / "card.json").read_bytes())

        def copy(folder: Path) -> None:
            shutil.copytree(source, folder, dirs_exist_ok=True)

        return self.publish(project, lambda name: replace(card, name=name, project=project), copy)

    def read(self, source: Path) -> ModelVersion:
        return version_from_json((source / "card.json").read_bytes())

    def relabel(
        self, project: ProjectId, version: VersionName, mapping: Mapping[Label, Label], reason: str
    ) -> ModelVersion:
        card = replace(self.get(project, version).relabeled(mapping), parent=version, reason=reason)
        source = self.root / version

        def copy(folder: Path) -> None:
            if source.is_dir():
                shutil.copytree(source, folder, dirs_exist_ok=True)

        return self.publish(project, lambda name: replace(card, name=name), copy)

    def all(self, project: ProjectId) -> Sequence[ModelVersion]:
        return [card for card in self.cards if card.project == project]

    def get(self, project: ProjectId, version: VersionName) -> ModelVersion:
        for card in self.all(project):
            if card.name == version:
                return card
        raise NotFound(f"project {project} has no version {version}")

    def folder(self, project: ProjectId, version: VersionName, control: ControlName) -> Path:
        if control not in self.get(project, version).kinds:
            raise NotFound(f"version {version} has no control '{control}'")
        return control_folder(self.root / version, control)

    def current(self, project: ProjectId) -> ModelVersion | None:
        return self.get(project, self.active[project]) if project in self.active else None

    def activate(self, project: ProjectId, version: VersionName) -> ModelVersion:
        card = self.get(project, version)
        self.active[project] = version
        return card

    def prune(self, project: ProjectId, keep: int) -> Sequence[VersionName]:
        current = self.current(project)
        needed = {current.name, current.parent} if current else set()
        trained = [one.name for one in self.all(project) if one.name.startswith(f"{TRAINED}-")]
        old = trained[keep:]
        gone = [name for name in old if name not in needed]
        self.cards = [card for card in self.cards if card.name not in gone]
        return gone
