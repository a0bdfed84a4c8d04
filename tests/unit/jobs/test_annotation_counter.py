"""What waits to be counted while Redis does not answer."""

from pathlib import Path

import pytest

from backend.domain.ids import ProjectId
from backend.jobs.annotation_counter import AnnotationCounter
from backend.jobs.redis_keys import RedisKeys
from tests.fakes.threads import CALLS, in_threads

PETS = ProjectId(7)


def test_changes_from_many_threads_all_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    counter = AnnotationCounter("", RedisKeys(tmp_path))
    told: list[int] = []
    monkeypatch.setattr(counter, "_eval", lambda script, project, changes: False)

    in_threads(lambda: counter.changed(PETS))

    monkeypatch.setattr(counter, "_eval", lambda script, project, changes: told.append(changes))
    counter.changed(PETS)
    assert told == [CALLS + 1]
