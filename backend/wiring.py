"""The only composition root: from settings to everything that runs.

What needs torch or a model runtime is imported inside the functions that build it, so the web
process and the command line start without.
"""

import importlib.metadata
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from backend.domain.errors import NoWeights, QueueUnreachable
from backend.domain.ids import UNTRAINED, JobId, ProjectId, VersionName
from backend.domain.jobs import Job, JobRequest, Mode
from backend.domain.projects import ProjectStatus
from backend.domain.schema import Kind
from backend.domain.versions import ModelVersion
from backend.jobs import boundary
from backend.jobs.annotation_counter import EventCounter
from backend.jobs.board import JobBoard
from backend.jobs.redis_client import RedisClient
from backend.label_studio.gateway import LabelStudioGateway
from backend.label_studio.images import GatewayFiles
from backend.ports.images import Gallery
from backend.ports.label_studio import LabelStudio
from backend.ports.model_family import Family
from backend.ports.progress import Progress
from backend.presentation.report_images import JobPictures
from backend.processes.auto_train_loop import Watcher
from backend.processes.embedded_redis import redis_url
from backend.services.active_learning import AutoLabel
from backend.services.auto_accept import AutoAccept
from backend.services.auto_train import TrainingTrigger, consuming, pace
from backend.services.grouping import GroupImages
from backend.services.pre_labeling import PreLabel
from backend.services.predict import Predict
from backend.services.prediction.assessment import Inspection
from backend.services.prediction.box_statistics import Cropping
from backend.services.prediction.consistency import Viewing
from backend.services.prediction.hard_examples import HardExamples, table
from backend.services.prediction.inference import Guessing
from backend.services.publishing.delivery import Delivery
from backend.services.publishing.finishing import Finishing
from backend.services.readiness import Readiness
from backend.services.reporting.forecast import Prospects
from backend.services.reporting.reporter import Reporter
from backend.services.suggestions import Suggest
from backend.services.training.label_issues import Doubts
from backend.services.training.model_cache import ModelShelf
from backend.services.training.promotion import Comparison
from backend.services.training.train import Learning
from backend.services.validation_sample import Lanes
from backend.settings import Settings
from backend.stores.jobs import JobFiles
from backend.stores.ledgers import LedgerFiles
from backend.stores.predictions import PredictionStore
from backend.stores.versions import VersionStore
from connectors.http import HttpClient, Pause
from connectors.images.cache import ImageCache
from connectors.images.content import Limits
from connectors.images.s3 import S3Storage, credentials_given
from connectors.images.storage import Storage
from connectors.label_studio.client import LabelStudioClient

log = logging.getLogger(__name__)

STEPS = {"list": 1, "embed": 10, "train": 10, "predict": 3, "push": 4}
"""Expected share of each step in a job, in order."""

WAITING = "waiting for Label Studio"
PACKAGES = ("label-studio-autolabel", "torch", "torchvision", "ultralytics", "onnxruntime", "numpy")
FACE_PATIENCE = 2.0
"""Seconds that a request or a command waits for a Label Studio that is away."""


