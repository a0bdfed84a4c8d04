"""The composition root: what each process of the program runs, on its real parts."""

import time
from collections.abc import Callable
from functools import partial

from backend.domain.ids import JobId, ProjectId
from backend.domain.jobs import Job, JobResult
from backend.domain.shards import WorkerQueue
from backend.domain.side_cars import SyncReport
from backend.domain.steps import Step
from backend.jobs import boundary
from backend.jobs.annotation_counter import AnnotationCounter
from backend.jobs.board import JobBoard
from backend.jobs.cleanup_queue import CleanupQueue
from backend.jobs.redis_client import QUICK, RedisClient
from backend.jobs.redis_keys import RedisKeys
from backend.jobs.shard_queue import ShardQueue
from backend.jobs.workforce import WorkerWatch
from backend.label_studio.gateway import LabelStudioGateway
from backend.label_studio.image_folder import open_folder
from backend.policies.preconditions import Minimum
from backend.ports.progress import Steps
from backend.processes import warm_up
from backend.processes.auto_train_loop import AutoTrainLoop
from backend.processes.embedded_redis import redis_url
from backend.processes.job_restart_loop import JobRestartLoop
from backend.processes.polling_loop import PollingLoop
from backend.processes.review_saving_loop import ReviewSavingLoop
from backend.real_parts import label_studio_client, packages, real_parts, trust_authorities
from backend.services.application import Application
from backend.services.auto_train import consuming
from backend.services.connecting import Connecting
from backend.services.embedding_ahead import EmbeddingAhead, NewImages
from backend.services.first_wall import FirstWall
from backend.services.model_export import ModelExport
from backend.services.model_import import ModelImport
from backend.services.polling import Polling
from backend.services.publishing.deferred_cleanup import DeferredCleanup
from backend.services.publishing.kept_versions import KeptVersions
from backend.services.resuming.restarting import Restarting
from backend.services.sharding.shard_work import take_shards
from backend.services.synchronize import Synchronization
from backend.settings import Settings
from backend.stores.first_walls import FirstWallFiles
from backend.stores.jobs import JobFiles
from backend.stores.ledgers import LedgerFiles
from backend.stores.project_folders import ProjectFolders
from backend.stores.unfinished import UnfinishedJobFiles
from backend.stores.versions import VersionStore
from backend.use_cases import Parts, use_cases, utc_now

LOOK_AHEAD_SECONDS = 60.0
"""Seconds between two looks for new images in all connected projects."""

REQUEST_PATIENCE = 2.0
"""Seconds that a request or a command waits for a Label Studio that does not answer."""


def backend(settings: Settings) -> Application:
    """Return the application of the web process and the command line."""
    return application(real_parts(settings, REQUEST_PATIENCE))


