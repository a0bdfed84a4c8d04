"""Cache loaded models; versions are immutable, so an entry never becomes stale."""

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Lock

from backend.domain.errors import Stopped
from backend.domain.ids import ProjectId, VersionName
from backend.domain.schema import LabelSchema
from backend.domain.versions import ModelVersion
from backend.ports.stores import VersionFolders
from backend.services.training.train import Models, Trainer

CAPACITY = 4
"""Versions kept in memory at once."""


class ModelCache:
    """Loads a version at first use; drops the one not used for longest.

    Each version loads in a thread of its own: a slow one does not delay others, and goes on
    loading for the next caller when a caller gives up.
    """

    def __init__(self, learning: Callable[[], Trainer], versions: VersionFolders) -> None:
        self._learning = learning
        self._versions = versions
        self._models: OrderedDict[tuple[ProjectId, VersionName], Future[Models]] = OrderedDict()
        self._lock = Lock()
        self._loaders = ThreadPoolExecutor(CAPACITY, "load")

    def models(self, schema: LabelSchema, version: ModelVersion, seconds: float) -> Models:
        """Return the models of a version.

        Raises:
            Stopped: when they are not loaded after so many seconds.
        """
        key = version.project, version.name
        with self._lock:
            if key not in self._models:
                self._models[key] = self._loaders.submit(self._load, schema, version)
            self._models.move_to_end(key)
            while len(self._models) > CAPACITY:
                self._models.popitem(last=False)
            loading = self._models[key]
        if wait([loading], timeout=seconds).not_done:
            raise Stopped
        if loading.exception():
            self._forget(key, loading)
        return loading.result()

    def _load(self, schema: LabelSchema, version: ModelVersion) -> Models:
        return self._learning().load(schema, version, self._versions)

    def _forget(self, key: tuple[ProjectId, VersionName], failed: Future[Models]) -> None:
        """Let the next caller try again."""
        with self._lock:
            if self._models.get(key) is failed:
                del self._models[key]
