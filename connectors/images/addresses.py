"""Parse the image addresses of task data into what to fetch, and where.

Pure: reads no file and sends no request.
"""

import base64
import binascii
import posixpath
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from connectors.errors import FetchFailed
from connectors.images.task_content import SCHEME


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
    TASK = "task"
    """The same, left in the data of its task: see `task_content`."""


@dataclass(frozen=True, slots=True)
class Address:
    """The normalized address of one image."""

    place: Place
    at: str

    @property
    def is_constant(self) -> bool:
        """Whether the content can never change, so that it need not be checked again."""
        return self.place in {Place.UPLOAD, Place.INLINE, Place.TASK}

    def __str__(self) -> str:
        """For messages: without the query, which may be a signature, and without a password."""
        if self.place is Place.TASK:
            return "the image in the data of the task"
        if self.place is Place.INLINE:
            return self.at[:24] + "…"
        if self.place in {Place.LOCAL, Place.CLOUD}:
            return self.at
        return re.sub(r"^(\w+://)[^/]*@", r"\1", self.at.split("?")[0])


_LOOPBACK: Final = {"localhost", "127.0.0.1", "::1", "0.0.0.0"}  # noqa: S104 - compared, not bound
_CLOUD_SCHEMES: Final = ("s3://", "gs://", "azure-blob://")
_UPLOAD: Final = re.compile(r"/data/upload/\d+/[^/]+")
_SERVED: Final = re.compile(
    r"/(data/upload/.+|storage-data/uploaded/?|(tasks|projects)/\d+/(resolve|presign|file-proxy)/?)"
)
_RESOLVED: Final = re.compile(r"/(tasks|projects)/\d+/(resolve|presign)/?")
_PREFIX: Final = re.compile(
    r"(?P<prefix>(/[^/]+)*?)"
    r"/(data/(upload/\d+/|local-files/?$)|storage-data/uploaded|(tasks|projects)/\d+/(resolve|presign))"
)
"""The path under which a Label Studio is published, in front of a path of its files."""
_SEVERAL: Final = "the task has a list of several images, and is about one image only"
_ONE_EACH: Final = "Import each image as a task of its own, with value in place of valueList"
_HINT: Final = (
    "It may be an upload, a local file, a web address, a data: address, or in a bucket (s3://,"
    " gs://, azure-blob://)"
)


def parse(uri: str, server: str, names: Collection[str] = ()) -> Address:
    """Parse an address.

    A path of Label Studio's files, without a host or on a host of Label Studio, refers to this
    Label Studio. On any other host it is an address of the web like any other, so that its content
    is neither mixed with ours nor fetched with our token.

    The path may begin with the one under which Label Studio is published, which is that of `server`
    or of one of the `names`. Where none of them has a path, whatever precedes the path of a file is
    taken for it: Label Studio is then asked behind the proxy that removes it.

    Args:
        uri: as it stands in the task's data.
        server: the base URL of Label Studio, without trailing slash.
        names: other addresses of the same Label Studio, such as that for browsers.

    Raises:
        FetchFailed: when the address cannot be parsed or is of an unknown kind.
    """
    uri = uri.strip()
    if uri.startswith(('["', "[{")):
        raise FetchFailed(_SEVERAL, _ONE_EACH, image=_quoted(uri))
    bases = [urlsplit(one) for one in (server, *names) if one]
    try:
        uri.encode()
        if uri.startswith("//"):  # in a browser, with the scheme of Label Studio's page
            uri = f"{bases[-1].scheme}:{uri}"
        parts = urlsplit(uri)
        _ = parts.netloc and parts.port
    except ValueError as exc:
        raise FetchFailed("not an address that can be read", _HINT, image=_quoted(uri)) from exc
    if uri.startswith(_CLOUD_SCHEMES):
        return Address(Place.CLOUD, uri)
    if parts.scheme == "data":
        return Address(Place.INLINE, uri)
    if parts.scheme == SCHEME:
        return Address(Place.TASK, uri)
    if parts.scheme in {"http", "https"} and parts.netloc:
        ours = [base for base in bases if _host(parts) == _host(base)]
        found = _on_server(parts.path, parts.query, ours) if ours else None
        return found or Address(Place.WEB, uri)
    if not parts.scheme and not parts.netloc:
        if found := _on_server("/" + parts.path.lstrip("/"), parts.query, bases):
            return found
        if uri.startswith("/"):
            return Address(Place.WEB, server + _below(urlsplit(server), uri))
    raise FetchFailed("not an address that can be fetched", _HINT, image=_quoted(uri))


