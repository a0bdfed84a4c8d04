"""Stored predictions, kept in memory."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from backend.domain.answers import ImageRef
from backend.domain.ids import ProjectId, TaskId, VersionName
from backend.domain.json import Json


class FakeStoredPredictions:
    def __init__(self) -> None:
        self._stored: dict[tuple[ProjectId, VersionName, ImageRef], Mapping[str, Any]] = {}

    def put(
        self,
        project: ProjectId,
        version: VersionName,
        predictions: Mapping[ImageRef, Json],
    ) -> None:
        self._stored |= {
            (project, version, ref): prediction for ref, prediction in predictions.items()
        }

    def get(
        self, project: ProjectId, version: VersionName, refs: Sequence[ImageRef]
    ) -> Mapping[ImageRef, Json]:
        keys = {ref: (project, version, ref) for ref in refs}
        return {ref: self._stored[key] for ref, key in keys.items() if key in self._stored}

    def known(
        self, project: ProjectId, version: VersionName, refs: Sequence[ImageRef]
    ) -> frozenset[TaskId]:
        return frozenset(ref.task for ref in self.get(project, version, refs))

    def relabel(
        self,
        project: ProjectId,
        old: VersionName,
        new: VersionName,
        change: Callable[[Json], Json],
    ) -> None:
        self._stored |= {
            (project, new, ref): change(prediction)
            for (of, version, ref), prediction in self._stored.items()
            if (of, version) == (project, old)
        }

    def prune(self, project: ProjectId, keep: Iterable[VersionName]) -> None:
        kept = set(keep)
        self._stored = {
            key: prediction
            for key, prediction in self._stored.items()
            if key[0] != project or key[1] in kept
        }
