"""The shards of a job, as files that every worker sees.

projects/<id>/.shards/<job>/<number>.json     a `Shard`
"""

import json
import logging
import shutil
from collections.abc import Sequence
from pathlib import Path

from pydantic import TypeAdapter

from backend.domain.errors import BadInput
from backend.domain.ids import JobId, ProjectId
from backend.domain.shards import Shard
from backend.stores.atomic_files import write_whole
from backend.stores.validation import parse_json

log = logging.getLogger(__name__)

_SHARD = TypeAdapter(Shard)


class ShardFiles:
    """The shards of all projects below one data folder."""

    def __init__(self, data_dir: Path) -> None:
        self._projects = data_dir / "projects"

    def save(self, shards: Sequence[Shard]) -> None:
        """Write the shards of a job, and delete those that jobs before it left.

        Raises:
            OutOfSpace: when there is no room.
        """
        shutil.rmtree(self._folder(shards[0].project), ignore_errors=True)
        for shard in shards:
            path = self._path(shard.project, shard.job, shard.number)
            write_whole(path, json.dumps(_SHARD.dump_python(shard)))

    def load(self, project: ProjectId, job: JobId, number: int) -> Shard | None:
        """None if it was withdrawn."""
        path = self._path(project, job, number)
        try:
            return parse_json(_SHARD, path.read_bytes(), "a shard")
        except FileNotFoundError:
            return None
        except (BadInput, OSError) as exc:
            log.warning("%s is left to its job: %s", path, exc)
            return None

    def forget(self, project: ProjectId, job: JobId) -> None:
        """Delete the shards of a job."""
        shutil.rmtree(self._folder(project) / job, ignore_errors=True)

    def _path(self, project: ProjectId, job: JobId, number: int) -> Path:
        return self._folder(project) / job / f"{number}.json"

    def _folder(self, project: ProjectId) -> Path:
        return self._projects / str(project) / ".shards"
