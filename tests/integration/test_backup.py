"""Back up and restore with the commands of docs/operations.md, and go on from there."""

import os
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from backend.domain.ids import JobId
from backend.domain.jobs import Mode
from backend.domain.projects import Project
from backend.domain.steps import Step
from backend.stores.ledgers import LedgerFiles
from backend.stores.predictions import PredictionStore
from backend.stores.project_folders import ProjectFolders
from backend.stores.versions import VersionStore
from backend.use_cases import UseCases, use_cases
from tests.fakes.steps import quiet
from tests.fakes.world import PROJECT, World, parts_in

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
CREATED = datetime(2026, 11, 28, tzinfo=UTC)
ACCEPT = {"accept": True, "max_error": 0.5, "confidence": 0.5, "labels_are_random": True}


def run_from_the_page(name: str, data_dir: Path, archive: Path) -> None:
    """The shell commands that follow the comment NAME on the page."""
    found = re.search(rf"<!-- {name} -->\n```bash\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert found
    places = {"AUTOLABEL_DATA_DIR": str(data_dir), "BACKUP": str(archive)}
    command = ["bash", "-euo", "pipefail", "-c", found[1]]
    done = subprocess.run(
        command, env={**os.environ, **places}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def restored(archive: Path, machine: Path) -> Path:
    """The data folder of an empty machine, after the restore."""
    folder = machine / "elsewhere" / "data"
    run_from_the_page("restore", folder, archive)
    return folder


def files_of(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def on_disk(folder: Path, world: World) -> UseCases:
    """The use cases over a data folder, with the Label Studio that there was."""
    ledgers, stored = LedgerFiles(folder), PredictionStore(folder)
    return use_cases(parts_in(folder, world.label_studio, ledgers=ledgers, stored=stored))


def go_on(folder: Path, world: World, **request: Any) -> Any:
    """The next job on a restored folder."""
    jobs = on_disk(folder, world).jobs()
    return World.report(jobs[Mode.ACTIVE_LEARNING], world.job(**request))


def new_world(folder: Path, images: int = 40) -> World:
    return World(folder, images, ledgers=LedgerFiles(folder), stored=PredictionStore(folder))


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A project of which a job trained a version and accepted labels."""
    world = new_world(tmp_path / "data", images=60)
    world.label([*range(13, 41)])
    report = world.run(**ACCEPT)
    assert report["accepted"], report["reason"]
    return world


def test_the_next_job_on_an_empty_machine_goes_on_where_the_last_one_ended(world, tmp_path):
    run_from_the_page("backup", world.folder, tmp_path / "backup.tar")
    folder = restored(tmp_path / "backup.tar", tmp_path / "machine")
    before = LedgerFiles(folder).load(PROJECT)
    assert before == world.ledgers.load(PROJECT)
    world.label_studio.people |= dict.fromkeys(range(61, 71))  # images that were imported since

    report = go_on(folder, world)

    versions = VersionStore(folder)
    assert versions.get(PROJECT, report["version"]).parent == world.versions.current(PROJECT).name
    assert LedgerFiles(folder).load(PROJECT) == before
    assert report["predicted"] == 10


def test_all_is_backed_up_but_caches_locks_and_drafts(world, tmp_path):
    origin = Project(PROJECT, "pets", "<View/>", "", created_at=CREATED)
    ProjectFolders(world.folder).claim(origin)
    project = world.folder / "projects" / str(PROJECT)
    for name in (
        "new-kind-of-file.json",
        ".ledger.json.a1b2c3d4",
        "versions/.draft-al-0009/card.json",
    ):
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text("{}")

    run_from_the_page("backup", world.folder, tmp_path / "backup.tar")
    folder = restored(tmp_path / "backup.tar", tmp_path / "machine")

    left_out = files_of(world.folder / "projects") - files_of(folder / "projects")
    assert files_of(folder / "projects") <= files_of(world.folder / "projects")
    assert "1/new-kind.json" not in left_out
    assert all(".lock" in one or ".sqlite" in one or "/." in one for one in left_out), left_out
    assert ProjectFolders(folder).is_same(PROJECT, int(CREATED.timestamp()))
    assert not ProjectFolders(folder).is_same(PROJECT, 0)


def test_what_was_accepted_before_can_be_taken_back_on_the_new_machine(world, tmp_path):
    run_from_the_page("backup", world.folder, tmp_path / "backup.tar")
    folder = restored(tmp_path / "backup.tar", tmp_path / "machine")
    accepted = world.ledgers.load(PROJECT).accepted
    assert accepted

    on_disk(folder, world).auto_accept.undo(PROJECT, JobId("job-1"), quiet)

    assert not LedgerFiles(folder).load(PROJECT).accepted


def test_a_backup_at_any_step_of_a_running_job_can_be_restored(tmp_path):
    world = new_world(tmp_path / "data")
    first = world.run()["version"]
    taken: dict[Step, Path] = {}

    def back_up(step: Step, _done: int, _of: int, _detail: str = "") -> None:
        if step not in taken:
            taken[step] = tmp_path / f"{step.value}.tar"
            run_from_the_page("backup", world.folder, taken[step])

    World.report(world.active_learning, world.job(), back_up)

    assert {Step.TRAIN, Step.PREDICT, Step.PUSH} <= set(taken)
    for step, archive in taken.items():
        folder = restored(archive, tmp_path / step.value)
        current = VersionStore(folder).current(PROJECT)
        assert current, step
        assert current.name == first
        assert go_on(folder, world)["version"] not in {None, first}
        shutil.rmtree(folder)
