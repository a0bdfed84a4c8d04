"""The only composition root: from parts to use cases, and from settings to the real parts.

`use_cases` is the one place where the graph is built. The web process, the worker, the benches and
the tests call it, each with parts of their own. Model runtimes are imported in the functions that
open them, so the web process and the command line start without.
"""

import importlib.metadata
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path

from backend.domain.errors import NoWeights
from backend.domain.ids import JobId, ProjectId
from backend.domain.jobs import Job, JobResult, Mode
from backend.domain.schema import TaskKind
from backend.domain.side_cars import SyncReport
from backend.domain.steps import Step
from backend.domain.version_names import review_name
from backend.jobs import boundary
from backend.jobs.annotation_counter import AnnotationCounter
from backend.jobs.board import JobBoard
from backend.jobs.cleanup_queue import CleanupQueue
from backend.jobs.redis_client import QUICK, RedisClient
from backend.jobs.redis_keys import RedisKeys
from backend.label_studio.gateway import LabelStudioGateway
from backend.label_studio.image_folder import open_folder
from backend.label_studio.images import open_image_files
from backend.label_studio.source_files import LocalSourceFiles
from backend.ports.images import ImageModels, SourceFiles
from backend.ports.jobs import AnnotationChanges, Jobs
from backend.ports.label_studio import LabelStudio
from backend.ports.model_family import Family
from backend.ports.progress import Steps, Work
from backend.ports.reviews import Reviews, Thumbnails
from backend.ports.stores import (
    Audits,
    Illustrations,
    LabelBackups,
    Ledgers,
    PolledProjects,
    ProjectOrigins,
    StoredPredictions,
    Versions,
)
from backend.presentation.report_images import JobImages
from backend.processes.auto_train_loop import AutoTrainLoop
from backend.processes.embedded_redis import redis_url
from backend.processes.polling_loop import PollingLoop
from backend.processes.review_saving_loop import ReviewSavingLoop
from backend.services.active_learning import ActiveLearning
from backend.services.application import Application
from backend.services.assessment import Assessor
from backend.services.auditing import AuditFirst, Auditing
from backend.services.audits import AuditDraw
from backend.services.auto_accept import AutoAccept
from backend.services.auto_train import AutoTrain, consuming, retraining_policy
from backend.services.connecting import Connecting
from backend.services.embedding_ahead import EmbeddingAhead
from backend.services.encoder_upgrade import EncoderUpgrade
from backend.services.grouping import Grouping
from backend.services.label_edits.editing import LabelEditing
from backend.services.label_edits.plan import LabelPlanner
from backend.services.label_edits.restoring import LabelRestore
from backend.services.labeling_round import Collector
from backend.services.model_export import ModelExport
from backend.services.model_import import ModelImport
from backend.services.polling import Polling
from backend.services.pre_labeling import PreLabeling
from backend.services.predict import Predict
from backend.services.prediction.box_statistics import BoxStatistics
from backend.services.prediction.consistency import ConsistencyCheck
from backend.services.prediction.hard_examples import HardExamples, weighting
from backend.services.prediction.inference import Predictor
from backend.services.publishing.deferred_cleanup import DeferredCleanup
from backend.services.publishing.publisher import Publisher
from backend.services.publishing.versions import VersionPublisher
from backend.services.readiness import Readiness
from backend.services.reporting.forecast import Forecasts, Report
from backend.services.reporting.reporter import Reporter
from backend.services.review_saving import ReviewSaving
from backend.services.reviewing import Reviewing
from backend.services.suggestions import Suggestions
from backend.services.synchronize import Synchronization
from backend.services.training.label_issues import LabelIssues
from backend.services.training.model_cache import ModelCache
from backend.services.training.promotion import Promotion
from backend.services.training.train import Trainer
from backend.services.undo import Undo
from backend.settings import Settings
from backend.stores.audits import AuditFiles
from backend.stores.jobs import JobFiles
from backend.stores.label_backups import LabelBackupFiles
from backend.stores.ledgers import LedgerFiles
from backend.stores.polled_projects import PolledProjectFiles
from backend.stores.predictions import PredictionStore
from backend.stores.project_folders import ProjectFolders
from backend.stores.reviews import ReviewFiles
from backend.stores.scratch import scratch_folder
from backend.stores.thumbnails import ThumbnailFolder
from backend.stores.versions import VersionStore
from connectors.http import HttpClient, Pause
from connectors.label_studio.client import LabelStudioClient

