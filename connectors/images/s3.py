"""Read objects directly from S3 instead of through Label Studio.

For machines with AWS credentials. boto3 (the extra `s3`) finds credentials, region and endpoint in
its usual places (`AWS_PROFILE`, `AWS_ENDPOINT_URL`, roles, …).
"""

from collections.abc import Collection, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Protocol, cast

from connectors.errors import FetchFailed
from connectors.images.content import Content, Limits, check_size, save
from connectors.images.network import Deadline

_CREDENTIALS: Final = ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE")
_CHUNK: Final = 1 << 18
_IF_CHANGED: Final = "If-None-Match: "


class _Body(Protocol):
    def iter_chunks(self, chunk_size: int) -> Iterator[bytes]: ...

    def close(self) -> None: ...


class _Client(Protocol):
    """The part of boto3's S3 client that is used here."""

    def get_object(self, **arguments: str) -> Mapping[str, Any]: ...


def credentials_given(environment: Mapping[str, str]) -> bool:
    """Return whether the environment names AWS credentials."""
    return any(environment.get(name) for name in _CREDENTIALS)


def folder(bucket: str, prefix: str | None) -> str:
    """The beginning of the addresses in a bucket, below a prefix if there is one."""
    inside = (prefix or "").strip("/")
    return f"s3://{bucket}/{inside}/" if inside else f"s3://{bucket}/"


class _NotModified(Exception):
    """The object is the one that the validator was given with."""


class S3Storage:
    """Reads `s3://bucket/key` in the buckets it was opened for. Safe for several threads.

    This machine's credentials may reach further than those who write tasks are meant to.

    Args:
        folders: beginnings of addresses that may be read, such as `s3://bucket/pets/`.
        endpoint_url: another server than that of the configuration.

    Raises:
        FetchFailed: when boto3 is not installed, or cannot use the configuration of this machine,
            such as an `AWS_PROFILE` that does not exist.
    """

    def __init__(self, folders: Collection[str], endpoint_url: str | None = None) -> None:
        self._folders = tuple(folders)
        self._client = _client(endpoint_url)

    def covers(self, uri: str) -> bool:
        """Whether an address is in one of the folders."""
        return uri.startswith(self._folders)

    def fetch(self, uri: str, to: Path, limits: Limits, validator: str = "") -> Content | None:
        """Write the object to `to`; return None when it did not change since `validator`.

        Raises:
            FetchFailed: with the error code of S3.
            DiskFull: when the object does not fit.
        """
        try:
            return self._fetch(uri, to, limits, validator)
        except _NotModified:
            return None

    def _fetch(self, uri: str, to: Path, limits: Limits, validator: str) -> Content:
        deadline = Deadline(limits.seconds)
        with _translated():
            found = self._client.get_object(**_wanted(uri, validator))
            body = cast("_Body", found["Body"])
            try:
                check_size(int(found["ContentLength"]), limits.size)
                content = save(_until(deadline, body), to, limits.size)
            finally:
                body.close()
            return replace(content, validator=f"{_IF_CHANGED}{found['ETag']}")


def _client(endpoint_url: str | None) -> _Client:
    try:
        boto3, config = import_module("boto3"), import_module("botocore.config")
    except ImportError as exc:
        raise FetchFailed(
            "reading S3 directly needs boto3, which is not installed",
            "pip install 'label-studio-autolabel[s3]', or let Label Studio read the bucket",
        ) from exc
    settings = config.Config(
        connect_timeout=10,
        read_timeout=15,
        retries={"mode": "standard", "total_max_attempts": 3},
        max_pool_connections=64,
    )
    with _translated():
        return cast("_Client", boto3.client("s3", endpoint_url=endpoint_url, config=settings))


def _wanted(uri: str, validator: str) -> dict[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    wanted = {"Bucket": bucket, "Key": key}
    if validator.startswith(_IF_CHANGED):
        wanted["IfNoneMatch"] = validator.removeprefix(_IF_CHANGED)
    return wanted


def _until(deadline: Deadline, body: _Body) -> Iterator[bytes]:
    for chunk in body.iter_chunks(_CHUNK):
        if not deadline.left():
            raise FetchFailed("S3 is too slow", "Raise AUTOLABEL_FETCH_SECONDS")
        yield chunk


@contextmanager
def _translated() -> Generator[None, None, None]:
    """Turn the errors of boto3 into FetchFailed, or into `_NotModified`."""
    errors = import_module("botocore.exceptions")
    try:
        yield
    except errors.ClientError as exc:
        error = cast("Mapping[str, str]", exc.response["Error"])
        if error["Code"] in {"304", "NotModified"}:
            raise _NotModified from exc
        raise FetchFailed(
            f"S3 answered {error['Code']}", "Does the object exist, and may we read it?"
        ) from exc
    except (errors.BotoCoreError, errors.HTTPClientError) as exc:
        raise FetchFailed(
            f"S3 cannot be read ({type(exc).__name__})",
            "Check the AWS credentials, region and endpoint of this machine",
        ) from exc
