"""Open the parts of a running process: files, Redis, Label Studio, models.

Model runtimes are imported in the functions that open them, so the web process and the command
line start without.
"""

import importlib.metadata
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from backend.domain.ids import ProjectId
from backend.domain.schema import TaskKind
from backend.jobs.annotation_counter import AnnotationCounter
from backend.jobs.board import JobBoard
from backend.jobs.redis_client import QUICK
from backend.jobs.redis_keys import RedisKeys
from backend.jobs.shard_queue import ShardQueue
from backend.label_studio.errors import errors_translated
from backend.label_studio.gateway import LabelStudioGateway
from backend.label_studio.images import open_image_files, open_text_files
from backend.label_studio.labeled_copies import LabeledCopies
from backend.label_studio.source_files import LocalSourceFiles
from backend.ports.images import ImageModels
from backend.ports.model_family import Family, ForeignModel
from backend.presentation.report_images import JobImages
from backend.processes.embedded_redis import redis_url
from backend.settings import Settings
from backend.stores.audits import AuditFiles
from backend.stores.jobs import JobFiles
from backend.stores.label_backups import LabelBackupFiles
from backend.stores.ledgers import LedgerFiles
from backend.stores.listed_tasks import ListedTaskFiles
from backend.stores.polled_projects import PolledProjectFiles
from backend.stores.predictions import PredictionStore
from backend.stores.project_folders import ProjectFolders
from backend.stores.reviews import ReviewFiles
from backend.stores.task_copies import TaskCopyFiles
from backend.stores.thumbnails import ThumbnailFolder
from backend.stores.unfinished import UnfinishedJobFiles
from backend.stores.versions import VersionStore
from backend.use_cases import Parts, utc_now
from connectors.certificates import share, tls_context
from connectors.http import HttpClient, Pause
from connectors.label_studio.client import LabelStudioClient

PACKAGES = (
    "label-studio-autolabel",
    "torch",
    "torchvision",
    "ultralytics",
    "transformers",
    "onnxruntime",
    "scikit-learn",
    "numpy",
)
"""Installed versions of these are noted on each model version."""


def real_parts(
    settings: Settings,
    patience: float,
    pause: Pause = time.sleep,
    project: ProjectId | None = None,
) -> Parts:
    """Return the parts of a running process.

    Args:
        patience: seconds to wait for a Label Studio that does not answer.
        pause: called with the seconds to wait between two tries.
        project: the only one whose images are asked for, if there is only one.
    """
    trust_authorities(settings)
    client = label_studio_client(settings, patience, pause)
    url, files = partial(redis_url, settings), JobFiles(settings.data_dir)
    versions = VersionStore(settings.data_dir)
    labeled = LabeledCopies(client, TaskCopyFiles(settings.data_dir))
    opened = cache(partial(_extractor, settings, client, project))
    return Parts(  # one part a line: what a process consists of is seen at a glance
        settings=settings,
        label_studio=LabelStudioGateway(client, labeled),
        versions=versions,
        ledgers=LedgerFiles(settings.data_dir),
        audits=AuditFiles(settings.data_dir),
        stored=PredictionStore(settings.data_dir),
        jobs=JobBoard(url, settings.data_dir),
        changes=_annotation_counter(settings),
        extractor=opened,
        families=partial(families, settings, extractor=opened),
        foreign_models=LazyModelFiles(settings),
        illustrations=JobImages(
            lambda job: files.folder(job.request.project, job.id),
            versions.all,
            lambda ref, target: opened().write_preview(ref, target),
        ),
        origins=ProjectFolders(settings.data_dir),
        backups=LabelBackupFiles(settings.data_dir),
        source_files=LocalSourceFiles.of(settings),
        polled=PolledProjectFiles(settings.data_dir),
        listed=ListedTaskFiles(settings.data_dir),
        reviews=ReviewFiles(settings.data_dir, utc_now),
        thumbnails=_thumbnails(settings, client),
        unfinished=UnfinishedJobFiles(settings.data_dir),
        shards=ShardQueue(url, settings.data_dir),
        reports=lambda project: (job.report for job in files.newest(project) if job.report),
        packages=packages(),
        labeled=labeled,
    )


