import errno
import json
import multiprocessing
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from backend.domain.errors import BadInput, NotFound, OutOfSpace
from backend.domain.ids import ControlName, ProjectId, VersionName
from backend.domain.version_names import control_folder
from backend.domain.versions import ModelVersion
from backend.stores.versions import VersionStore, version_to_json
from tests.fakes.domain import a_version

PETS = ProjectId(2)
CONTROL = ControlName("c")


def write(folder: Path) -> None:
    control_folder(folder, CONTROL).mkdir()
    (control_folder(folder, CONTROL) / "head.safetensors").write_bytes(b"weights")


def publish(store: VersionStore) -> ModelVersion:
    return store.publish(PETS, a_version, write)


def publish_some(data_dir: Path, count: int) -> None:
    store = VersionStore(data_dir)
    for _ in range(count):
        publish(store)


def versions_folder(data_dir: Path) -> Path:
    return data_dir / "projects" / "2" / "versions"


def test_processes_that_publish_at_once_get_names_of_their_own(tmp_path: Path):
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=publish_some, args=(tmp_path, 5)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    names = [version.name for version in VersionStore(tmp_path).all(PETS)]
    assert [int(name.split("-")[1]) for name in names] == list(range(15, 0, -1))


def test_a_full_disk_publishes_nothing_and_leaves_nothing_behind(tmp_path: Path):
    store = VersionStore(tmp_path)
    first = publish(store)

    def write_too_much(folder: Path) -> None:
        write(folder)
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OutOfSpace, match="the disk is full"):
        store.publish(PETS, a_version, write_too_much)
    assert [version.name for version in store.all(PETS)] == [first.name]
    left = {entry.name for entry in versions_folder(tmp_path).iterdir()}
    assert left == {".lock", first.name}


def test_what_a_crash_left_is_not_listed_and_is_cleaned_by_the_next_publication(tmp_path: Path):
    leftover = versions_folder(tmp_path) / ".draft-al-0001-dead"
    leftover.mkdir(parents=True)
    (leftover / "half").write_bytes(b"half")
    store = VersionStore(tmp_path)
    assert list(store.all(PETS)) == []
    publish(store)
    assert not leftover.exists()


def test_a_version_with_a_broken_card_is_left_out_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    good, broken = publish(VersionStore(tmp_path)), publish(VersionStore(tmp_path))
    card = versions_folder(tmp_path) / broken.name / "card.json"
    card.chmod(0o644)
    card.write_text('{"name": ')
    store = VersionStore(tmp_path)
    assert list(store.all(PETS)) == [good]
    assert str(card) in caplog.text
    with pytest.raises(NotFound):
        store.activate(PETS, broken.name)


def test_a_pointer_to_nowhere_means_no_current_version(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    publish(VersionStore(tmp_path))
    (tmp_path / "projects" / "2" / "current").write_text("al-0099-ffff")
    assert VersionStore(tmp_path).current(PETS) is None
    assert "al-0099-ffff" in caplog.text


def test_another_process_sees_the_switch_of_the_current_version(tmp_path: Path):
    ours, theirs = VersionStore(tmp_path), VersionStore(tmp_path)
    old, new = publish(ours), publish(ours)
    ours.activate(PETS, old.name)
    assert theirs.current(PETS) == old
    ours.activate(PETS, new.name)
    assert theirs.current(PETS) == new


def test_published_files_are_read_only(tmp_path: Path):
    version = publish(VersionStore(tmp_path))
    folder = VersionStore(tmp_path).folder(PETS, version.name, CONTROL)
    files = [folder / "head.safetensors", folder.parent / "card.json"]
    assert [file.stat().st_mode & 0o777 for file in files] == [0o444, 0o444]


def test_names_are_numbered_on_after_the_oldest_were_pruned(tmp_path: Path):
    store = VersionStore(tmp_path)
    for _ in range(3):
        publish(store)
    store.prune(PETS, keep=1)
    assert publish(store).name.startswith("al-0004-")


def test_the_ten_thousandth_version_is_still_the_newest(tmp_path: Path):
    store = VersionStore(tmp_path)
    first = publish(store)
    (versions_folder(tmp_path) / first.name).rename(versions_folder(tmp_path) / "al-9999-3f9c")
    assert publish(store).name.startswith("al-10000-")
    assert store.all(PETS)[0].name.startswith("al-10000-")


@pytest.mark.parametrize("control", ["../../../etc", "..", "a/b", "choice", "Größe 猫", "a.b"])
def test_a_control_of_any_name_has_a_folder_inside_its_version(tmp_path: Path, control: str):
    folder = control_folder(tmp_path, ControlName(control))
    assert folder.parent == tmp_path
    assert folder.resolve().parent == tmp_path.resolve()
    folder.mkdir()


def a_foreign_version(folder: Path, card: ModelVersion) -> Path:
    folder.mkdir()
    (folder / "card.json").write_text(version_to_json(card))
    write(folder)
    return folder


def test_a_model_made_elsewhere_is_adopted_under_a_new_name(tmp_path: Path):
    made = a_version("al-0042-beef", project=7, parent=VersionName("al-0041-beef"))
    source = a_foreign_version(tmp_path / "theirs", made)
    store = VersionStore(tmp_path / "data")
    adopted = store.adopt(PETS, source)
    expected = replace(
        made,
        name=adopted.name,
        project=PETS,
        parent=None,
        promoted=False,
        reason="imported from theirs",
    )
    assert adopted.certificate is None
    assert adopted == store.get(PETS, adopted.name) == expected
    assert (store.folder(PETS, adopted.name, CONTROL) / "head.safetensors").is_file()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda folder: (folder / "card.json").unlink(), "cannot read"),
        (lambda folder: (folder / "card.json").write_text("{}"), "invalid: not a version card"),
        (lambda folder: (folder / "c").rename(folder / "d"), "no folder for control 'c'"),
    ],
)
def test_an_incomplete_model_is_not_adopted(
    tmp_path: Path, spoil: Callable[[Path], object], says: str
):
    source = a_foreign_version(tmp_path / "theirs", a_version())
    spoil(source)
    store = VersionStore(tmp_path / "data")
    with pytest.raises(BadInput, match=says):
        store.adopt(PETS, source)
    assert list(store.all(PETS)) == []


def test_the_current_version_is_read_in_less_than_a_millisecond(tmp_path: Path):
    store = VersionStore(tmp_path)
    store.activate(PETS, publish(store).name)
    best = min(_seconds(lambda: store.current(PETS)) for _ in range(20))
    assert best < 0.001


def test_a_card_is_readable_json(tmp_path: Path):
    version = publish(VersionStore(tmp_path))
    card = json.loads((versions_folder(tmp_path) / version.name / "card.json").read_text())
    assert card["labels"] == {"c": ["cat", "dog"]}
    assert card["kinds"] == {"c": "classification"}
    assert card["created"] == "2026-11-21T08:00:00Z"


def _seconds(call: Callable[[], object]) -> float:
    started = time.thread_time()
    call()
    return time.thread_time() - started
