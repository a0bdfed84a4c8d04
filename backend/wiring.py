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
from backend.domain.schema import TaskKind
from backend.domain.versions import ModelVersion
from backend.jobs import boundary
from backend.jobs.annotation_counter import AnnotationCounter
from backend.jobs.board import JobBoard
from backend.jobs.redis_client import RedisClient
from backend.label_studio.gateway import LabelStudioGateway
from backend.label_studio.images import GatewayFiles
from backend.ports.images import FeatureExtractor
from backend.ports.label_studio import LabelStudio
from backend.ports.model_family import Family
from backend.ports.progress import Progress
from backend.presentation.report_images import JobImages
from backend.processes.auto_train_loop import AutoTrainLoop
from backend.processes.embedded_redis import redis_url
from backend.services.active_learning import ActiveLearning
from backend.services.assessment import Assessor
from backend.services.audit_sample import AuditSamples
from backend.services.auto_accept import AutoAccept
from backend.services.auto_train import AutoTrain, consuming, pace
from backend.services.grouping import Grouping
from backend.services.pre_labeling import PreLabeling
from backend.services.predict import Predict
from backend.services.prediction.box_statistics import Cropping
from backend.services.prediction.consistency import ConsistencyCheck
from backend.services.prediction.hard_examples import HardExamples, table
from backend.services.prediction.inference import Predictor
from backend.services.publishing.finishing import Finishing
from backend.services.publishing.publisher import Publisher
from backend.services.readiness import Readiness
from backend.services.reporting.forecast import Forecasts
from backend.services.reporting.reporter import Reporter
from backend.services.suggestions import Suggestions
from backend.services.training.label_issues import LabelIssues
from backend.services.training.model_cache import ModelCache
from backend.services.training.promotion import Comparison
from backend.services.training.train import Learning
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
REQUEST_PATIENCE = 2.0
"""Seconds that a request or a command waits for a Label Studio that is away."""


@dataclass(frozen=True, slots=True)
class App:
    """Implements `backend.ports.label_studio.Backend`."""

    settings: Settings
    label_studio: LabelStudio
    versions: VersionStore
    jobs: JobBoard
    events: AnnotationCounter
    redis: RedisClient
    readiness: Readiness
    auto_accept: AutoAccept
    predictions: Predict
    trigger: AutoTrain

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
    client = label_studio_client(settings, REQUEST_PATIENCE)
    label_studio = LabelStudioGateway(client)
    versions = VersionStore(settings.data_dir)
    url = partial(redis_url, settings)
    jobs = JobBoard(url, settings.data_dir)
    events = AnnotationCounter(url)
    ledgers = LedgerFiles(settings.data_dir)
    shown = cache(partial(extractor, settings, client.http))
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
            AuditSamples(label_studio, ledgers, settings.seed),
            settings,
            partial(_weights, settings),
        ),
        auto_accept=AutoAccept(label_studio, ledgers),
        predictions=Predict(
            versions=versions,
            ledgers=ledgers,
            stored=PredictionStore(settings.data_dir),
            model_cache=ModelCache(lambda: learning(settings, shown()), versions),
            extractor=shown,
            seconds=settings.predict_seconds,
        ),
        trigger=AutoTrain(events, versions, jobs, pace(settings), on=settings.auto_train),
    )


def watcher(app: App) -> AutoTrainLoop:
    """What starts trainings by themselves, to run beside the web server."""
    return AutoTrainLoop(app.events, app.trigger, app.readiness.status, app.start)


def runner(settings: Settings) -> Callable[[JobId], None]:
    """What runs one queued job, in the work horse."""
    url = partial(redis_url, settings)
    board, changes = JobBoard(url, settings.data_dir), AnnotationCounter(url)

    def work(job: Job, progress: Progress) -> Mapping[str, Any]:
        return _use_case(settings, job.request.mode, progress)(job, progress)

    return lambda job: boundary.run(board, job, consuming(changes, work), STEPS)


