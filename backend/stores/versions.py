"""Published models: immutable folders, and one file that names the current one.

    projects/<id>/current                   the name of the current version
    projects/<id>/versions/<name>/card.json its description, a `ModelVersion`
    projects/<id>/versions/<name>/<control> the model of a control, for `Family.load`

A version is written into a hidden folder and renamed, so it exists completely or not at all. It
never changes afterwards, so a process reads each card once.
"""

import logging
import secrets
import shutil
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, cast

from filelock import FileLock
from pydantic import BeforeValidator, TypeAdapter
from pydantic_core import to_json

from backend.domain.errors import BadInput, NotFound
from backend.domain.ids import ControlName, Label, ProjectId, VersionName
from backend.domain.json import Json
from backend.domain.metrics import metrics_from_json, metrics_to_json
from backend.domain.version_names import TRAINED, VERSION_NAME, control_folder
from backend.domain.versions import ModelVersion
from backend.stores.atomic_files import room_for, sync, write_whole
from backend.stores.validation import parse_json

log = logging.getLogger(__name__)

_DRAFT = ".draft-"


def _nest_metrics(card: object) -> object:
    """Group the metrics of a card by control; leave all else to the validation."""
    fields: Json = cast(Json, card) if isinstance(card, Mapping) else {}
    metrics, kinds = fields.get("metrics"), fields.get("kinds")
    if not isinstance(metrics, Mapping) or not isinstance(kinds, Mapping):
        return cast(object, card)
    nested = metrics_from_json(cast(Json, metrics), cast(Json, kinds))
    return {**fields, "metrics": nested}


def _without_certificate(card: object) -> object:
    """Drop the certificate that cards held before the ledger kept all of them."""
    return {**cast(Json, card), "certificate": None} if isinstance(card, Mapping) else card


_VERSION = TypeAdapter[ModelVersion](
    Annotated[ModelVersion, BeforeValidator(_nest_metrics), BeforeValidator(_without_certificate)]
)


def version_to_json(version: ModelVersion) -> str:
    """Serialize a version; NaN, for a metric that could not be measured, is kept."""
    fields = {**_VERSION.dump_python(version), "metrics": metrics_to_json(version.metrics)}
    return to_json(fields, indent=2, inf_nan_mode="constants").decode()


