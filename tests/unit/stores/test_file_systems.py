"""What which file system allows: SQLite's journal, and files in place of memory."""

from pathlib import Path

import pytest

from backend.stores.file_systems import file_system, is_local_disk, journal_mode

MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
server:/export /srv/shared nfs4 rw,vers=4.2 0 0
/dev/sdb1 /srv/shared/fast\\040disk xfs rw 0 0
s3fs /srv/bucket fuse.s3fs rw 0 0
tmpfs /tmp tmpfs rw 0 0
"""


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("/home/me/.autolabel", "WAL"),
        ("/srv/shared", "TRUNCATE"),
        ("/srv/shared/autolabel/features", "TRUNCATE"),
        ("/srv/shared/fast disk/features", "WAL"),
        ("/srv/bucket/data", "TRUNCATE"),
        ("/srv/sharedness", "WAL"),
    ],
)
def test_a_write_ahead_log_is_kept_on_local_file_systems_only(
    tmp_path: Path, folder: str, expected: str
):
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS)
    assert journal_mode(Path(folder), mounts) == expected


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("/home/me/.autolabel/scratch", True),
        ("/srv/shared/autolabel/scratch", False),
        ("/srv/shared/fast disk", True),
        ("/tmp", False),
    ],
)
def test_files_in_place_of_memory_lie_on_no_network_and_in_no_memory(
    tmp_path: Path, folder: str, expected: bool
):
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS)
    assert is_local_disk(Path(folder), mounts) is expected


def test_where_the_system_tells_no_mounts_a_folder_counts_as_local(tmp_path: Path):
    assert file_system(tmp_path, tmp_path / "missing") == ""
    assert journal_mode(tmp_path, tmp_path / "missing") == "WAL"