def trust_authorities(settings: Settings) -> None:
    """Let the libraries that download weights or read buckets trust what the settings name.

    A worker does so before it forks: reading all authorities takes up to half a second.

    Raises:
        BadInput: naming the setting whose file cannot be read.
    """
    with errors_translated():
        share(settings.ca_bundle, settings.data_dir / "certificates")
        tls_context(settings.ca_bundle)


def _annotation_counter(settings: Settings) -> AnnotationCounter:
    url = partial(redis_url, settings, **QUICK)
    return AnnotationCounter(url, RedisKeys(settings.data_dir), quick=True)


@dataclass(frozen=True, slots=True)
class LazyModelFiles:
    """Implements `model_family.ForeignModels`; loads a model runtime when a model is opened."""

    settings: Settings

    def open(self, source: str, *, trust: bool) -> ForeignModel:
        from backend.models.imported.reading import ModelFiles  # noqa: PLC0415 - loads a model runtime

        return ModelFiles(self.settings).open(source, trust=trust)


def http_client(settings: Settings, url: str) -> HttpClient:
    """Return a client without a token, such as for this backend's own address."""
    return HttpClient(url, ca_bundle=settings.ca_bundle)


def label_studio_client(
    settings: Settings, patience: float, pause: Pause = time.sleep
) -> LabelStudioClient:
    """Return a client that waits `patience` seconds for a Label Studio that does not answer."""
    key = settings.label_studio_api_key.get_secret_value()
    return LabelStudioClient(
        settings.label_studio_url,
        key,
        patience=patience,
        pause=pause,
        ca_bundle=settings.ca_bundle,
    )


def _extractor(
    settings: Settings, client: LabelStudioClient, project: ProjectId | None
) -> ImageModels:
    from backend.models.embedding.extractors import open_extractor  # noqa: PLC0415 - loads a model runtime
    from backend.models.items import ItemModels  # noqa: PLC0415 - loads a model runtime
    from backend.models.texts.extractor import open_texts  # noqa: PLC0415 - loads SciPy

    images = open_extractor(settings, open_image_files(settings, client, project))
    files = cache(partial(open_text_files, settings, client, project))
    return ItemModels(images, open_texts(settings, files))


def _thumbnails(settings: Settings, client: LabelStudioClient) -> ThumbnailFolder:
    files = cache(partial(open_image_files, settings, client))
    return ThumbnailFolder(settings.data_dir / "thumbnails", files, _write_preview)


def _write_preview(source: Path, target: Path) -> None:
    from backend.models.images.previews import write_preview  # noqa: PLC0415 - loads OpenCV

    write_preview(source, target)


def families(
    settings: Settings, device: str, extractor: Callable[[], ImageModels] | None = None
) -> Mapping[TaskKind, Family]:
    """Return the model family of each kind of control; torch is imported at its first use.

    With an `extractor` models answer images that were embedded by another encoder than theirs.
    """
    from backend.models.classification.family import classifier_family  # noqa: PLC0415 - loads SciPy
    from backend.models.detection.family import detector_family  # noqa: PLC0415 - loads SciPy
    from backend.models.imported.family import (  # noqa: PLC0415 - loads SciPy
        FamilyWithImports,
        ImportedModels,
    )

    known: Sequence[Family] = (
        classifier_family(settings, device, extractor),
        detector_family(settings, device),
    )
    loading = ImportedModels(settings, device)
    return {kind: FamilyWithImports(family, loading) for family in known for kind in family.kinds}


def packages() -> Mapping[str, str]:
    def version(name: str) -> str:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            return "not installed"

    return {name: version(name) for name in PACKAGES}