def version_from_json(text: str | bytes) -> ModelVersion:
    """Raises BadInput, naming the field that does not fit."""
    return parse_json(_VERSION, text, "a version card")


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
        origin: str = TRAINED,
    ) -> ModelVersion:
        """Write a new version; it does not become the current one. Its name begins with `origin`.

        `write` gets an empty folder and creates one folder for each control in it, named by
        `control_folder`.

        Raises:
            OutOfSpace: with nothing left behind.
        """
        folder = self._versions(project)
        with room_for(folder), self._publishing(project, origin) as name:
            draft = folder / f"{_DRAFT}{name}"
            draft.mkdir()
            try:
                write(draft)
                version = replace(card(name), name=name, project=project)
                write_whole(draft / "card.json", version_to_json(version))
                _seal(draft)
                draft.rename(folder / name)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
            sync(folder)
        return version

    def adopt(self, project: ProjectId, source: Path) -> ModelVersion:
        """Publish a copy of a version folder of another project or machine.

        The certificate is dropped: it holds for the tasks of that project only.

        Raises:
            BadInput: when the folder has no valid card, or lacks the folder of a control.
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

    def read(self, source: Path) -> ModelVersion:
        """Return the card in a folder of a version. Raises BadInput, naming the file."""
        return _read(source / "card.json")

    def relabel(
        self, project: ProjectId, version: VersionName, mapping: Mapping[Label, Label], reason: str
    ) -> ModelVersion:
        """Publish a copy of a version whose labels turned into others, "" for deleted ones.

        Raises NotFound, and OutOfSpace with nothing left behind.
        """
        card = self.get(project, version)

        def copy(folder: Path) -> None:
            for control in card.kinds:
                source = self.folder(project, version, control)
                shutil.copytree(source, control_folder(folder, control))

        changed = replace(card.relabeled(mapping), parent=version, reason=reason)
        origin = version.partition("-")[0]
        return self.publish(project, lambda name: replace(changed, name=name), copy, origin)

    def all(self, project: ProjectId) -> Sequence[ModelVersion]:
        """Newest first. Logs a warning for each version with an invalid card and skips it."""
        return tuple(self._readable(project))

    def get(self, project: ProjectId, version: VersionName) -> ModelVersion:
        """Raises NotFound, also if the card is invalid."""
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
        """The version that predicts, None if there is none.

        An unreadable card counts as none, with a warning.
        """
        try:
            name = VersionName(self._pointer(project).read_text("utf-8").strip())
            return self.get(project, name)
        except FileNotFoundError:
            return None
        except NotFound as exc:
            log.warning("project %s has no usable current version: %s", project, exc)
            return None

    def activate(self, project: ProjectId, version: VersionName) -> ModelVersion:
        """Make a version the current one. Raises NotFound."""
        card = self.get(project, version)
        with self._locked(project):
            if not self._folder(project, version).is_dir():
                raise NotFound(f"version {version} of project {project} was just deleted")
            write_whole(self._pointer(project), version)
        return card

    def prune(self, project: ProjectId, keep: int) -> Sequence[VersionName]:
        """Delete all but the newest `keep` versions, the current one and its parent.

        Imported models stay: people brought them.
        """
        with self._locked(project):
            trained = [one for one in self._names(project) if one.startswith(f"{TRAINED}-")]
            return self._delete_unneeded(project, trained[keep:])

    def discard(self, project: ProjectId, names: Sequence[VersionName]) -> Sequence[VersionName]:
        """Delete these versions, except the current one and its parent; returns the deleted."""
        with self._locked(project):
            there = set(self._names(project))
            return self._delete_unneeded(project, [name for name in names if name in there])

    def _delete_unneeded(
        self, project: ProjectId, names: Sequence[VersionName]
    ) -> Sequence[VersionName]:
        current = self.current(project)
        needed = {current.name, current.parent} if current else set[VersionName | None]()
        unneeded = [name for name in names if name not in needed]
        for name in unneeded:
            self._delete(project, name)
        return unneeded

    def _delete(self, project: ProjectId, name: VersionName) -> None:
        """Rename the folder before deleting it, so that no reader sees an incomplete version."""
        deleted = self._versions(project) / f"{_DRAFT}{name}"
        self._folder(project, name).rename(deleted)
        shutil.rmtree(deleted, ignore_errors=True)
        self._cards.pop((project, name), None)

    @contextmanager
    def _publishing(self, project: ProjectId, origin: str) -> Generator[VersionName]:
        """Remove drafts of crashed processes and yield the next free name, under the lock."""
        with self._locked(project):
            for leftover in self._versions(project).glob(f"{_DRAFT}*"):
                shutil.rmtree(leftover, ignore_errors=True)
            names = self._names(project)
            number = 1 + max((_number(name) for name in names), default=0)
            yield VersionName(f"{origin}-{number:04d}-{secrets.token_hex(2)}")

    @contextmanager
    def _locked(self, project: ProjectId) -> Generator[None]:
        """Admit one writer per project; the kernel releases the lock if the process dies."""
        folder = self._versions(project)
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock"):
            yield

    def _readable(self, project: ProjectId) -> Iterator[ModelVersion]:
        for name in self._names(project):
            try:
                yield self.get(project, name)
            except NotFound as exc:
                log.warning("skipping a version: %s", exc)

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
        return version_from_json(card.read_bytes())
    except OSError as exc:
        raise BadInput(f"cannot read {card}: {exc.strerror}") from exc
    except BadInput as exc:
        raise BadInput(f"{card} is invalid: {exc.message}") from exc


def _seal(folder: Path) -> None:
    """Make the files read-only and flush them to disk."""
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(0o444)
        sync(path)
    sync(folder)
