"""Parse the image addresses of task data into what to fetch, and where.

Pure: reads no file and sends no request.
"""

import base64
import binascii
import posixpath
import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlsplit

from connectors.errors import FetchFailed


class Place(StrEnum):
    """Where an image is stored. Decides where it is fetched, and whether the token is sent."""

    UPLOAD = "upload"
    """A file uploaded to Label Studio. Never changes under its name; `at` is a path."""
    LOCAL = "local"
    """A file in Label Studio's folder of local files; `at` is relative to that folder."""
    CLOUD = "cloud"
    """An object in a bucket that Label Studio can read; `at` is such as `s3://bucket/key`."""
    SERVER = "server"
    """Another route of Label Studio that serves files; `at` is a path with query."""
    WEB = "web"
    """Any other web server, asked without the token; `at` is an absolute address."""
    INLINE = "inline"
    """A `data:` address, which contains the image."""


@dataclass(frozen=True, slots=True)
class Address:
    """The normalized address of one image."""

    place: Place
    at: str

    @property
    def is_constant(self) -> bool:
        """Whether the content can never change, so that it need not be checked again."""
        return self.place in {Place.UPLOAD, Place.INLINE}

    def __str__(self) -> str:
        """For messages: without the query, which may be a signature, and without a password."""
        if self.place is Place.INLINE:
            return self.at[:24] + "…"
        if self.place in {Place.LOCAL, Place.CLOUD}:
            return self.at
        return re.sub(r"^(\w+://)[^/]*@", r"\1", self.at.split("?")[0])


_LOOPBACK: Final = {"localhost", "127.0.0.1", "::1"}
_CLOUD_SCHEMES: Final = ("s3://", "gs://", "azure-blob://")
_UPLOAD: Final = re.compile(r"/data/upload/\d+/[^/]+")
_SERVED: Final = re.compile(
    r"/(data/upload/.+|storage-data/uploaded/?|(tasks|projects)/\d+/(resolve|presign|file-proxy)/?)"
)
_RESOLVED: Final = re.compile(r"/(tasks|projects)/\d+/(resolve|presign)/?")
_HINT: Final = (
    "An image is an upload, a local file, a web address, a data: address, or in a bucket (s3://,"
    " gs://, azure-blob://)"
)


def parse(uri: str, server: str, names: Collection[str] = ()) -> Address:
    """Parse an address.

    A path of Label Studio's files, without a host or on a host of Label Studio, refers to this
    Label Studio. On any other host it is an address of the web like any other, so that its content
    is neither mixed with ours nor fetched with our token.

    Args:
        uri: as it stands in the task's data.
        server: the base URL of Label Studio, without trailing slash.
        names: other addresses of the same Label Studio, such as that for browsers.

    Raises:
        FetchFailed: when the address cannot be parsed or is of an unknown kind.
    """
    uri = uri.strip()
    try:
        uri.encode()
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError as exc:
        raise FetchFailed(f"{uri[:200]!r} is not an address that can be read", _HINT) from exc
    if uri.startswith(_CLOUD_SCHEMES):
        return Address(Place.CLOUD, uri)
    if parts.scheme == "data":
        return Address(Place.INLINE, uri)
    if parts.scheme in {"http", "https"} and parts.netloc:
        is_ours = _host(parts) in {_host(urlsplit(one)) for one in (server, *names) if one}
        return (_on_server(parts, server) if is_ours else None) or Address(Place.WEB, uri)
    if uri.startswith("/") and not parts.netloc:
        return _on_server(parts, server) or Address(Place.WEB, server + _below(server, uri))
    raise FetchFailed(f"{uri[:200]!r} is not an address that can be fetched", _HINT)


def server_path(address: Address, task: int) -> str:
    """Return the path below the base URL at which Label Studio serves the image of a task."""
    match address.place:
        case Place.LOCAL:
            return f"/data/local-files/?d={quote(address.at)}"
        case Place.CLOUD:
            coded = base64.urlsafe_b64encode(address.at.encode()).decode()
            return f"/tasks/{task}/resolve/?fileuri={coded}"
        case _:
            return address.at


def _host(parts: SplitResult) -> tuple[str, int]:
    """Host and port; all names of this machine are one. Raises ValueError for no port."""
    name = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return ("localhost" if name in _LOOPBACK else name), port


def _on_server(parts: SplitResult, server: str) -> Address | None:
    """Return the address if Label Studio serves files under this path, else None."""
    path = _below(server, parts.path)
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    if path.rstrip("/") == "/data/local-files" and "d" in query:
        return Address(Place.LOCAL, _inside_folder(query["d"]))
    if not _SERVED.fullmatch(path) or ".." in unquote(path).split("/"):
        return None
    if _RESOLVED.fullmatch(path) and (uri := _decoded(query.get("fileuri", ""))):
        return Address(Place.CLOUD, uri)
    if _UPLOAD.fullmatch(path):
        return Address(Place.UPLOAD, path)
    return Address(Place.SERVER, f"{path}?{parts.query}" if parts.query else path)


def _below(server: str, path: str) -> str:
    """Return a path relative to the one of the base URL."""
    prefix = urlsplit(server).path.rstrip("/")
    return path.removeprefix(prefix) if prefix and path.startswith(prefix + "/") else path


def _inside_folder(relative: str) -> str:
    """Return a path that stays inside the folder, normalized as Label Studio does it."""
    clean = posixpath.normpath(relative).lstrip("/")
    if clean.split("/")[0] in {"", ".", ".."} or "\0" in clean:
        raise FetchFailed(
            f"{relative[:200]!r} is not inside the folder of local files",
            "Correct the part after ?d= in the task's data",
        )
    return clean


def _decoded(fileuri: str) -> str:
    """Decode the cloud address in a resolve URL; "" if there is none."""
    try:
        uri = base64.urlsafe_b64decode(fileuri).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""
    return uri if uri.startswith(_CLOUD_SCHEMES) else ""
