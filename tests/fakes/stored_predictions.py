"""Stored predictions, kept in memory."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from backend.domain.answers import ImageRef
from backend.domain.ids import ProjectId, VersionName


class FakeStoredPredictions:
    def __init__(self) -> None:
        self._wire: dict[tuple[ProjectId, VersionName, ImageRef], Mapping[str, Any]] = {}

    def put(
        self, project: ProjectId, version: VersionName, wire: Mapping[ImageRef, Mapping[str, Any]]
    ) -> None:
        self._wire |= {(project, version, ref): said for ref, said in wire.items()}

    def get(
        self, project: ProjectId, version: VersionName, refs: Sequence[ImageRef]
    ) -> Mapping[ImageRef, Mapping[str, Any]]:
        keys = {ref: (project, version, ref) for ref in refs}
        return {ref: self._wire[key] for ref, key in keys.items() if key in self._wire}

    def prune(self, project: ProjectId, keep: Iterable[VersionName]) -> None:
        kept = set(keep)
        self._wire = {
            key: said for key, said in self._wire.items() if key[0] != project or key[1] in kept
        }
