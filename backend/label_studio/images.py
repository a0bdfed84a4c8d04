"""Files of images and texts: from the addresses in tasks to local files."""

import logging
import os
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from backend.domain.answers import ImageRef, NoPrediction
from backend.domain.ids import ProjectId
from backend.label_studio.errors import domain_error, errors_translated
from backend.settings import Settings
from backend.stores.file_systems import journal_mode
from connectors.errors import ConnectorError, FetchFailed, TransientError
from connectors.images.cache import ImageCache
from connectors.images.content import Limits
from connectors.images.index import ImageIndex
from connectors.images.s3 import S3Storage, credentials_given, folder
from connectors.images.storage import Storage
from connectors.label_studio.client import LabelStudioClient

log = logging.getLogger(__name__)


def open_image_files(
    settings: Settings, client: LabelStudioClient, project: ProjectId | None = None
) -> "GatewayFiles":
    """Return the image cache of the data folder; `client` fetches what Label Studio serves.

    Buckets are read directly only for the images of one project, and only those that a storage of
    it names: whoever can write a task could read all that this machine can, otherwise.
    """
    return _files(settings, client, project, settings.data_dir / "images", web_pages=False)


def open_text_files(
    settings: Settings, client: LabelStudioClient, project: ProjectId | None = None
) -> "GatewayFiles":
    """Return the cache of texts that are not in the data of their tasks; they may be web pages."""
    return _files(settings, client, project, settings.data_dir / "texts", web_pages=True)


def _files(
    settings: Settings,
    client: LabelStudioClient,
    project: ProjectId | None,
    root: Path,
    *,
    web_pages: bool,
) -> "GatewayFiles":
    size = int(settings.max_image_megabytes * 1e6)
    limits = Limits(settings.fetch_seconds, size, web_pages)
    storage = Storage(
        client.http,
        limits=limits,
        local_root=settings.local_files_root,
        media_root=settings.media_root,
        names=(settings.label_studio_public_url,),
        s3=_s3(client, project) if project else None,
        patience=settings.label_studio_patience,
        task_data=client.tasks.data,
    )
    with errors_translated():  # the disk may be full
        cache = ImageCache(
            root,
            storage,
            max_bytes=int(settings.image_cache_gigabytes * 1e9),
            workers=settings.fetch_workers,
            journal=journal_mode(settings.data_dir),
        )
    return GatewayFiles(cache)


def _s3(client: LabelStudioClient, project: ProjectId) -> S3Storage | None:
    """Return direct access to S3 where this machine has boto3 and usable credentials, else None."""
    if not credentials_given(os.environ) or find_spec("boto3") is None:
        return None
    try:
        storages = client.storages.s3(project)
        return S3Storage([folder(one["bucket"], one.get("prefix")) for one in storages])
    except ConnectorError as exc:
        log.warning("images in S3 are read through Label Studio: %s", exc)
        return None


def forget_old_images(data_dir: Path, days: float) -> int:
    """Forget addresses of images and texts not checked for so many days; returns their number."""
    return sum(_forget_old(data_dir / name / "index.sqlite", days) for name in ("images", "texts"))


def _forget_old(path: Path, days: float) -> int:
    if not path.is_file():
        return 0
    index = ImageIndex(path)
    try:
        return index.forget(days * 24 * 3600)
    finally:
        index.close()


class GatewayFiles:
    """Implements `backend.ports.images.ImageFiles` over the connectors' image cache."""

    def __init__(self, cache: ImageCache) -> None:
        self._cache = cache

    def digests(self, refs: Sequence[ImageRef]) -> Iterator[tuple[ImageRef, str] | NoPrediction]:
        with errors_translated():
            slots = self._cache.digests([(ref.task, ref.uri) for ref in refs])
            for ref, slot in zip(refs, slots, strict=True):
                if isinstance(slot, FetchFailed):
                    transient = isinstance(slot, TransientError)
                    yield NoPrediction(ref.task, str(domain_error(slot)), transient, slot.fault)
                else:
                    yield ref, slot.digest

    def known(self, refs: Sequence[ImageRef]) -> Sequence[str | None]:
        with errors_translated():
            return self._cache.known([(ref.task, ref.uri) for ref in refs])

    def path(self, ref: ImageRef) -> Path:
        with errors_translated():
            return self._cache.path(ref.task, ref.uri)