def application(parts: Parts) -> Application:
    """Return the use cases behind the interface that the web process and the commands call."""
    settings, cases = parts.settings, use_cases(parts)
    files, url = JobFiles(settings.data_dir), partial(redis_url, settings, **QUICK)
    return Application(
        label_studio=Connecting(
            parts.label_studio,
            parts.origins,
            parts.jobs,
            parts.polled,
            FirstWallFiles(settings.data_dir),
            CleanupQueue(url, settings.data_dir),
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
        queue_answers=RedisClient(url, quick=True).answers,
        workers=WorkerWatch(url, settings.data_dir),
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


def looker_ahead(settings: Settings) -> PollingLoop:
    """Return the loop that has idle workers embed new images, to run beside the web server."""
    parts = real_parts(settings, REQUEST_PATIENCE)
    cleanups = CleanupQueue(partial(redis_url, settings, **QUICK), settings.data_dir)
    return PollingLoop(
        NewImages(parts.label_studio, cleanups.request),
        parts.polled,
        LOOK_AHEAD_SECONDS if settings.embed_ahead else 0,
        "new images",
        disconnects=False,
    )


def review_saver(app: Application) -> ReviewSavingLoop:
    """Return the loop that saves what people decided on the review page."""
    return ReviewSavingLoop(app.review_saving.reviews.projects, app.review_saving.save)


def restarter(app: Application, settings: Settings) -> JobRestartLoop:
    """Return the loop that starts jobs again whose process died."""
    files = JobFiles(settings.data_dir)
    return JobRestartLoop(
        Restarting(
            UnfinishedJobFiles(settings.data_dir),
            app.jobs,
            files.with_chosen,
            partial(app.start, count=False),  # the job counts the labels itself
            settings.restarts,
        )
    )


def synchronization(settings: Settings, url: str, project: ProjectId) -> Callable[..., SyncReport]:
    """Return the function that synchronizes a project with a folder; it takes the progress.

    Raises:
        BadInput: when the folder cannot be used, or Label Studio may not serve it.
    """
    trust_authorities(settings)
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


def shard_runner(settings: Settings) -> Callable[[ProjectId, JobId], None]:
    """Return the function that does shards of a job of a project, in the work horse.

    It ends for a job that waits for this worker.
    """
    url = partial(redis_url, settings)
    shards, cleanups = ShardQueue(url, settings.data_dir), CleanupQueue(url, settings.data_dir)
    takes_jobs = WorkerQueue.JOBS in settings.queues.split(",")

    def run(project: ProjectId, job: JobId) -> None:
        parts = real_parts(settings, settings.label_studio_patience, project=project)
        work = use_cases(parts).shard_work()
        take_shards(shards, work, project, job, lambda: takes_jobs and cleanups.jobs_wait())

    return run


def cleaner(settings: Settings) -> Callable[[ProjectId], None]:
    """Return the function that does a project's work for idle times, in the work horse.

    That is what to label first in a new project, then a cleanup, then the embedding of images that
    the next job would have to embed.
    """
    url = partial(redis_url, settings)
    board, cleanups = JobBoard(url, settings.data_dir), CleanupQueue(url, settings.data_dir)

    def must_wait(project: ProjectId) -> bool:
        return cleanups.jobs_wait() or board.live(project) is not None

    def clean(project: ProjectId) -> None:
        parts = real_parts(settings, settings.label_studio_patience, project=project)
        parts.origins.require(parts.label_studio.project(project))
        first_wall = _first_wall(parts, cleanups.jobs_wait)
        kept = KeptVersions(parts.label_studio, parts.versions, parts.ledgers, parts.reviews)
        cleanup = DeferredCleanup(
            parts.label_studio, kept, parts.ledgers, parts.changes, must_wait, utc_now
        )
        embed = EmbeddingAhead(
            parts.label_studio,
            parts.extractor,
            settings.upgrade_backbone,
            partial(warm_up.export_ahead, settings),
            must_stop=cleanups.jobs_wait,
            others_wait=cleanups.others_wait,
            is_on=settings.embed_ahead,
        )
        done = first_wall(project) and cleanup(project) and embed(project)
        if not done and board.live(project) is None:  # else its own job requests it
            cleanups.request(project)

    return clean


def _first_wall(parts: Parts, must_stop: Callable[[], bool]) -> FirstWall:
    settings = parts.settings
    return FirstWall(
        parts.label_studio,
        parts.extractor,
        parts.ledgers,
        FirstWallFiles(settings.data_dir),
        use_cases(parts).readiness.status,
        Minimum(settings.min_labels, settings.min_images_per_label),
        settings.seed,
        must_stop,
    )


def model_import(settings: Settings) -> ModelImport:
    """Return the use case that imports models; it imports model runtimes."""
    from backend.models.imported.reading import ModelFiles  # noqa: PLC0415 - loads a model runtime

    trust_authorities(settings)
    return ModelImport(
        LabelStudioGateway(label_studio_client(settings, REQUEST_PATIENCE)),
        VersionStore(settings.data_dir),
        ModelFiles(settings),
        packages(),
        utc_now,
    )


def model_export(settings: Settings) -> ModelExport:
    """Return the use case that exports versions; it imports model runtimes."""
    from backend.models.exported.writing import ModelWriter  # noqa: PLC0415 - loads a model runtime

    return ModelExport(VersionStore(settings.data_dir), ModelWriter(settings))
