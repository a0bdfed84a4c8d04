"""A real file system without room, where the kernel lets us mount one."""

import json
import shutil
import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def rounds(tmp_path_factory):
    """What three rounds came to: with room, on a full disk, and with room again."""
    folder = tmp_path_factory.mktemp("disk")
    own_mounts = ["unshare", "--map-root-user", "--mount"]
    allowed = (
        shutil.which("unshare")
        and not subprocess.run(
            [*own_mounts, "mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True, check=False
        ).returncode
    )
    if not allowed:
        pytest.skip("this kernel does not let us mount a small disk")
    command = [sys.executable, "-m", "tests.integration.full_disk", folder]
    done = subprocess.run([*own_mounts, *command], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_a_full_disk_is_named_with_the_folder_and_a_hint(rounds):
    assert "the disk is full: cannot write" in rounds["error"]
    assert "AUTOLABEL_DATA_DIR" in rounds["error"]


def test_a_round_on_a_full_disk_leaves_everything_as_it_was(rounds):
    assert rounds["before"]["folders"] == rounds["before"]["versions"]
    assert rounds["after"] == rounds["before"]


def test_a_database_that_cannot_even_be_read_on_a_full_disk_says_so(rounds):
    with_room, without = rounds["database"]
    assert with_room == ""
    assert "the disk is full: cannot write" in without
    assert "labels.sqlite3" in without


def test_a_cache_of_images_that_cannot_be_opened_says_so(rounds):
    assert "index.sqlite is full" in rounds["images"]


def test_a_round_with_room_again_succeeds(rounds):
    first, second = rounds["rounds"]
    assert first != second