def likely_base(uri: str) -> str:
    """Return the base URL of the Label Studio that an address seems to belong to, "" if none.

    Only the path says so: whether it is this Label Studio must be decided by a person.
    """
    parts = urlsplit(uri)
    if parts.netloc and (found := _PREFIX.match(parts.path)):
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{found['prefix']}"
    return ""


def file_path(address: Address) -> str:
    """Return the path of a local file or an upload below the folder that Label Studio serves.

    `/data/upload/3/a%20b.jpg` is `upload/3/a b.jpg` in the folder of uploads.
    """
    if address.place is Place.UPLOAD:
        return unquote(address.at).removeprefix("/data/")
    return address.at


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


def _quoted(uri: str) -> str:
    return repr(uri[:200])


def _host(parts: SplitResult) -> tuple[str, int]:
    """Host and port; all names of this machine are one, and so are the ports 80 and 443.

    Raises:
        ValueError: when the port is no number.
    """
    name = (parts.hostname or "").rstrip(".")
    port = parts.port or 443
    return ("localhost" if name in _LOOPBACK else name), 443 if port == 80 else port


def _on_server(path: str, query: str, bases: Sequence[SplitResult]) -> Address | None:
    """Return the address if the Label Studio at these bases serves files under this path."""
    for relative in _relative(path, bases):
        if found := _served(relative, query):
            return found
    return None


def _relative(path: str, bases: Sequence[SplitResult]) -> Iterator[str]:
    """Yield what a path can be relative to the path under which Label Studio is published."""
    yield path
    prefixed = [base for base in bases if base.path.strip("/")]
    for base in prefixed:
        yield _below(base, path)
    if not prefixed and (found := _PREFIX.match(path)):
        yield path.removeprefix(found["prefix"])


def _served(path: str, query: str) -> Address | None:
    """Return the address if Label Studio serves files under this path, else None."""
    if path.rstrip("/") == "/data/local-files" and (relative := _parameter(query, "d")):
        return Address(Place.LOCAL, _inside_folder(relative))
    if not _SERVED.fullmatch(path) or ".." in unquote(path).split("/"):
        return None
    if _RESOLVED.fullmatch(path) and (uri := _decoded(_parameter(query, "fileuri"))):
        return Address(Place.CLOUD, uri)
    if _UPLOAD.fullmatch(path):
        return Address(Place.UPLOAD, path)
    return Address(Place.SERVER, f"{path}?{query}" if query else path)


def _parameter(query: str, name: str) -> str:
    """Return the last value of a parameter; "" if there is none."""
    return dict(parse_qsl(query)).get(name, "")


def _below(base: SplitResult, path: str) -> str:
    """Return a path relative to the one of a base URL."""
    prefix = base.path.rstrip("/")
    return path.removeprefix(prefix) if prefix and path.startswith(prefix + "/") else path


def _inside_folder(relative: str) -> str:
    """Return a path that stays inside the folder, normalized as Label Studio does it."""
    clean = posixpath.normpath(relative).lstrip("/")
    if clean.split("/")[0] in {"", ".", ".."} or "\0" in clean:
        raise FetchFailed(
            "not inside the folder of local files",
            "Correct the part after ?d= in the task's data",
            image=_quoted(relative),
        )
    return clean


def _decoded(fileuri: str) -> str:
    """Decode the cloud address in a resolve URL; "" if there is none."""
    try:
        uri = base64.urlsafe_b64decode(fileuri).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""
    return uri if uri.startswith(_CLOUD_SCHEMES) else ""
