from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.errors import FetchFailed
from connectors.images.content import Limits
from connectors.images.s3 import S3Storage, credentials_given, folder
from tests.fakes.image_server import ImageServer, answer, image_server, tagged

pytest.importorskip("boto3")

IMAGE = b"the content of an image"
LIMITS = Limits(seconds=20, size=1000)
MISSING = b"<Error><Code>NoSuchKey</Code><Message>no such key</Message></Error>"


@pytest.fixture
def server() -> Iterator[ImageServer]:
    with image_server() as server:
        yield server


@pytest.fixture
def s3(server: ImageServer, monkeypatch: pytest.MonkeyPatch) -> S3Storage:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    return S3Storage(["s3://"], server.url("", host="localhost"))


def test_an_object_is_read_with_our_own_credentials(
    server: ImageServer, s3: S3Storage, tmp_path: Path
) -> None:
    server.routes["/bucket/a%20b/1%23.jpg"] = answer(200, IMAGE, ETag='"v1"')
    received = s3.fetch("s3://bucket/a b/1#.jpg", tmp_path / "image", LIMITS)
    assert received and received.size == len(IMAGE)
    assert (tmp_path / "image").read_bytes() == IMAGE
    assert server.asked[0][1]["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=test/")


def test_an_unchanged_object_is_not_read_again(
    server: ImageServer, s3: S3Storage, tmp_path: Path
) -> None:
    server.routes["/bucket/1.jpg"] = tagged(IMAGE, '"v1"')
    received = s3.fetch("s3://bucket/1.jpg", tmp_path / "image", LIMITS)
    assert received
    assert s3.fetch("s3://bucket/1.jpg", tmp_path / "image", LIMITS, received.validator) is None


def test_what_s3_refuses_is_reported_with_a_hint(
    server: ImageServer, s3: S3Storage, tmp_path: Path
) -> None:
    server.routes["/bucket/1.jpg"] = answer(404, MISSING, Content_Type="application/xml")
    server.routes["/bucket/2.jpg"] = answer(200, bytes(1001), ETag='"v1"')
    server.routes["/bucket/3.jpg"] = answer(200, b"", ETag='"v1"')
    for key, reason in ((1, "NoSuchKey"), (2, "larger than"), (3, "empty")):
        with pytest.raises(FetchFailed, match=reason) as failed:
            s3.fetch(f"s3://bucket/{key}.jpg", tmp_path / "image", LIMITS)
        assert failed.value.hint
    assert not list(tmp_path.iterdir())


def test_a_profile_that_does_not_exist_is_a_failure_with_a_hint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(FetchFailed, match="ProfileNotFound") as failed:
        S3Storage(["s3://"])
    assert "AWS credentials" in failed.value.hint


@pytest.mark.parametrize(
    ("environment", "given"),
    [({}, False), ({"AWS_ACCESS_KEY_ID": ""}, False), ({"AWS_PROFILE": "labels"}, True)],
)
def test_credentials_of_this_machine_are_noticed(environment: dict[str, str], given: bool) -> None:
    assert credentials_given(environment) is given


@pytest.mark.parametrize(
    ("prefix", "uri", "is_covered"),
    [
        (None, "s3://pets/a/1.jpg", True),
        ("", "s3://pets/1.jpg", True),
        ("", "s3://pets-secret/1.jpg", False),
        ("cats", "s3://pets/cats/1.jpg", True),
        ("cats/", "s3://pets/cats/1.jpg", True),
        ("cats", "s3://pets/cats-secret/1.jpg", False),
        ("cats", "s3://pets/1.jpg", False),
        ("cats", "gs://pets/cats/1.jpg", False),
    ],
)
def test_only_folders_that_a_storage_names_are_read(
    server: ImageServer, s3: S3Storage, prefix: str | None, uri: str, is_covered: bool
) -> None:
    storage = S3Storage([folder("pets", prefix)], server.url("", host="localhost"))
    assert storage.covers(uri) is is_covered


def test_without_a_storage_nothing_is_read(server: ImageServer, s3: S3Storage) -> None:
    assert not S3Storage([], server.url("", host="localhost")).covers("s3://pets/1.jpg")
