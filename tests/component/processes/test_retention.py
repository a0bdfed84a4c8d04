"""What the sweep of an idle worker deletes, and what it never does."""

import logging
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from backend.domain.ids import JobId, ProjectId, VersionName
from backend.domain.jobs import Job, JobRequest, JobState
from backend.domain.versions import Acceptance, Ledger
from backend.models.embedding.feature_cache import Entry, FeatureCache
from backend.models.images.notes import Note
from backend.processes.retention import LARGEST_LOG, sweep
from backend.settings import Settings
from backend.stores.jobs import JobFiles
from backend.stores.ledgers import LedgerFiles
from backend.stores.unfinished import UnfinishedJobFiles
from backend.stores.versions import VersionStore
from connectors.images.content import Content
from connectors.images.index import ImageIndex
from tests.fakes.domain import a_version

PETS = ProjectId(2)
EIGHT = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
LONG_AGO = 0.0


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, keep_jobs=10)


def a_job(hour: int, state: JobState = JobState.FINISHED, version: str | None = None) -> Job:
    start = EIGHT + timedelta(hours=hour)
    return Job(
        JobId(f"job-{start:%Y%m%d-%H%M%S}-00000abcd"),
        JobRequest(PETS),
        state,
        started_at=start,
        ended_at=start + timedelta(minutes=10),
        version=VersionName(version) if version else None,
    )


def saved(folder: Path, *jobs: Job) -> list[Job]:
    for job in jobs:
        JobFiles(folder).save(job)
    return list(jobs)


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("projects/*/jobs/*")}


def test_only_the_newest_jobs_stay_and_those_whose_labels_are_in_use(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    jobs = saved(tmp_path, *(a_job(hour) for hour in range(14)))
    in_use, undone, proof, plain = jobs[:4]
    done = Acceptance(VersionName("al-0001-aaaa"), (), ())
    undone_acceptance = Acceptance(VersionName("al-0001-aaaa"), (), (), undone=True)
    acceptances = {in_use.id: done, undone.id: undone_acceptance}
    LedgerFiles(tmp_path).save(PETS, Ledger(acceptances=acceptances))
    (JobFiles(tmp_path).folder(PETS, proof.id) / "certificate.json").write_text("{}")
    sweep(settings)
    assert left(tmp_path) == {job.id for job in jobs} - {undone.id, plain.id}
    assert "deleted: 2 old jobs" in caplog.text


def test_a_live_job_and_the_jobs_of_a_damaged_ledger_stay(settings: Settings, tmp_path: Path):
    jobs = saved(tmp_path, a_job(0, JobState.RUNNING), *(a_job(hour) for hour in range(1, 12)))
    sweep(settings)
    assert left(tmp_path) == {job.id for job in jobs} - {jobs[1].id}
    saved(tmp_path, *(a_job(hour) for hour in range(12, 14)))
    (tmp_path / "projects" / "2" / "ledger.json").write_text("{")
    before = left(tmp_path)
    sweep(settings)
    assert left(tmp_path) == before


def test_versions_of_jobs_that_failed_are_deleted_unless_they_are_in_use(
    settings: Settings, tmp_path: Path
):
    store = VersionStore(tmp_path)

    def published(hour: int) -> VersionName:
        created = EIGHT + timedelta(hours=hour, minutes=5)
        kinds = {"kinds": {}, "labels": {}, "metrics": {}}
        card = a_version(created=created, **kinds)
        return store.publish(PETS, lambda _: card, lambda _: None).name

    good, failed, stopped, active, kept, imported = map(published, (0, 1, 2, 3, 4, 9))
    store.activate(PETS, active)
    UnfinishedJobFiles(tmp_path).open(PETS, "some-key").keep_version(kept)
    saved(
        tmp_path,
        a_job(0, version=good),
        a_job(1, JobState.FAILED),
        a_job(2, JobState.STOPPED),
        a_job(3, JobState.FAILED),
        a_job(4, JobState.FAILED),
    )
    sweep(settings)
    names = {card.name for card in VersionStore(tmp_path).all(PETS)}
    assert names == {good, active, kept, imported}
    assert not {failed, stopped} & names


def test_files_that_nobody_used_for_long_are_deleted(settings: Settings, tmp_path: Path):
    used, unused = (
        FeatureCache(tmp_path / "features" / "a.sqlite"),
        tmp_path / "features" / "b.sqlite",
    )
    used.put({"1": entry()})
    FeatureCache(unused).put({"1": entry()})
    damaged = tmp_path / "projects" / "2" / "damaged-predictions.sqlite"
    damaged.parent.mkdir(parents=True)
    damaged.touch()
    for path in (unused, tmp_path / "features" / "a.sqlite", damaged):
        os.utime(path, (LONG_AGO, LONG_AGO))
    assert list(used.get(["1"])), "reading counts as use"
    sweep(settings)
    assert sorted(path.name for path in tmp_path.glob("features/*.sqlite")) == ["a.sqlite"]
    assert not damaged.exists()


def entry() -> Entry:
    return Entry(np.zeros(1000, np.float16), np.zeros(8, np.float32), Note(0))


def test_the_oldest_features_go_when_there_are_too_many(tmp_path: Path):
    cache = FeatureCache(tmp_path / "features" / "a.sqlite")
    for start in range(0, 2000, 100):
        cache.put({str(number): entry() for number in range(start, start + 100)})
    sweep(Settings(data_dir=tmp_path, feature_cache_gigabytes=0.002))
    known = {int(digest) for digest, _ in cache.get([str(number) for number in range(2000)])}
    assert 300 < len(known) < 1000
    assert min(known) == 2000 - len(known)


def test_image_addresses_that_were_not_checked_for_long_are_forgotten(
    settings: Settings, tmp_path: Path
):
    (tmp_path / "images").mkdir()
    index = ImageIndex(tmp_path / "images" / "index.sqlite")
    now = datetime.now(UTC).timestamp()
    for key, checked in ((b"old", 1.0), (b"stored", 1.0), (b"new", now)):
        index.learn(key, Content(f"digest of {key!r}", 1, "", checked))
    index.announce("digest of b'stored'", 1)
    sweep(settings)
    assert set(index.known([b"old", b"stored", b"new"])) == {b"stored", b"new"}
    index.close()


def test_a_large_log_of_redis_is_rotated(settings: Settings, tmp_path: Path):
    log = tmp_path / "redis" / "redis.log"
    log.parent.mkdir()
    log.write_bytes(bytes(LARGEST_LOG + 1))
    sweep(settings)
    assert not log.exists()
    assert log.with_name("redis.log.1").stat().st_size == LARGEST_LOG + 1


def test_one_part_that_fails_costs_no_other(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    saved(tmp_path, *(a_job(hour) for hour in range(12)))
    (tmp_path / "features" / "no-file.sqlite").mkdir(parents=True)
    log = tmp_path / "redis" / "redis.log"
    log.parent.mkdir()
    log.write_bytes(bytes(LARGEST_LOG + 1))
    sweep(settings)
    assert "image features are not deleted" in caplog.text
    assert len(left(tmp_path)) == 10
    assert not log.exists()


def test_a_second_worker_leaves_the_sweep_to_the_first(settings: Settings, tmp_path: Path):
    saved(tmp_path, *(a_job(hour) for hour in range(12)))
    with FileLock(tmp_path / ".sweep.lock"):
        sweep(settings)
    assert len(left(tmp_path)) == 12
