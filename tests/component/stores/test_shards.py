"""Shards as files that every worker sees."""

from pathlib import Path

from backend.domain.answers import ImageRef
from backend.domain.ids import ControlName, JobId, ProjectId, TaskId
from backend.domain.shards import PredictingModel, Shard
from backend.stores.shards import ShardFiles

PROJECT, JOB = ProjectId(1), JobId("job-1")
REFS = (ImageRef(TaskId(1), "/1.png", ("/1-back.png",)), ImageRef(TaskId(2), "/2.png"))


def test_a_shard_comes_back_as_it_was_until_its_job_withdraws_it(tmp_path: Path):
    files = ShardFiles(tmp_path)
    model = PredictingModel(ControlName("boxes"), "some-key", "al-0001-3f9c")
    shards = [Shard(PROJECT, JOB, 0, REFS, "lite0"), Shard(PROJECT, JOB, 1, REFS, model=model)]
    files.save(shards)
    assert [files.load(PROJECT, JOB, number) for number in (0, 1, 2)] == [*shards, None]
    files.forget(PROJECT, JOB)
    assert files.load(PROJECT, JOB, 0) is None


def test_the_shards_of_a_job_that_died_make_room_for_those_of_the_next(tmp_path: Path):
    files = ShardFiles(tmp_path)
    files.save([Shard(PROJECT, JOB, 0, REFS)])
    files.save([Shard(PROJECT, JobId("job-2"), 0, REFS)])
    assert files.load(PROJECT, JOB, 0) is None


def test_a_shard_that_cannot_be_read_is_left_to_its_job(tmp_path: Path):
    files = ShardFiles(tmp_path)
    files.save([Shard(PROJECT, JOB, 0, (ImageRef(TaskId(1), "/\ud800.png"),))])
    assert files.load(PROJECT, JOB, 0) is None
