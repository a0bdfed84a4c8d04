from collections.abc import Sequence
from pathlib import Path

import pytest

from backend.processes.label_studio_server import LabelStudioProcess
from connectors.errors import FetchFailed
from connectors.http import HttpClient
from connectors.images.cache import ImageCache
from connectors.images.content import Content, digest_of
from connectors.images.storage import Storage
from connectors.label_studio.client import LabelStudioClient


@pytest.fixture
def files(label_studio: LabelStudioProcess, project: int) -> Sequence[Path]:
    """Three files in the folder that Label Studio serves; their names need quoting."""
    folder = label_studio.files_root / f"images of {project}"
    folder.mkdir(parents=True)
    paths = [folder / f"{number} & ä.jpg" for number in range(3)]
    for path in paths:
        path.write_bytes(f"content of {path.name}".encode())
    return paths


def addresses(client: LabelStudioClient, project: int) -> Sequence[tuple[int, str]]:
    page = client.http.request_json(
        "GET", "/api/tasks/", params={"project": project, "resolve_uri": "false", "page_size": 100}
    )
    return [(task["id"], task["data"]["image"]) for task in page["tasks"]]


def fetched(
    storage: Storage, items: Sequence[tuple[int, str]], tmp_path: Path
) -> list[Content | FetchFailed]:
    cache = ImageCache(tmp_path / "cache", storage, max_bytes=10**9, workers=4)
    return list(cache.digests(items))


def seen(slots: Sequence[Content | FetchFailed]) -> set[str]:
    """The digests; every image must have one."""
    found = [slot for slot in slots if isinstance(slot, Content)]
    assert len(found) == len(slots)
    return {one.digest for one in found}


def sync_local_files(client: LabelStudioClient, project: int, folder: Path) -> None:
    storage = client.http.request_json(
        "POST",
        "/api/storages/localfiles",
        json={
            "project": project,
            "path": str(folder),
            "use_blob_urls": True,
            "regex_filter": r".*\.jpg",
        },
    )
    client.http.request_json("POST", f"/api/storages/localfiles/{storage['id']}/sync")


def test_uploads_are_fetched(
    client: LabelStudioClient, project: int, files: Sequence[Path], tmp_path: Path
) -> None:
    client.tasks.upload_images(project, files)
    images = fetched(Storage(client.http), addresses(client, project), tmp_path)
    assert seen(images) == {digest_of(path) for path in files}


def test_local_files_are_fetched_or_read_in_place(
    client: LabelStudioClient, project: int, files: Sequence[Path], tmp_path: Path
) -> None:
    sync_local_files(client, project, files[0].parent)
    items = addresses(client, project)
    wanted = {digest_of(path) for path in files}
    served = fetched(Storage(client.http), items, tmp_path / "served")
    assert seen(served) == wanted

    nobody = HttpClient("http://127.0.0.1:1")
    in_place = Storage(nobody, local_root=files[0].parents[1])
    assert seen(fetched(in_place, items, tmp_path / "read")) == wanted


def test_what_label_studio_does_not_serve_says_why(
    client: LabelStudioClient,
    label_studio: LabelStudioProcess,
    project: int,
    files: Sequence[Path],
    tmp_path: Path,
) -> None:
    sync_local_files(client, project, files[0].parent)
    task = addresses(client, project)[0][0]
    items = [(task, "/data/local-files/?d=none/1.jpg"), (task, "s3://none/1.jpg")]
    for image in fetched(Storage(client.http), items, tmp_path / "ours"):
        assert isinstance(image, FetchFailed)
        assert "answered 404" in image.message

    stranger = Storage(HttpClient(label_studio.url, "f" * 40))
    (image,) = fetched(stranger, addresses(client, project)[:1], tmp_path / "stranger")
    assert isinstance(image, FetchFailed)
    assert "LABEL_STUDIO_API_KEY" in image.hint
