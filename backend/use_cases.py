"""Build the use cases from their parts: the one place where the graph is built.

The web process, the worker, the benches and the tests call `use_cases`, each with parts of their
own. Nothing here opens a connection, a file or a model.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial

from backend.domain.errors import NoWeights
from backend.domain.ids import ProjectId
from backend.domain.items import ItemKind
from backend.domain.jobs import Mode
from backend.domain.schema import TaskKind
from backend.domain.version_names import review_name
from backend.ports.images import ImageModels, SourceFiles
from backend.ports.jobs import AnnotationChanges, Jobs
from backend.ports.label_studio import LabelStudio
from backend.ports.model_family import Family, ForeignModels
from backend.ports.progress import Work
from backend.ports.reviews import Reviews, Thumbnails
from backend.ports.shards import Shards
from backend.ports.stores import (
    Audits,
    Illustrations,
    LabelBackups,
    Ledgers,
    ListedTasks,
    PolledProjects,
    ProjectOrigins,
    StoredPredictions,
    Versions,
)
from backend.ports.unfinished import UnfinishedJobs
from backend.services.active_learning import ActiveLearning
from backend.services.assessment import Assessor
from backend.services.auditing import AuditFirst, Auditing
from backend.services.audits import AuditDraw
from backend.services.auto_accept import AutoAccept
from backend.services.auto_train import AutoTrain, retraining_policy
from backend.services.early_round import EarlyWork
from backend.services.encoder_upgrade import EncoderUpgrade
from backend.services.grouping import Grouping
from backend.services.label_edits.editing import LabelEditing
from backend.services.label_edits.plan import LabelPlanner
from backend.services.label_edits.restoring import LabelRestore
from backend.services.label_edits.results_in_use import ResultsInUse
from backend.services.labeling_round import Collector
from backend.services.model_import import ModelImport
from backend.services.pre_labeling import PreLabeling
from backend.services.predict import Predict
from backend.services.prediction.box_statistics import BoxStatistics
from backend.services.prediction.consistency import ConsistencyCheck
from backend.services.prediction.hard_examples import HardExamples, weighting
from backend.services.prediction.inference import Predictor
from backend.services.publishing.kept_versions import KeptVersions
from backend.services.publishing.publisher import Publisher
from backend.services.publishing.versions import VersionPublisher
from backend.services.readiness import Labeled, Readiness
from backend.services.reporting.forecast import Forecasts, Report
from backend.services.reporting.reporter import Reporter
from backend.services.resuming.resumable import Resumable
from backend.services.resuming.round_training import RoundTraining
from backend.services.review_saving import ReviewSaving
from backend.services.reviewing import Reviewing
from backend.services.sharding.crew import Crew
from backend.services.sharding.shard_work import ShardWork
from backend.services.suggestions import NextPicks, Suggestions
from backend.services.training.early_training import EarlyTrainer
from backend.services.training.label_issues import LabelIssues
from backend.services.training.model_cache import ModelCache
from backend.services.training.promotion import Promotion
from backend.services.training.train import Trainer
from backend.services.undo import Undo
from backend.settings import Settings
from backend.stores.scratch import scratch_folder


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
        labeled: yields what `label_studio.labeled` yields, from copies as far as possible.
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
    foreign_models: ForeignModels
    illustrations: Illustrations
    origins: ProjectOrigins
    backups: LabelBackups
    source_files: SourceFiles
    polled: PolledProjects
    listed: ListedTasks
    reviews: Reviews
    thumbnails: Thumbnails
    unfinished: UnfinishedJobs
    shards: Shards
    reports: Callable[[ProjectId], Iterable[Report]]
    packages: Mapping[str, str]
    labeled: Labeled | None = None
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
    shard_work: Callable[[], ShardWork]

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
        readiness=_readiness(parts),
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
        shard_work=lambda: ShardWork(
            parts.label_studio, parts.extractor(), trainer, parts.versions, parts.unfinished
        ),
    )


def _readiness(parts: Parts) -> Readiness:
    return Readiness(
        parts.label_studio,
        parts.versions,
        parts.jobs,
        parts.ledgers,
        parts.settings,
        partial(_missing_weights, parts.families),
        parts.labeled or parts.label_studio.labeled,
    )


def _label_planner(parts: Parts) -> LabelPlanner:
    return LabelPlanner(
        parts.label_studio,
        parts.versions,
        parts.ledgers,
        parts.backups,
        parts.source_files,
        _results_in_use(parts),
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
        _results_in_use(parts),
    )


def _results_in_use(parts: Parts) -> ResultsInUse:
    kept = KeptVersions(parts.label_studio, parts.versions, parts.ledgers, parts.reviews)
    return ResultsInUse(parts.label_studio, kept)


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
    # both are made of nearly the same parts: a function for each would be handed nine of them
    extractor = parts.extractor()
    assessor, draw = _assessor(parts, extractor), _audit_draw(parts)
    publisher, crew = _publisher(parts), _crew(parts, extractor)
    collector, reporter = _collector(parts, extractor, crew), _reporter(parts, extractor)
    early = _early_work(parts, extractor, trainer, assessor)
    jobs: Mapping[Mode, Work] = {
        Mode.ACTIVE_LEARNING: ActiveLearning(
            label_studio=parts.label_studio,
            collector=collector,
            early_work=early,
            training=_training(parts, extractor, trainer),
            promotion=early.promotion,
            assessor=assessor,
            audit_draw=draw,
            label_issues=LabelIssues(trainer),
            next_picks=early.next_picks,
            version_publisher=_version_publisher(parts, extractor),
            publisher=publisher,
            reporter=reporter,
            versions=parts.versions,
            unfinished=parts.unfinished,
            crew=crew,
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
            parts.stored,
            parts.unfinished,
            crew,
            _model_import(parts).once,
        ),
    }
    return {mode: _guarded(work, parts, auditing) for mode, work in jobs.items()}


def _guarded(work: Work, parts: Parts, auditing: Auditing) -> Work:
    return AuditFirst(Resumable(work, parts.unfinished, parts.jobs), auditing)


def _early_work(
    parts: Parts, extractor: ImageModels, trainer: Trainer, assessor: Assessor
) -> EarlyWork:
    return EarlyWork(
        EarlyTrainer(extractor, parts.ledgers, parts.versions, trainer, assessor.trials),
        parts.listed,
        Promotion(trainer, parts.versions),
        assessor.predictor,
        assessor.hard_examples,
        NextPicks(parts.settings.next_picks, parts.settings.seed),
    )


def _training(parts: Parts, extractor: ImageModels, trainer: Trainer) -> RoundTraining:
    upgrade = EncoderUpgrade(extractor, parts.settings.upgrade_backbone)
    return RoundTraining(trainer, upgrade, parts.versions)


def _version_publisher(parts: Parts, extractor: ImageModels) -> VersionPublisher:
    return VersionPublisher(parts.versions, extractor, parts.packages, parts.now)


def _model_import(parts: Parts) -> ModelImport:
    return ModelImport(
        parts.label_studio, parts.versions, parts.foreign_models, parts.packages, parts.now
    )


def _assessor(parts: Parts, extractor: ImageModels) -> Assessor:
    return Assessor(Predictor(extractor), _hard_examples(parts.settings, extractor))


def _audit_draw(parts: Parts) -> AuditDraw:
    return AuditDraw(parts.label_studio, parts.ledgers, parts.audits, parts.settings.seed)


def _publisher(parts: Parts) -> Publisher:
    return Publisher(parts.label_studio, parts.stored, parts.ledgers, parts.versions, parts.reviews)


def _reporter(parts: Parts, extractor: ImageModels) -> Reporter:
    return Reporter(
        extractor,
        Forecasts(parts.ledgers, parts.reports),
        parts.illustrations,
        parts.reports,
        parts.versions.all,
    )


def _crew(parts: Parts, extractor: ImageModels) -> Crew:
    return Crew(parts.shards, extractor, parts.settings.fan_out_seconds, parts.clock)


def _collector(parts: Parts, extractor: ImageModels, crew: Crew) -> Collector:
    return Collector(
        parts.label_studio,
        extractor,
        parts.ledgers,
        parts.versions,
        parts.stored,
        crew,
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
    families: Callable[[str], Mapping[TaskKind, Family]], kind: TaskKind, items: ItemKind
) -> NoWeights | None:
    try:
        families("cpu")[kind].check(items)
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
