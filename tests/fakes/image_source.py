"""Images in memory, for a cache to fetch; implements `connectors.images.storage.Source`."""

import os
import threading
from pathlib import Path

from connectors.errors import FetchFailed
from connectors.images.addresses import Address, Place, parse
from connectors.images.content import Content, save
from connectors.images.local_files import LinkedFolders, LocalFile, find
from connectors.images.storage import ImageRequest


class FakeSource:
    """`contents` by address; `fetched` lists what was asked for. `gate` holds all
    fetches, `error` fails them. A local file that is gone went away a moment ago."""

    def __init__(self, contents: dict[str, bytes], local_root: Path | None = None) -> None:
        self.contents = contents
        self.fetched: list[str] = []
        self.unchanged: list[str] = []
        self.error: FetchFailed | None = None
        self.gate = threading.Event()
        self.gate.set()
        self._local_root = local_root

    def address(self, uri: str) -> Address:
        return parse(uri, "http://labels.example")

    def local(self, address: Address, folders: LinkedFolders) -> LocalFile | None:
        if self._local_root is None or address.place is not Place.LOCAL:
            return None
        root = os.path.realpath(self._local_root)
        return find(root, address.at, folders) or LocalFile(f"{root}/{address.at}", 1, "gone")

    def fetch(self, request: ImageRequest, to: Path) -> Content | None:
        uri = request.address.at
        self.fetched.append(uri)
        while not self.gate.wait(0.01):
            if request.cancelled and request.cancelled.is_set():
                raise FetchFailed("cancelled")
        if self.error:
            raise self.error
        content = self.contents.get(uri)
        if content is None:
            raise FetchFailed(f"there is no {uri}")
        if request.validator == f"If-None-Match: {hash(content)}":
            self.unchanged.append(uri)
            return None
        saved = save([content], to, 10_000_000)
        return Content(saved.digest, saved.size, f"If-None-Match: {hash(content)}")