@dataclass(frozen=True, slots=True)
class App:
    """Implements `backend.ports.label_studio.Backend`."""

    settings: Settings
    label_studio: LabelStudio
    versions: VersionStore
    jobs: JobBoard
    events: EventCounter
    redis: RedisClient
    readiness: Readiness
    auto_accept: AutoAccept
    predictions: Predict
    trigger: TrainingTrigger

    def version(self, project: ProjectId) -> VersionName:
        current = self.versions.current(project)
        return current.name if current else UNTRAINED

    def cards(self, project: ProjectId) -> Sequence[ModelVersion]:
        certified = self.auto_accept.certified(project)
        return [
            replace(card, certificate=card.certificate or certified.get(card.name))
            for card in self.versions.all(project)
        ]

    def status(self, project: ProjectId) -> ProjectStatus:
        found = self.readiness.status(project)
        obstacle = found.reasons[0].message if found.reasons else ""
        return replace(found, trigger=self.trigger.decide(project, lambda: obstacle))

    def start(self, request: JobRequest, *, count: bool = True) -> tuple[Job, bool]:
        running = self.jobs.live(request.project)
        if running:
            return running, False
        self.readiness.require(request, count=count)
        return self.jobs.submit(request)

    def undo(self, job: JobId) -> int:
        found = self.jobs.get(job)
        return self.auto_accept.undo(found.request.project, job)

    def accepted(self, job: Job) -> int:
        return self.auto_accept.standing(job.request.project, job.id)

    def changed(self, project: ProjectId, annotations: int) -> None:
        self.events.changed(project, annotations)

    def predict(
        self, project: ProjectId, label_config: str, tasks: Sequence[Mapping[str, Any]]
    ) -> Sequence[Mapping[str, Any] | list[Any]]:
        return self.predictions(project, label_config, tasks)

    def report_folder(self, job: Job) -> Path:
        return self.jobs.files.folder(job.request.project, job.id)

    def health(self) -> Mapping[str, Any]:
        try:
            with self.redis.reach() as redis:
                redis.ping()
        except QueueUnreachable:
            return {"redis": False}
        return {"redis": True}


def backend(settings: Settings) -> App:
    """What the web process and the command line ask."""
    client = label_studio_client(settings, FACE_PATIENCE)
    label_studio = LabelStudioGateway(client)
    versions = VersionStore(settings.data_dir)
    url = partial(redis_url, settings)
    jobs = JobBoard(url, settings.data_dir)
    events = EventCounter(url)
    ledgers = LedgerFiles(settings.data_dir)
    shown = cache(partial(gallery, settings, client.http))
    return App(
        settings=settings,
        label_studio=label_studio,
        versions=versions,
        jobs=jobs,
        events=events,
        redis=RedisClient(url),
        readiness=Readiness(
            label_studio,
            versions,
            jobs,
            Lanes(label_studio, ledgers, settings.seed),
            settings,
            partial(_weights, settings),
        ),
        auto_accept=AutoAccept(label_studio, ledgers),
        predictions=Predict(
            versions=versions,
            ledgers=ledgers,
            stored=PredictionStore(settings.data_dir),
            shelf=ModelShelf(lambda: learning(settings, shown()), versions),
            gallery=shown,
            seconds=settings.predict_seconds,
        ),
        trigger=TrainingTrigger(events, versions, jobs, pace(settings), on=settings.auto_train),
    )


def watcher(app: App) -> Watcher:
    """What starts trainings by themselves, to run beside the web server."""
    return Watcher(app.events, app.trigger, app.readiness.status, app.start)


def runner(settings: Settings) -> Callable[[JobId], None]:
    """What runs one queued job, in the work horse."""
    url = partial(redis_url, settings)
    board, changes = JobBoard(url, settings.data_dir), EventCounter(url)

    def work(job: Job, progress: Progress) -> Mapping[str, Any]:
        return _use_case(settings, job.request.mode, progress)(job, progress)

    return lambda job: boundary.run(board, job, consuming(changes, work), STEPS)


def label_studio_client(
    settings: Settings, patience: float, pause: Pause = time.sleep
) -> LabelStudioClient:
    """The way to Label Studio; waits `patience` seconds for one that is away."""
    key = settings.label_studio_api_key.get_secret_value()
    return LabelStudioClient(settings.label_studio_url, key, patience=patience, pause=pause)


def gallery(settings: Settings, http: HttpClient) -> Gallery:
    """Images as the models see them."""
    from backend.models.embedding.feature_extractor import open_gallery  # noqa: PLC0415 - loads a model runtime

    limits = Limits(settings.fetch_seconds, int(settings.max_image_megabytes * 1e6))
    storage = Storage(
        http,
        limits=limits,
        local_root=settings.local_files_root,
        s3=_buckets(),
        patience=settings.label_studio_patience,
    )
    files = ImageCache(
        settings.data_dir / "images",
        storage,
        max_bytes=int(settings.image_cache_gigabytes * 1e9),
        workers=settings.fetch_workers,
    )
    return open_gallery(settings, GatewayFiles(files))