def label_studio_client(
    settings: Settings, patience: float, pause: Pause = time.sleep
) -> LabelStudioClient:
    """The way to Label Studio; waits `patience` seconds for one that is away."""
    key = settings.label_studio_api_key.get_secret_value()
    return LabelStudioClient(settings.label_studio_url, key, patience=patience, pause=pause)


def extractor(settings: Settings, http: HttpClient) -> FeatureExtractor:
    """Images as the models see them."""
    from backend.models.embedding.feature_extractor import open_extractor  # noqa: PLC0415 - loads a model runtime

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
    return open_extractor(settings, GatewayFiles(files))


def _buckets() -> S3Storage | None:
    """S3 read directly where credentials and boto3 are here; else Label Studio is asked."""
    possible = credentials_given(os.environ) and find_spec("boto3") is not None
    return S3Storage() if possible else None


def learning(settings: Settings, extractor: FeatureExtractor) -> Learning:
    """The model families, one a kind."""
    return Learning(families(settings, extractor.device), settings, extractor.fetch)


def families(settings: Settings, device: str) -> Mapping[TaskKind, Family]:
    """What learns each kind; imports no torch until it trains or predicts."""
    from backend.models.classification.classifier import classifier_family  # noqa: PLC0415 - loads SciPy
    from backend.models.detection.family import detector_family  # noqa: PLC0415 - loads SciPy

    known: Sequence[Family] = (
        classifier_family(settings, device),
        detector_family(settings, device),
    )
    return {kind: family for family in known for kind in family.kinds}


def _weights(settings: Settings, kind: TaskKind) -> NoWeights | None:
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
    images = extractor(settings, client.http)
    taught = learning(settings, images)
    ledgers = LedgerFiles(settings.data_dir)
    audits = AuditSamples(label_studio, ledgers, settings.seed)
    assessor = Assessor(Predictor(images), _hard_examples(settings, images), audits)
    publisher = Publisher(label_studio, PredictionStore(settings.data_dir))
    finishing = Finishing(publisher, AutoAccept(label_studio, ledgers), versions)
    if mode is Mode.GROUPING:
        return Grouping(label_studio, images, settings.seed)
    if mode is Mode.SUGGESTING:
        return Suggestions(
            label_studio, images, taught, Predictor(images), versions, ledgers, settings.seed
        )
    reporter = _reporter(settings, images, versions, ledgers)
    if mode is Mode.PRE_LABELING:
        return PreLabeling(
            label_studio, images, audits, taught, assessor, finishing, reporter, versions
        )
    return ActiveLearning(
        label_studio=label_studio,
        extractor=images,
        audits=audits,
        learning=taught,
        comparison=Comparison(taught, versions),
        assessor=assessor,
        doubts=LabelIssues(label_studio, taught),
        finishing=finishing,
        reporter=reporter,
        versions=versions,
        settings=settings,
        packages=_packages(),
    )


def _hard_examples(settings: Settings, images: FeatureExtractor) -> HardExamples:
    most = settings.augmented_images
    return HardExamples(ConsistencyCheck(images, most), Cropping(images, most), table(settings))


def _reporter(
    settings: Settings, images: FeatureExtractor, versions: VersionStore, ledgers: LedgerFiles
) -> Reporter:
    files = JobFiles(settings.data_dir)

    def reports(project: ProjectId) -> Iterator[Mapping[str, Any]]:
        return (job.report for job in files.newest(project) if job.report)

    def folder(job: Job) -> Path:
        return files.folder(job.request.project, job.id)

    return Reporter(
        images,
        Forecasts(ledgers, reports),
        JobImages(folder, versions.all, images.fetch),
        reports,
    )


def _packages() -> Mapping[str, str]:
    def version(name: str) -> str:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            return "not installed"

    return {name: version(name) for name in PACKAGES}
