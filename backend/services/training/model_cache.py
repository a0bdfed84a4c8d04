"""Loaded models, a few at a time: versions are immutable, so what is loaded stays right."""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

from backend.domain.ids import ProjectId, VersionName
from backend.domain.schema import LabelSchema
from backend.domain.versions import ModelVersion
from backend.ports.stores import VersionFolders
from backend.services.training.train import Models, Trainer

CAPACITY = 4
"""VersionFolders kept in memory at once."""


class ModelCache:
    """Loads a version at first use; drops the one not used for longest."""

    def __init__(self, learning: Callable[[], Trainer], versions: VersionFolders) -> None:
        self._learning = learning
        self._versions = versions
        self._loaded: OrderedDict[tuple[ProjectId, VersionName], Models] = OrderedDict()
        self._lock = Lock()

    def models(self, schema: LabelSchema, version: ModelVersion) -> Models:
        key = version.project, version.name
        with self._lock:
            if key not in self._loaded:
                self._loaded[key] = self._learning().load(schema, version, self._versions)
            self._loaded.move_to_end(key)
            while len(self._loaded) > CAPACITY:
                self._loaded.popitem(last=False)
            return self._loaded[key]