def _buckets() -> S3Storage | None:
    """S3 read directly where credentials and boto3 are here; else Label Studio is asked."""
    possible = credentials_given(os.environ) and find_spec("boto3") is not None
    return S3Storage() if possible else None


def learning(settings: Settings, gallery: Gallery) -> Learning:
    """The model families, one a kind."""
    return Learning(families(settings, gallery.device), settings, gallery.fetch)


def families(settings: Settings, device: str) -> Mapping[Kind, Family]:
    """What learns each kind; imports no torch until it trains or predicts."""
    from backend.models.classification.classifier import classifier_family  # noqa: PLC0415 - loads SciPy
    from backend.models.detection.family import detector_family  # noqa: PLC0415 - loads SciPy

    known: Sequence[Family] = (
        classifier_family(settings, device),
        detector_family(settings, device),
    )
    return {kind: family for family in known for kind in family.kinds}


def _weights(settings: Settings, kind: Kind) -> NoWeights | None:
    try:
        families(settings, "cpu")[kind].check()
    except NoWeights as exc:
        return exc
    return None


def _use_case(
    settings: Settings, mode: Mode, progress: Progress
) -> Callable[[Job, Progress], Mapping[str, Any]]:
    def pause(seconds: float) -> None:
        progress(WAITING, 0, 1)
        time.sleep(seconds)

    client = label_studio_client(settings, settings.label_studio_patience, pause)
    label_studio = LabelStudioGateway(client)
    versions = VersionStore(settings.data_dir)
    pictures = gallery(settings, client.http)
    taught = learning(settings, pictures)
    ledgers = LedgerFiles(settings.data_dir)
    lanes = Lanes(label_studio, ledgers, settings.seed)
    inspection = Inspection(Guessing(pictures), _hard_examples(settings, pictures), lanes)
    delivery = Delivery(label_studio, PredictionStore(settings.data_dir))
    finishing = Finishing(delivery, AutoAccept(label_studio, ledgers), versions)
    if mode is Mode.GROUPING:
        return GroupImages(label_studio, pictures, settings.seed)
    if mode is Mode.SUGGESTING:
        return Suggest(
            label_studio, pictures, taught, Guessing(pictures), versions, ledgers, settings.seed
        )
    reporter = _reporter(settings, pictures, versions, ledgers)
    if mode is Mode.PRE_LABELING:
        return PreLabel(
            label_studio, pictures, lanes, taught, inspection, finishing, reporter, versions
        )
    return AutoLabel(
        label_studio=label_studio,
        gallery=pictures,
        lanes=lanes,
        learning=taught,
        comparison=Comparison(taught, versions),
        inspection=inspection,
        doubts=Doubts(label_studio, taught),
        finishing=finishing,
        reporter=reporter,
        versions=versions,
        settings=settings,
        packages=_packages(),
    )


def _hard_examples(settings: Settings, pictures: Gallery) -> HardExamples:
    most = settings.viewed_images
    return HardExamples(Viewing(pictures, most), Cropping(pictures, most), table(settings))


def _reporter(
    settings: Settings, pictures: Gallery, versions: VersionStore, ledgers: LedgerFiles
) -> Reporter:
    files = JobFiles(settings.data_dir)

    def reports(project: ProjectId) -> Iterator[Mapping[str, Any]]:
        return (job.report for job in files.newest(project) if job.report)

    def folder(job: Job) -> Path:
        return files.folder(job.request.project, job.id)

    return Reporter(
        pictures,
        Prospects(ledgers, reports),
        JobPictures(folder, versions.all, pictures.fetch),
        reports,
    )


def _packages() -> Mapping[str, str]:
    def version(name: str) -> str:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            return "not installed"

    return {name: version(name) for name in PACKAGES}
