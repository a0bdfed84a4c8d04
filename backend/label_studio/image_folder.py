"""A folder on a disk or in a bucket, whose images Label Studio shows by their addresses.

fsspec (BSD-3) opens it; the packages for buckets are extras of ours.
"""

import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, Final, cast
from urllib.parse import quote

from backend.domain.errors import BadInput, NotFound, Unavailable
from backend.domain.side_cars import FolderFile
from backend.settings import Settings
from connectors.errors import FetchFailed
from connectors.images.addresses import Place, parse

LABEL_FILE_BYTES: Final = 10_000_000
"""Largest label file: one with more rectangles than an image has pixels in a row."""

_EXTRAS: Final = {"s3": "sync-s3", "gs": "sync-gcs", "azure": "sync-azure"}
_DRIVERS: Final = {"azure": "az"}
"""fsspec's name of a scheme where it differs from the one in use here."""

_ADDRESSES: Final = {"azure": "azure-blob"}
"""Label Studio's name of a scheme where it differs."""

_CREDENTIALS: Final = "Check the credentials in this environment, or the rights of the files"

_DRIVER_ERRORS: Final = (
    ("botocore.exceptions", "BotoCoreError"),
    ("google.auth.exceptions", "GoogleAuthError"),
    ("gcsfs.retry", "HttpError"),
    ("azure.core.exceptions", "AzureError"),
)
"""Module and name of what the drivers' own libraries raise; none is imported for this."""

_CHANGED: Final = ("mtime", "LastModified", "last_modified", "updated", "created")
"""Where file systems tell when a file changed: a number, a moment, or ISO 8601."""


@dataclass(frozen=True, slots=True)
class SynchronizedFolder:
    """Implements `backend.ports.folders.ImageFolder`.

    Attributes:
        url: as it was given, for messages.
        files_of: the file system.
        root: the folder, as the file system names it.
        base: what the addresses of its images begin with.
        located: where an address lies, as it follows `base`; None if elsewhere.
        served: its path below Label Studio's folder of local files; empty for a bucket.
    """

    url: str
    files_of: Any
    root: str
    base: str
    located: Callable[[str], str | None]
    served: str = ""

    def files(self) -> Sequence[FolderFile]:
        with self._errors():
            found = cast("dict[str, dict[str, Any]]", self.files_of.find(self.root, detail=True))
            # asked second, since it also says no where a bucket's server does not answer
            if (not found or self.root in found) and not self.files_of.isdir(self.root):
                raise NotFound(f"{self.url} is no folder", "Check its name")
            listed = {
                self._below(name): about
                for name, about in found.items()
                if not about.get("islink") or self.files_of.isfile(name)
            }
        return [
            FolderFile(path, int(about.get("size") or 0), _changed(about))
            for path, about in sorted(listed.items())
            if not any(part.startswith(".") for part in path.split("/"))
        ]

    def read(self, path: str) -> str:
        with self._errors():
            content: bytes = self.files_of.cat_file(
                self._inside(path), start=0, end=LABEL_FILE_BYTES + 1
            )
        if len(content) > LABEL_FILE_BYTES:
            raise BadInput(f"{path} is larger than a label file can be")
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise BadInput(f"{path} is no text in UTF-8", "Save it in UTF-8") from None

    def write(self, path: str, text: str) -> None:
        place = self._inside(path)
        with self._errors(), self.files_of.transaction, self.files_of.open(place, "wb") as file:
            file.write(text.encode())

    def address(self, path: str) -> str:
        if self._is_on_disk:
            try:
                return self.base + quote(path)
            except UnicodeEncodeError as exc:
                raise BadInput("its name is no UTF-8", "Rename it") from exc
        if "?" in path:
            raise BadInput("Label Studio cannot show names with a question mark", "Rename it")
        return self.base + path

    def path_of(self, address: str) -> str | None:
        return self.located(address)

    def _below(self, name: str) -> str:
        return name.removeprefix(self.root).lstrip("/")

    def _inside(self, path: str) -> str:
        parts = PurePosixPath(path).parts
        place = f"{self.root.rstrip('/')}/{path}"
        is_outside = not parts or ".." in parts or path.startswith("/")
        if is_outside or (self._is_on_disk and self._leads_out(place)):
            raise BadInput(f"{path} is not inside {self.url}")
        return place

    @property
    def _is_on_disk(self) -> bool:
        return self.base.startswith("/")

    def _leads_out(self, place: str) -> bool:
        """Return whether a file lies elsewhere, since a folder on the way to it is a link."""
        return not Path(place).parent.resolve().is_relative_to(self.root)

    @contextmanager
    def _errors(self) -> Generator[None]:
        try:
            yield
        except FileNotFoundError as exc:
            raise NotFound(f"{self.url} does not exist", "Check its name") from exc
        except PermissionError as exc:
            raise BadInput(f"{self.url} may not be used: {exc}", _CREDENTIALS) from exc
        except (OSError, RuntimeError) as exc:
            raise Unavailable(f"{self.url} does not answer: {exc}", "Try again later") from exc
        except _driver_errors() as exc:
            if _is_about_credentials(exc):
                raise BadInput(f"{self.url} may not be used: {exc}", _CREDENTIALS) from exc
            raise Unavailable(f"{self.url} does not answer: {exc}", "Try again later") from exc


