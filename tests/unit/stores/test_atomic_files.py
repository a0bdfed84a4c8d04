import errno
import os
import stat
from pathlib import Path

import pytest

from backend.domain.errors import OutOfSpace, Unavailable
from backend.stores.atomic_files import require_writable, room_for, sweep_drafts, write_whole


def test_a_file_is_replaced_as_a_whole(tmp_path: Path):
    path = tmp_path / "new" / "current"
    write_whole(path, "al-0001-3f9c")
    write_whole(path, "Größe")
    assert path.read_text("utf-8") == "Größe"
    assert list(path.parent.iterdir()) == [path]


def test_a_full_disk_keeps_the_old_content(tmp_path: Path):
    path = tmp_path / "current"
    write_whole(path, "old")
    with pytest.raises(OutOfSpace, match="AUTOLABEL_DATA_DIR"), room_for(path):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert path.read_text() == "old"


def test_a_folder_that_this_user_cannot_write_is_named_with_the_user(tmp_path: Path):
    require_writable(tmp_path / "new" / "data")
    assert list((tmp_path / "new" / "data").iterdir()) == []
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Unavailable, match=f"cannot be written by user {os.getuid()}") as refused:
        require_writable(tmp_path / "file" / "data")
    assert "AUTOLABEL_DATA_DIR" in refused.value.hint


def test_what_has_nothing_to_do_with_space_stays_what_it_is(tmp_path: Path):
    with pytest.raises(PermissionError), room_for(tmp_path):
        raise PermissionError(errno.EACCES, "Permission denied")


def test_a_failed_write_leaves_no_draft_behind(tmp_path: Path):
    blocked = tmp_path / "current"
    (blocked / "child").mkdir(parents=True)
    with pytest.raises(OSError, match="directory"):
        write_whole(blocked, "text")
    assert list(tmp_path.iterdir()) == [blocked]


def test_the_folder_is_flushed_too_so_that_the_new_name_survives_a_power_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    flushed: list[bool] = []
    fsync = os.fsync

    def recorded(handle: int) -> None:
        flushed.append(stat.S_ISDIR(os.fstat(handle).st_mode))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", recorded)
    write_whole(tmp_path / "current", "al-0001-3f9c")
    assert flushed == [False, True]


def test_old_drafts_of_killed_processes_are_swept_and_nothing_else(tmp_path: Path):
    project = tmp_path / "projects" / "1"
    job = project / "jobs" / "job-1"
    (project / ".draft-al-0001").mkdir(parents=True)
    job.mkdir(parents=True)
    left = [project / ".ledger.json.ab12_xyz", job / ".job.json.00000000"]
    kept = [project / "ledger.json", project / ".hidden", job / ".job.json.newnewne"]
    for path in (*left, *kept):
        path.touch()
        os.utime(path, (0, 0))
    os.utime(kept[-1])
    sweep_drafts(tmp_path, older_than=60)
    assert [path.exists() for path in left] == [False, False]
    assert all(path.exists() for path in kept)
    assert (project / ".draft-al-0001").is_dir()
