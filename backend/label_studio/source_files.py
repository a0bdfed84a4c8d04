"""Find and delete the source files of images on this machine."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from backend.settings import Settings
from connectors.errors import FetchFailed
from connectors.images.addresses import Place, parse


@dataclass(frozen=True, slots=True)
class LocalSourceFiles:
    """Implements `backend.ports.images.SourceFiles` for images that Label Studio serves locally.

    `served` is the folder that Label Studio serves as local files, `root` the one below which files
    may be deleted. Symbolic links are resolved first, so none leads out of `root`.
    """

    label_studio_url: str
    names: tuple[str, ...] = ()
    served: Path | None = None
    root: Path | None = None

    @classmethod
    def of(cls, settings: Settings) -> "LocalSourceFiles":
        return cls(
            settings.label_studio_url,
            (settings.label_studio_public_url,),
            settings.local_files_root,
            settings.delete_files_root,
        )

    def find(self, uri: str) -> Path | None:
        if self.served is None or self.root is None:
            return None
        try:
            address = parse(uri, self.label_studio_url, self.names)
        except FetchFailed:
            return None
        if address.place is not Place.LOCAL:
            return None
        return self._inside(self.served / address.at)

    def delete(self, path: Path) -> None:
        if self._inside(path) == path:
            with suppress(FileNotFoundError):
                path.unlink()

    def _inside(self, path: Path) -> Path | None:
        if self.root is None:
            return None
        try:
            found, root = path.resolve(strict=True), self.root.resolve(strict=True)
            is_file = found.is_file()
        except OSError:
            return None
        return found if is_file and found.is_relative_to(root) else None
