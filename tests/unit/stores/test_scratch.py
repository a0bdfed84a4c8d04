from pathlib import Path

import pytest

from backend.stores import scratch
from backend.stores.scratch import local_scratch, scratch_folder, sweep_scratch


def test_the_folder_is_deleted_after_a_training_also_a_failed_one(tmp_path: Path):
    with pytest.raises(ValueError), scratch_folder(tmp_path / "scratch") as folder:
        (folder / "image.png").touch()
        raise ValueError
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_folder_that_a_killed_training_left_is_deleted(tmp_path: Path):
    (tmp_path / "detector-killed" / "images").mkdir(parents=True)
    with scratch_folder(tmp_path) as folder:
        assert list(tmp_path.iterdir()) == [folder]


def test_the_folder_of_a_running_training_and_other_files_are_kept(tmp_path: Path):
    (tmp_path / "other").touch()
    with scratch_folder(tmp_path) as running, scratch_folder(tmp_path) as another:
        assert {path.name for path in tmp_path.iterdir()} == {running.name, another.name, "other"}


def test_a_sweep_deletes_what_was_left_and_nothing_that_is_used(tmp_path: Path):
    sweep_scratch(tmp_path / "not there yet")
    with scratch_folder(tmp_path) as running:
        (tmp_path / "left").mkdir()
        sweep_scratch(tmp_path)
        assert list(tmp_path.iterdir()) == [running]


@pytest.mark.parametrize(
    ("on_disk", "expected"),
    [
        ({"data/scratch", "tmp"}, "data/scratch"),
        ({"tmp"}, "tmp"),
        (set(), None),
    ],
)
def test_files_that_are_used_in_place_of_memory_lie_on_a_disk_of_this_machine(
    tmp_path: Path, monkeypatch, on_disk, expected
):
    monkeypatch.setattr(scratch.tempfile, "gettempdir", lambda: str(tmp_path / "tmp"))
    disks = [tmp_path / name for name in on_disk]
    monkeypatch.setattr(scratch, "is_local_disk", lambda folder: folder in disks)
    assert local_scratch(tmp_path / "data") == (expected and tmp_path / expected)
