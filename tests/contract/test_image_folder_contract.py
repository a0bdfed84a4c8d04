"""What every implementation of `backend.ports.folders.ImageFolder` does: on a disk, in a bucket."""

import os
from collections.abc import Iterator
from pathlib import Path

import boto3
import fsspec
import pytest
from moto.server import ThreadedMotoServer

from backend.domain.errors import BadInput, NotFound, Unavailable
from backend.label_studio.image_folder import LABEL_FILE_BYTES, open_folder
from backend.ports.folders import ImageFolder
from backend.processes.label_studio_server import free_port
from backend.settings import Settings
from tests.fakes.folders import FakeImageFolder

FILES = {"a.jpg": "image", "deep/b c.png": "image", "deep/b c.txt": "cat\n", ".hidden/d.jpg": ""}


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """A server that speaks S3, on this machine."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def in_bucket(s3: str, monkeypatch: pytest.MonkeyPatch) -> ImageFolder:
    given = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_ENDPOINT_URL": s3}
    for name, value in {**given, "AWS_DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    fsspec.filesystem("s3").clear_instance_cache()
    client = boto3.session.Session().client("s3")  # the default one would keep these credentials
    client.create_bucket(Bucket="photos")
    for path, text in {**FILES, "../other/e.jpg": ""}.items():
        client.put_object(Bucket="photos", Key=f"2026/{path}", Body=text.encode())
    return open_folder("s3://photos/2026/", Settings())


@pytest.fixture
def on_disk(tmp_path: Path) -> ImageFolder:
    root = tmp_path / "served"
    for path, text in FILES.items():
        file = root / "2026 photos" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        os.utime(file, (100, 100))
    return open_folder(str(root / "2026 photos"), Settings(local_files_root=root))


@pytest.fixture
def fake() -> ImageFolder:
    return FakeImageFolder(**FILES)


@pytest.fixture(params=["fake", "on_disk", "in_bucket"])
def folder(request: pytest.FixtureRequest) -> ImageFolder:
    return request.getfixturevalue(request.param)


def test_files_are_listed_by_path_without_hidden_ones(folder: ImageFolder):
    listed = folder.files()
    assert [one.path for one in listed] == ["a.jpg", "deep/b c.png", "deep/b c.txt"]
    assert [one.size for one in listed] == [5, 5, 4]


def test_a_text_is_read(folder: ImageFolder):
    assert folder.read("deep/b c.txt") == "cat\n"
    with pytest.raises((BadInput, NotFound)):
        folder.read("none.txt")


def test_what_is_written_is_read_and_listed_as_newer(folder: ImageFolder):
    before = {one.path: one.changed for one in folder.files()}
    folder.write("deep/b c.txt", "dög\n")
    folder.write("new.txt", "x")
    after = {one.path: one.changed for one in folder.files()}
    assert folder.read("deep/b c.txt") == "dög\n"
    assert after["deep/b c.txt"] >= before["deep/b c.txt"]
    assert set(after) - set(before) == {"new.txt"}


@pytest.mark.parametrize("path", ["../x.txt", "/x.txt", "deep/../../x.txt"])
def test_nothing_is_written_outside(folder: ImageFolder, path: str):
    with pytest.raises(BadInput, match="not inside"):
        folder.write(path, "x")


@pytest.mark.parametrize("path", ["a.jpg", "deep/b c.png", "100%/ä+b&c.jpg"])
def test_an_address_leads_back_to_its_path(folder: ImageFolder, path: str):
    assert folder.path_of(folder.address(path)) == path


def test_other_addresses_lie_elsewhere(folder: ImageFolder):
    for address in ("", "/data/upload/1/a.jpg", "s3://else/a.jpg", "https://host/a.jpg"):
        assert folder.path_of(address) is None


def test_label_studio_serves_a_folder_of_this_machine_as_local_files(on_disk: ImageFolder):
    address = on_disk.address("deep/b c.png")
    assert address == "/data/local-files/?d=2026%20photos/deep/b%20c.png"
    full = "http://localhost:8080/data/local-files/?d=2026%20photos%2Fa.jpg"
    assert on_disk.path_of(full) == "a.jpg"
    assert on_disk.path_of("/data/local-files/?d=2026%20photos/../x.jpg") is None


def test_an_address_in_a_bucket_is_the_one_that_label_studio_uses(in_bucket: ImageFolder):
    assert in_bucket.address("a.jpg") == "s3://photos/2026/a.jpg"
    assert in_bucket.path_of("s3://photos/2026/../x.jpg") is None


def test_a_file_that_is_no_label_file_is_refused(on_disk: ImageFolder, tmp_path: Path):
    place = tmp_path / "served" / "2026 photos"
    (place / "huge.txt").write_bytes(b"a" * (LABEL_FILE_BYTES + 1))
    (place / "latin.txt").write_bytes("ä".encode("latin-1"))
    with pytest.raises(BadInput, match="larger than"):
        on_disk.read("huge.txt")
    with pytest.raises(BadInput, match="UTF-8"):
        on_disk.read("latin.txt")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://host/a", "begins with s3, gs, azure"),
        ("s3://", "names no bucket"),
        ("s3://photos/../x", "names no bucket"),
        ("/somewhere/else", "AUTOLABEL_LOCAL_FILES_ROOT"),
        ("gs://photos", "sync-gcs"),
    ],
)
def test_a_folder_that_cannot_be_used_is_refused_with_what_to_do(url: str, said: str):
    with pytest.raises(BadInput, match=said):
        open_folder(url, Settings())


def test_the_folder_itself_must_be_inside_the_one_that_is_served(tmp_path: Path):
    with pytest.raises(BadInput, match="inside it"):
        open_folder(str(tmp_path), Settings(local_files_root=tmp_path))


def test_a_bucket_that_does_not_answer_is_away_and_one_that_is_not_there_is_named(
    in_bucket: ImageFolder, monkeypatch: pytest.MonkeyPatch
):
    with pytest.raises(NotFound, match="s3://none"):
        open_folder("s3://none/2026", Settings()).files()
    with pytest.raises(NotFound, match="no folder"):
        open_folder("s3://photos/2026/a.jpg", Settings()).files()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    fsspec.filesystem("s3").clear_instance_cache()
    with pytest.raises(Unavailable, match="does not answer"):
        open_folder("s3://photos/2025", Settings()).files()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    fsspec.filesystem("s3").clear_instance_cache()
    with pytest.raises(BadInput, match="credentials"):
        open_folder("s3://photos/2024", Settings()).files()


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path):
    folder = open_folder(f"file://{tmp_path}/none", Settings(local_files_root=tmp_path))
    with pytest.raises(NotFound, match="none"):
        folder.files()


@pytest.mark.parametrize("name", ["in_bucket", "fake"])
def test_a_name_that_label_studio_cuts_off_has_no_address(
    request: pytest.FixtureRequest, name: str
):
    with pytest.raises(BadInput, match="question mark"):
        request.getfixturevalue(name).address("a?.jpg")


def test_a_name_that_is_no_text_has_no_address(on_disk: ImageFolder):
    assert on_disk.path_of(on_disk.address("what? #1.jpg")) == "what? #1.jpg"
    with pytest.raises(BadInput, match="UTF-8"):
        on_disk.address(os.fsdecode(b"\xe4.jpg"))


def test_links_to_images_count_and_links_to_folders_are_not_followed(
    on_disk: ImageFolder, tmp_path: Path
):
    place, elsewhere = tmp_path / "served" / "2026 photos", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "x.jpg").write_text("image")
    (place / "linked.jpg").symlink_to(elsewhere / "x.jpg")
    (place / "dead.jpg").symlink_to(elsewhere / "none.jpg")
    (place / "folder").symlink_to(elsewhere)
    (place / "loop.jpg").symlink_to(place)
    listed = [one.path for one in on_disk.files()]
    assert listed == ["a.jpg", "deep/b c.png", "deep/b c.txt", "linked.jpg"]
    with pytest.raises(BadInput, match="not inside"):
        on_disk.write("folder/x.txt", "cat")
    assert [one.name for one in elsewhere.iterdir()] == ["x.jpg"]
