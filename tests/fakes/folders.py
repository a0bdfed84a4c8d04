"""A folder of images in memory."""

from collections.abc import Sequence

from backend.domain.errors import BadInput
from backend.domain.side_cars import FolderFile

BASE = "s3://photos/"


class FakeImageFolder:
    """Implements `backend.ports.folders.ImageFolder`. `now` is the time of what is written."""

    def __init__(self, **texts: str) -> None:
        self.texts = dict(texts)
        self.changed: dict[str, float] = {}
        self.sizes: dict[str, int] = {}
        self.now = 1e12

    def put(self, path: str, text: str = "", changed: float = 0.0) -> None:
        self.texts[path], self.changed[path] = text, changed

    def files(self) -> Sequence[FolderFile]:
        return [
            FolderFile(path, self.sizes.get(path, len(text)), self.changed.get(path, 0.0))
            for path, text in sorted(self.texts.items())
            if not any(part.startswith(".") for part in path.split("/"))
        ]

    def read(self, path: str) -> str:
        if path not in self.texts:
            raise BadInput(f"{path} does not exist")
        if "\0" in self.texts[path]:
            raise BadInput(f"{path} is no text in UTF-8", "Save it in UTF-8")
        return self.texts[path]

    def write(self, path: str, text: str) -> None:
        if ".." in path.split("/") or path.startswith("/"):
            raise BadInput(f"{path} is not inside {BASE}")
        self.put(path, text, self.now)

    def address(self, path: str) -> str:
        if "?" in path:
            raise BadInput("Label Studio cannot show names with a question mark", "Rename it")
        return BASE + path

    def path_of(self, address: str) -> str | None:
        return address.removeprefix(BASE) if address.startswith(BASE) else None
