"""Project numbers that were used before: a reset Label Studio, or another one."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backend.domain.errors import BadInput
from backend.domain.ids import ProjectId
from backend.domain.projects import Project
from backend.domain.versions import Ledger
from backend.stores.ledgers import LedgerFiles
from backend.stores.project_folders import ProjectFolders

PETS = ProjectId(1)
THEN = datetime(2026, 11, 21, 8, 0, 0, 83757, UTC)
LATER = THEN + timedelta(days=9)


def project(created: datetime | None) -> Project:
    return Project(PETS, "Pets", "<View/>", "", created)


@pytest.fixture
def folders(tmp_path: Path) -> ProjectFolders:
    return ProjectFolders(tmp_path)


@pytest.fixture
def ledgers(tmp_path: Path) -> LedgerFiles:
    return LedgerFiles(tmp_path)


def ledger(task: int) -> Ledger:
    return Ledger(note=str(task))


def test_another_project_of_the_number_begins_anew_and_the_first_one_gets_its_data_back(
    folders: ProjectFolders, ledgers: LedgerFiles
):
    folders.claim(project(THEN))
    ledgers.save(PETS, ledger(1))
    folders.claim(project(LATER))
    assert ledgers.load(PETS) == Ledger()
    ledgers.save(PETS, ledger(2))
    folders.claim(project(THEN))
    assert ledgers.load(PETS) == ledger(1)
    folders.claim(project(LATER))
    assert ledgers.load(PETS) == ledger(2)


def test_data_from_before_origins_were_written_stays_where_it_is(
    folders: ProjectFolders, ledgers: LedgerFiles
):
    ledgers.save(PETS, ledger(1))
    folders.claim(project(THEN))
    assert ledgers.load(PETS) == ledger(1)
    folders.claim(project(LATER))
    assert ledgers.load(PETS) == Ledger()


def test_a_label_studio_that_tells_no_time_changes_nothing(
    folders: ProjectFolders, ledgers: LedgerFiles
):
    folders.claim(project(THEN))
    ledgers.save(PETS, ledger(1))
    folders.claim(project(None))
    folders.require(project(None))
    assert ledgers.load(PETS) == ledger(1)


def test_a_job_refuses_the_data_of_another_project_and_touches_none(
    folders: ProjectFolders, ledgers: LedgerFiles
):
    folders.require(project(THEN))
    ledgers.save(PETS, ledger(1))
    folders.require(project(THEN))
    with pytest.raises(BadInput, match="another project of this number"):
        folders.require(project(LATER))
    assert ledgers.load(PETS) == ledger(1)


def test_the_seconds_behind_the_number_tell_projects_apart(folders: ProjectFolders):
    seconds = int(THEN.timestamp())
    assert folders.is_same(PETS, seconds)
    folders.claim(project(THEN))
    assert folders.is_same(PETS, seconds)
    assert folders.is_same(PETS, None)
    assert not folders.is_same(PETS, seconds + 1)


def test_a_damaged_file_is_written_anew_and_moves_nothing(
    folders: ProjectFolders, ledgers: LedgerFiles, tmp_path: Path
):
    ledgers.save(PETS, ledger(1))
    (tmp_path / "projects" / "1" / "project.json").write_text('{"created_at": ')
    folders.claim(project(THEN))
    assert ledgers.load(PETS) == ledger(1)
    assert not folders.is_same(PETS, int(LATER.timestamp()))


def test_a_move_that_was_interrupted_is_completed(
    folders: ProjectFolders, ledgers: LedgerFiles, tmp_path: Path
):
    folders.claim(project(THEN))
    ledgers.save(PETS, ledger(1))
    # given a process that was killed after it set the folder aside
    (tmp_path / "set-aside").mkdir(exist_ok=True)
    aside = tmp_path / "set-aside" / f"1.{int(THEN.timestamp())}"
    (tmp_path / "projects" / "1").rename(aside)
    folders.claim(project(THEN))
    assert ledgers.load(PETS) == ledger(1)