PACKAGES = ("label-studio-autolabel", "torch", "torchvision", "ultralytics", "onnxruntime", "numpy")
REQUEST_PATIENCE = 2.0
"""Seconds that a request or a command waits for a Label Studio that does not answer."""


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts that use cases are built from: real in a process, fake in a test.

    Attributes:
        extractor: opens the feature extractor, which loads a model runtime; the same one each time.
        families: the model family of each kind of control, for a device such as "cpu".
        reports: the reports of a project's earlier jobs, newest first.
        packages: installed versions by package, noted on each model version.
        now: the date and time, in UTC.
        clock: seconds of a monotonic clock.
    """

    settings: Settings
    label_studio: LabelStudio
    versions: Versions
    ledgers: Ledgers
    audits: Audits
    stored: StoredPredictions
    jobs: Jobs
    changes: AnnotationChanges
    extractor: Callable[[], ImageModels]
    families: Callable[[str], Mapping[TaskKind, Family]]
    illustrations: Illustrations
    origins: ProjectOrigins
    backups: LabelBackups
    source_files: SourceFiles
    polled: PolledProjects
    reviews: Reviews
    thumbnails: Thumbnails
    reports: Callable[[ProjectId], Iterable[Report]]
    packages: Mapping[str, str]
    now: Callable[[], datetime] = utc_now
    clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True)
class UseCases:
    """All use cases. `jobs` are those with a model; it opens the feature extractor when called."""

    readiness: Readiness
    auto_accept: AutoAccept
    auto_train: AutoTrain
    predict: Predict
    undo: Undo
    auditing: Auditing
    label_planner: LabelPlanner
    relabeling: LabelEditing
    reviewing: Reviewing
    review_saving: ReviewSaving
    jobs: Callable[[], Mapping[Mode, Work]]

    def work(self, mode: Mode) -> Work:
        """Return the use case that jobs of this kind run."""
        without_models: Mapping[Mode, Work] = {
            Mode.UNDO: self.undo,
            Mode.AUDITING: self.auditing,
            Mode.RELABELING: self.relabeling,
        }
        return without_models.get(mode) or self.jobs()[mode]


def use_cases(parts: Parts) -> UseCases:
    """Build every use case; opens no connection, no file and no model."""
    settings = parts.settings
    auto_accept = AutoAccept(parts.label_studio, parts.ledgers, parts.changes)
    auditing = Auditing(parts.label_studio, parts.ledgers, parts.audits, auto_accept)
    trainer = cache(partial(_trainer, parts))
    return UseCases(
        readiness=Readiness(
            parts.label_studio,
            parts.versions,
            parts.jobs,
            parts.ledgers,
            settings,
            partial(_missing_weights, parts.families),
        ),
        auto_accept=auto_accept,
        auto_train=_auto_train(parts),
        predict=Predict(
            versions=parts.versions,
            ledgers=parts.ledgers,
            stored=parts.stored,
            model_cache=ModelCache(trainer, parts.versions),
            extractor=parts.extractor,
            seconds=settings.predict_seconds,
            clock=parts.clock,
        ),
        undo=Undo(auto_accept),
        auditing=auditing,
        label_planner=_label_planner(parts),
        relabeling=_relabeling(parts),
        reviewing=Reviewing(
            parts.label_studio, parts.reviews, parts.ledgers, parts.thumbnails, parts.origins
        ),
        review_saving=_review_saving(parts),
        jobs=cache(
            lambda: {
                **_labeling_jobs(parts, auditing, trainer()),
                **_selection_jobs(parts, trainer()),
            }
        ),
    )


def _label_planner(parts: Parts) -> LabelPlanner:
    return LabelPlanner(
        parts.label_studio, parts.versions, parts.ledgers, parts.backups, parts.source_files
    )


def _relabeling(parts: Parts) -> LabelEditing:
    return LabelEditing(
        parts.label_studio,
        parts.versions,
        parts.stored,
        parts.ledgers,
        parts.backups,
        parts.changes,
        parts.source_files,
        LabelRestore(
            parts.label_studio, parts.versions, parts.ledgers, parts.backups, parts.changes
        ),
    )


def _review_saving(parts: Parts) -> ReviewSaving:
    return ReviewSaving(
        parts.label_studio,
        parts.reviews,
        parts.stored,
        parts.ledgers,
        parts.origins,
        review_name,
    )


def _auto_train(parts: Parts) -> AutoTrain:
    return AutoTrain(
        parts.changes,
        parts.versions,
        parts.jobs,
        retraining_policy(parts.settings),
        on=parts.settings.auto_train,
        now=parts.now,
    )


def _labeling_jobs(parts: Parts, auditing: Auditing, trainer: Trainer) -> Mapping[Mode, Work]:
    """Return the jobs that publish predictions."""
    extractor = parts.extractor()
    hard_examples = _hard_examples(parts.settings, extractor)
    assessor = Assessor(Predictor(extractor), hard_examples)
    draw = AuditDraw(parts.label_studio, parts.ledgers, parts.audits, parts.settings.seed)
    publisher = _publisher(parts)
    collector = _collector(parts, extractor)
    reporter = Reporter(
        extractor, Forecasts(parts.ledgers, parts.reports), parts.illustrations, parts.reports
    )
    jobs: Mapping[Mode, Work] = {
        Mode.ACTIVE_LEARNING: ActiveLearning(
            label_studio=parts.label_studio,
            collector=collector,
            trainer=trainer,
            upgrade=EncoderUpgrade(extractor, parts.settings.upgrade_backbone),
            promotion=Promotion(trainer, parts.versions),
            assessor=assessor,
            audit_draw=draw,
            label_issues=LabelIssues(trainer),
            version_publisher=VersionPublisher(
                parts.versions, extractor, parts.packages, parts.now
            ),
            publisher=publisher,
            reporter=reporter,
            versions=parts.versions,
            settings=parts.settings,
        ),
        Mode.PRE_LABELING: PreLabeling(
            parts.label_studio,
            collector,
            trainer,
            assessor,
            draw,
            publisher,
            reporter,
            parts.versions,
        ),
    }
    return {mode: AuditFirst(work, auditing) for mode, work in jobs.items()}


def _publisher(parts: Parts) -> Publisher:
    return Publisher(parts.label_studio, parts.stored, parts.ledgers, parts.versions, parts.reviews)


def _collector(parts: Parts, extractor: ImageModels) -> Collector:
    return Collector(
        parts.label_studio,
        extractor,
        parts.ledgers,
        parts.versions,
        parts.stored,
        parts.settings.seed,
    )


def _selection_jobs(parts: Parts, trainer: Trainer) -> Mapping[Mode, Work]:
    """Return the jobs that choose images for people to label."""
    extractor, seed = parts.extractor(), parts.settings.seed
    return {
        Mode.GROUPING: Grouping(parts.label_studio, extractor, parts.ledgers, seed),
        Mode.SUGGESTING: Suggestions(
            parts.label_studio,
            extractor,
            trainer,
            Predictor(extractor),
            parts.versions,
            parts.ledgers,
            seed,
        ),
    }


def _trainer(parts: Parts) -> Trainer:
    extractor = parts.extractor()
    return Trainer(parts.families(extractor.device), parts.settings, extractor.fetch)


def _missing_weights(
    families: Callable[[str], Mapping[TaskKind, Family]], kind: TaskKind
) -> NoWeights | None:
    try:
        families("cpu")[kind].check()
    except NoWeights as exc:
        return exc
    return None


def _hard_examples(settings: Settings, extractor: ImageModels) -> HardExamples:
    most = settings.augmented_images
    return HardExamples(
        ConsistencyCheck(extractor, most, partial(scratch_folder, settings.data_dir / "scratch")),
        BoxStatistics(extractor, most),
        weighting(settings),
    )


def backend(settings: Settings) -> Application:
    """Return the application of the web process and the command line."""
    return application(real_parts(settings, REQUEST_PATIENCE))


def application(parts: Parts) -> Application:
    """Return the use cases behind the interface that the web process and the commands call."""
    settings, cases = parts.settings, use_cases(parts)
    files = JobFiles(settings.data_dir)
    return Application(
        label_studio=Connecting(
            parts.label_studio,
            parts.origins,
            parts.jobs,
            parts.polled,
            settings.poll_seconds,
            settings.public_url,
        ),
        versions=parts.versions,
        jobs=parts.jobs,
        changes=parts.changes,
        readiness=cases.readiness,
        auto_accept=cases.auto_accept,
        auditing=cases.auditing,
        auto_train=cases.auto_train,
        prediction=cases.predict,
        labels=cases.label_planner,
        review=cases.reviewing,
        review_saving=cases.review_saving,
        job_folder=lambda job: files.folder(job.request.project, job.id),
        origins=parts.origins,
        queue_answers=RedisClient(partial(redis_url, settings, **QUICK), quick=True).answers,
    )


def watcher(app: Application) -> AutoTrainLoop:
    """Return the loop that starts trainings automatically, to run beside the web server."""
    start = partial(app.start, count=False)  # `status` has just counted the labels
    return AutoTrainLoop(
        app.changes,
        app.auto_train,
        app.readiness.status,
        start,
        audited=app.auditing.is_answered,
        busy=lambda project: app.jobs.live(project) is not None,
        failures=app.watch_failures,
    )


def poller(app: Application, settings: Settings) -> PollingLoop:
    """Return the loop that looks for new annotations, to run beside the web server."""
    parts = real_parts(settings, REQUEST_PATIENCE)
    return PollingLoop(
        Polling(
            parts.label_studio,
            parts.polled,
            app.changes,
            app.versions,
            app.jobs,
            app.webhooks,
            app.start,
        ),
        parts.polled,
        settings.poll_seconds,
    )


def review_saver(app: Application) -> ReviewSavingLoop:
    """Return the loop that saves what people decided on the review page."""
    return ReviewSavingLoop(app.review_saving.reviews.projects, app.review_saving.save)


def synchronization(settings: Settings, url: str, project: ProjectId) -> Callable[..., SyncReport]:
    """Return the function that synchronizes a project with a folder; it takes the progress.

    Raises:
        BadInput: when the folder cannot be used, or Label Studio may not serve it.
    """
    folder = open_folder(url, settings)
    gateway = LabelStudioGateway(label_studio_client(settings, settings.label_studio_patience))
    ProjectFolders(settings.data_dir).require(gateway.project(project))
    if folder.served:
        gateway.serve_folder(project, folder.root, folder.served)
    most = int(settings.max_image_megabytes * 1e6)
    return partial(Synchronization(gateway, LedgerFiles(settings.data_dir), most), project, folder)


def runner(settings: Settings) -> Callable[[JobId], None]:
    """Return the function that runs one queued job, in the work horse."""
    url = partial(redis_url, settings)
    board = JobBoard(url, settings.data_dir)
    changes = AnnotationCounter(url, RedisKeys(settings.data_dir))

    def work(job: Job, steps: Steps) -> JobResult:
        def pause(seconds: float) -> None:
            steps.progress(Step.WAIT, 0, 1)
            time.sleep(seconds)

        project = job.request.project
        parts = real_parts(settings, settings.label_studio_patience, pause, project)
        parts.origins.require(parts.label_studio.project(project))
        return use_cases(parts).work(job.request.mode)(job, steps)

    cleanups = CleanupQueue(url, settings.data_dir)

    def run(job: JobId) -> None:
        boundary.run(board, job, consuming(changes, work))
        cleanups.request(board.get(job).request.project)

    return run


def cleaner(settings: Settings) -> Callable[[ProjectId], None]:
    """Return the function that does a project's work for idle times, in the work horse.

    That is a cleanup, then the embedding by the stronger encoder of the settings.
    """
    url = partial(redis_url, settings)
    board, cleanups = JobBoard(url, settings.data_dir), CleanupQueue(url, settings.data_dir)

    def must_wait(project: ProjectId) -> bool:
        return cleanups.jobs_wait() or board.live(project) is not None

    def clean(project: ProjectId) -> None:
        parts = real_parts(settings, settings.label_studio_patience, project=project)
        parts.origins.require(parts.label_studio.project(project))
        cleanup = DeferredCleanup(
            parts.label_studio, parts.versions, parts.ledgers, parts.reviews, must_wait
        )
        embed = EmbeddingAhead(
            parts.label_studio,
            parts.extractor,
            settings.upgrade_backbone,
            must_stop=cleanups.jobs_wait,
            others_wait=cleanups.others_wait,
        )
        done = cleanup(project) and embed(project)
        if not done and board.live(project) is None:  # else its own job requests it
            cleanups.request(project)

    return clean


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
    client = label_studio_client(settings, patience, pause)
    url, files = partial(redis_url, settings), JobFiles(settings.data_dir)
    versions = VersionStore(settings.data_dir)
    opened = cache(partial(_extractor, settings, client, project))
    return Parts(
        settings=settings,
        label_studio=LabelStudioGateway(client),
        versions=versions,
        ledgers=LedgerFiles(settings.data_dir),
        audits=AuditFiles(settings.data_dir),
        stored=PredictionStore(settings.data_dir),
        jobs=JobBoard(url, settings.data_dir),
        changes=AnnotationCounter(
            partial(redis_url, settings, **QUICK), RedisKeys(settings.data_dir), quick=True
        ),
        extractor=opened,
        families=partial(families, settings, extractor=opened),
        illustrations=JobImages(
            lambda job: files.folder(job.request.project, job.id),
            versions.all,
            lambda ref, target: opened().write_preview(ref, target),
        ),
        origins=ProjectFolders(settings.data_dir),
        backups=LabelBackupFiles(settings.data_dir),
        source_files=LocalSourceFiles.of(settings),
        polled=PolledProjectFiles(settings.data_dir),
        reviews=ReviewFiles(settings.data_dir, utc_now),
        thumbnails=_thumbnails(settings, client),
        reports=lambda project: (job.report for job in files.newest(project) if job.report),
        packages=_packages(),
    )


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

    return open_extractor(settings, open_image_files(settings, client, project))


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


def model_import(settings: Settings) -> ModelImport:
    """Return the use case that imports models; it imports model runtimes."""
    from backend.models.imported.reading import ModelFiles  # noqa: PLC0415 - loads a model runtime

    return ModelImport(
        LabelStudioGateway(label_studio_client(settings, REQUEST_PATIENCE)),
        VersionStore(settings.data_dir),
        ModelFiles(settings),
        _packages(),
        utc_now,
    )


def model_export(settings: Settings) -> ModelExport:
    """Return the use case that exports versions; it imports model runtimes."""
    from backend.models.exported.writing import ModelWriter  # noqa: PLC0415 - loads a model runtime

    return ModelExport(VersionStore(settings.data_dir), ModelWriter(settings))


def _packages() -> Mapping[str, str]:
    def version(name: str) -> str:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            return "not installed"

    return {name: version(name) for name in PACKAGES}
