"""Published models: immutable folders, and one pointer to the current one.

    projects/<id>/current                   the name of the current version
    projects/<id>/versions/<name>/card.json what it is
    projects/<id>/versions/<name>/<control> what `Family.load` needs

A version is written into a hidden folder and renamed, so it is there as a whole or not at all.
A published version never changes, so its card is read once a process.
"""

import logging
import secrets
import shutil
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from filelock import FileLock

from backend.domain.errors import BadInput, NotFound
from backend.domain.ids import ControlName, ProjectId, VersionName
from backend.domain.version_names import VERSION_NAME, control_folder
from backend.domain.versions import ModelVersion
from backend.stores.atomic_files import room_for, sync, write_whole
from backend.stores.cards import version_card, version_from

log = logging.getLogger(__name__)

_DRAFT = ".draft-"


class VersionStore:
    """The versions of all projects below one data folder; safe for several processes."""

    def __init__(self, data_dir: Path) -> None:
        self._projects = data_dir / "projects"
        self._cards: dict[tuple[ProjectId, VersionName], ModelVersion] = {}

    def publish(
        self,
        project: ProjectId,
        card: Callable[[VersionName], ModelVersion],
        write: Callable[[Path], None],
    ) -> ModelVersion:
        """Write into a hidden folder, then make it appear at once.

        `write` gets an empty folder and makes one folder a control in it, named by
        `control_folder`. The new version does not become the current one.

        Raises:
            OutOfSpace: with nothing left behind.
        """
        folder = self._versions(project)
        with room_for(folder), self._publishing(project) as name:
            draft = folder / f"{_DRAFT}{name}"
            draft.mkdir()
            try:
                write(draft)
                version = replace(card(name), name=name, project=project)
                write_whole(draft / "card.json", version_card(version))
                _seal(draft)
                draft.rename(folder / name)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
            sync(folder)
        return version

    def adopt(self, project: ProjectId, source: Path) -> ModelVersion:
        """Publish a copy of a version folder that was made elsewhere, without its certificate.

        Raises:
            BadInput: when the folder has no readable card, or misses a control's folder.
        """
        card = _read(source / "card.json")
        for control in card.kinds:
            if not control_folder(source, control).is_dir():
                raise BadInput(
                    f"{source} is not a complete version: no folder for control '{control}'",
                    "Give the whole folder of a version, as it stands below versions/",
                )

        def copy(folder: Path) -> None:
            for control in card.kinds:
                shutil.copytree(control_folder(source, control), control_folder(folder, control))

        reason = f"imported from {source.name}"
        return self.publish(
            project,
            lambda name: replace(
                card, name=name, parent=None, promoted=False, certificate=None, reason=reason
            ),
            copy,
        )

    def all(self, project: ProjectId) -> Sequence[ModelVersion]:
        """Newest first; a version whose card is broken is left out with a warning."""
        return tuple(self._readable(project))

    def get(self, project: ProjectId, version: VersionName) -> ModelVersion:
        """Raises NotFound, also where the card is broken."""
        known = self._cards.get((project, version))
        if known is None:
            try:
                known = _read(self._folder(project, version) / "card.json")
            except BadInput as exc:
                raise NotFound(f"project {project} has no version {version}: {exc}") from exc
            self._cards[project, version] = known
        return known

    def folder(self, project: ProjectId, version: VersionName, control: ControlName) -> Path:
        """Raises NotFound."""
        folder = control_folder(self._folder(project, version), control)
        if not folder.is_dir():
            raise NotFound(f"version {version} of project {project} has no control '{control}'")
        return folder

    def current(self, project: ProjectId) -> ModelVersion | None:
        """The version that predicts; None, with a warning, where its card cannot be read."""
        try:
            name = VersionName(self._pointer(project).read_text("utf-8").strip())
            return self.get(project, name)
        except FileNotFoundError:
            return None
        except NotFound as exc:
            log.warning("project %s has no usable current version: %s", project, exc)
            return None

    def activate(self, project: ProjectId, version: VersionName) -> ModelVersion:
        """Raises NotFound."""
        card = self.get(project, version)
        with self._locked(project):
            if not self._folder(project, version).is_dir():
                raise NotFound(f"version {version} of project {project} was deleted meanwhile")
            write_whole(self._pointer(project), version)
        return card

    def prune(self, project: ProjectId, keep: int) -> Sequence[VersionName]:
        """Delete the oldest beyond `keep`; never the current one nor the one it came from."""
        with self._locked(project):
            current = self.current(project)
            needed = {current.name, current.parent} if current else set[VersionName | None]()
            names = [name for name in self._names(project)[keep:] if name not in needed]
            for name in names:
                self._delete(project, name)
        return names

    def _delete(self, project: ProjectId, name: VersionName) -> None:
        """Rename first, so that nobody sees half a version."""
        doomed = self._versions(project) / f"{_DRAFT}{name}"
        self._folder(project, name).rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)
        self._cards.pop((project, name), None)

    @contextmanager
    def _publishing(self, project: ProjectId) -> Generator[VersionName]:
        """The next free name, with the leftovers of crashed publications removed."""
        with self._locked(project):
            for leftover in self._versions(project).glob(f"{_DRAFT}*"):
                shutil.rmtree(leftover, ignore_errors=True)
            names = self._names(project)
            number = 1 + max((_number(name) for name in names), default=0)
            yield VersionName(f"al-{number:04d}-{secrets.token_hex(2)}")

    @contextmanager
    def _locked(self, project: ProjectId) -> Generator[None]:
        """One writer a project; the kernel frees the lock of a process that dies."""
        folder = self._versions(project)
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock"):
            yield

    def _readable(self, project: ProjectId) -> Iterator[ModelVersion]:
        for name in self._names(project):
            try:
                yield self.get(project, name)
            except NotFound as exc:
                log.warning("leaving out a version: %s", exc)

    def _names(self, project: ProjectId) -> list[VersionName]:
        """Newest first."""
        folder = self._versions(project)
        found = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
        names = [VersionName(name) for name in found if VERSION_NAME.fullmatch(name)]
        return sorted(names, key=_number, reverse=True)

    def _versions(self, project: ProjectId) -> Path:
        return self._projects / str(project) / "versions"

    def _folder(self, project: ProjectId, version: VersionName) -> Path:
        if not VERSION_NAME.fullmatch(version):
            raise NotFound(f"project {project} has no version {version!r}")
        return self._versions(project) / version

    def _pointer(self, project: ProjectId) -> Path:
        return self._projects / str(project) / "current"


def _number(name: VersionName) -> int:
    return int(name.split("-")[1])


def _read(card: Path) -> ModelVersion:
    """Raises BadInput, naming the file."""
    try:
        return version_from(card.read_bytes())
    except OSError as exc:
        raise BadInput(f"cannot read {card}: {exc.strerror}") from exc
    except BadInput as exc:
        raise BadInput(f"{card} is broken: {exc.message}") from exc


def _seal(folder: Path) -> None:
    """Make the files read-only and durable."""
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(0o444)
        sync(path)
    sync(folder)