def open_folder(url: str, settings: Settings) -> SynchronizedFolder:
    """Open a folder by its path or by `s3://`, `gs://` or `azure://` and a path in a bucket.

    Raises:
        BadInput: when its kind is unknown, its driver is missing, or Label Studio cannot serve it.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme == "file":
        return _on_disk(rest if separator else url, settings)
    if scheme not in _EXTRAS:
        hint = f"It is a folder of this machine, or begins with {', '.join(_EXTRAS)} and ://"
        raise BadInput(f"{url} is no folder that can be synchronized", hint)
    root = rest.strip("/")
    if not root or ".." in root.split("/"):
        raise BadInput(f"{url} names no bucket", f"Such as {scheme}://bucket/photos")
    try:
        opened = _file_system(_DRIVERS.get(scheme, scheme))
    except ImportError as exc:
        hint = f"pip install 'label-studio-autolabel[{_EXTRAS[scheme]}]'"
        raise BadInput(f"the driver for {scheme}:// is not installed", hint) from exc
    except (ValueError, *_driver_errors()) as exc:
        raise BadInput(f"{url} may not be used: {exc}", _CREDENTIALS) from exc
    base = f"{_ADDRESSES.get(scheme, scheme)}://{root}/"
    return SynchronizedFolder(
        url,
        opened,
        root,
        base,
        lambda address: _clean(address.removeprefix(base)) if address.startswith(base) else None,
    )


def _on_disk(path: str, settings: Settings) -> SynchronizedFolder:
    """Open a folder of this machine, which Label Studio serves as local files."""
    folder, served = Path(path).expanduser().resolve(), settings.local_files_root
    served = served.resolve() if served else None
    if served is None or served not in folder.parents:
        raise BadInput(
            f"Label Studio cannot show the files of {folder}",
            "Set AUTOLABEL_LOCAL_FILES_ROOT to the folder that Label Studio has as"
            " LOCAL_FILES_DOCUMENT_ROOT, with LOCAL_FILES_SERVING_ENABLED=true, and synchronize a"
            " folder inside it",
        )
    inner = folder.relative_to(served).as_posix() + "/"

    def located(uri: str) -> str | None:
        try:
            address = parse(uri, settings.label_studio_url, (settings.label_studio_public_url,))
        except FetchFailed:
            return None
        is_here = address.place is Place.LOCAL and address.at.startswith(inner)
        return _clean(address.at.removeprefix(inner)) if is_here else None

    return SynchronizedFolder(
        str(folder),
        _file_system("file"),
        folder.as_posix(),
        f"/data/local-files/?d={quote(inner)}",
        located,
        served=inner.rstrip("/"),
    )


def _file_system(protocol: str) -> Any:
    """Open a file system; each time anew, since a kept one would not see what others change."""
    import fsspec  # noqa: PLC0415 - the web process does without

    return fsspec.filesystem(  # pyright: ignore[reportUnknownMemberType] - fsspec has no types
        protocol, use_listings_cache=False
    )


def _driver_errors() -> tuple[type[Exception], ...]:
    """Return the error classes of the drivers in use that are no errors of Python's own kinds."""
    loaded = (getattr(sys.modules.get(module), name, None) for module, name in _DRIVER_ERRORS)
    return tuple(found for found in loaded if found)


def _is_about_credentials(error: Exception) -> bool:
    name = type(error).__name__
    return "Credential" in name or "Auth" in name


def _clean(path: str) -> str | None:
    return path if path and ".." not in PurePosixPath(path).parts else None


def _changed(about: dict[str, Any]) -> float:
    """Return when a file changed, in seconds since 1970; the future if its server does not tell."""
    for name in _CHANGED:
        match about.get(name):
            case datetime() as moment:
                return moment.timestamp()
            case int() | float() as seconds:
                return float(seconds)
            case str() as text:
                return datetime.fromisoformat(text).timestamp()
            case _:
                continue
    return float("inf")
