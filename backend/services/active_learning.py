"""One active-learning round: train on human labels, predict the rest, show hard examples."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from backend.domain.batches import ProjectPredictions
from backend.domain.errors import NotFound, Refused
from backend.domain.jobs import Decision, Job, JobResult
from backend.domain.schema import LabelSchema
from backend.domain.steps import Step
from backend.domain.tab_titles import TabTitle
from backend.domain.versions import Ledger, ModelVersion, Trials
from backend.label_studio import labeling_config
from backend.policies import preconditions
from backend.policies.selection import Pick
from backend.ports.progress import Progress, Steps
from backend.ports.stores import Versions
from backend.ports.unfinished import KeptWork, UnfinishedJobs
from backend.services import project_tasks, suggestions
from backend.services.assessment import Assessment, Assessor
from backend.services.audits import AuditDraw
from backend.services.early_round import EarlyRound, EarlyWork
from backend.services.labeling_round import Collector, LabelingRound
from backend.services.project_tasks import ProjectTasks
from backend.services.publishing.publisher import Publication, Publisher
from backend.services.publishing.release import Release
from backend.services.publishing.versions import VersionPublisher
from backend.services.reporting import sections
from backend.services.reporting.reporter import Reporter
from backend.services.resuming.kept_predictions import KeptPredictions
from backend.services.resuming.keys import training_key
from backend.services.resuming.round_training import RoundTraining
from backend.services.sharding.crew import Crew
from backend.services.side_work import beside
from backend.services.suggestions import NextPicks, SuggestingProject
from backend.services.training import label_issues
from backend.services.training.dataset import readable
from backend.services.training.label_issues import LabelIssues
from backend.services.training.promotion import Promotion, ShownModels
from backend.services.training.train import TrainedModels
from backend.settings import Settings

LISTS = (TabTitle.LABEL_ISSUES, TabTitle.NEXT_PICKS)
"""Titles of what a round lists beside its predictions."""


@dataclass(frozen=True, slots=True)
class ActiveLearning:
    """The active-learning job: collect, train, compare, predict, publish, report."""

    label_studio: SuggestingProject
    collector: Collector
    early_work: EarlyWork
    training: RoundTraining
    promotion: Promotion
    assessor: Assessor
    audit_draw: AuditDraw
    label_issues: LabelIssues
    next_picks: NextPicks
    version_publisher: VersionPublisher
    publisher: Publisher
    reporter: Reporter
    versions: Versions
    unfinished: UnfinishedJobs
    crew: Crew
    settings: Settings

    def __call__(self, job: Job, steps: Steps) -> JobResult:
        """Run the job.

        Raises:
            Refused: when the preconditions do not hold any more.
        """
        schema = self._schema(job)
        with EarlyRound(self.early_work, job.request, schema) as early:
            round_, kept = self._collect(job, schema, early, steps)
            with steps(Step.TRAIN) as progress:
                round_, trained = self.training(round_, kept, early.models, progress)
                chosen = self.promotion.choose(schema, trained, round_.current, progress)
            with steps(Step.PREDICT) as progress:
                easy = self._predict(round_, chosen, progress, kept)
                with (
                    beside(lambda: self._early_picks(round_, easy.predicted, early)) as picked,
                    beside(lambda: self.publisher.look(round_, LISTS)) as looked,
                ):
                    trials = self.assessor.trials(trained, progress)
                    assessment = self._assess(round_, easy, chosen, trials, early, progress)
                    issues = self.label_issues.find(trained, round_.current, progress)
                    version, is_new = self._publish(round_, trained, trials, chosen.decision, kept)
                    shown, yes = chosen.stays or version, chosen.decision.yes
                    release = Release(round_, shown, assessment, yes, is_new=yes and is_new)
                    first = self.publisher.first_batch(release)
                picks, target = picked.result(), looked.result()
        training = sections.of_training(trained, issues)
        with steps(Step.PUSH) as progress:
            assessment = self.audit_draw.apply(round_, shown.name, assessment, progress)
            if round_.request.accept:  # none of the sample may be picked for its prediction
                picks = self._picks(round_, assessment.predicted)
            lists = [label_issues.listed(issues)]
            if picks:
                lists.append(suggestions.listed(picks, round_.schema.items))
            publication = self.publisher.publish(
                replace(release, assessment=assessment, lists=lists),
                kept,
                progress,
                target=target,
                first=first,
                illustrate=partial(self.reporter.illustrate, round_, assessment, training),
            )
            self._finish(round_, shown, picks, publication)
        return self.reporter.report(
            round_,
            version,
            assessment,
            publication,
            steps.seconds,
            reason=assessment.verdict or chosen.decision.reason,
            training=training,
        )

    def _schema(self, job: Job) -> LabelSchema:
        return labeling_config.parse(self.label_studio.project(job.request.project).label_config)

    def _collect(
        self, job: Job, schema: LabelSchema, early: EarlyRound, steps: Steps
    ) -> tuple[LabelingRound, KeptWork]:
        request = job.request

        def choose(tasks: ProjectTasks, ledger: Ledger) -> ProjectTasks:
            chosen = tasks.only(request.task_ids) if request.task_ids else tasks
            self._require_enough(schema, chosen, ledger)
            return chosen

        round_ = self.collector.collect(job, schema, choose, steps, early=early)
        self._require_enough(schema, readable(round_.tasks, round_.unreadable), round_.ledger)
        return self._as_begun(round_)

    def _as_begun(self, round_: LabelingRound) -> tuple[LabelingRound, KeptWork]:
        """Return the round, and what an earlier job that broke off has done of it.

        If that one had switched to its version already, the round is as it was before.
        """
        current = round_.current
        if current and current.name == self.unfinished.version(round_.project):
            with suppress(NotFound):  # the version before was deleted meanwhile
                parent = current.parent and self.versions.get(round_.project, current.parent)
                before = replace(round_, current=parent or None)
                kept = self.unfinished.open(round_.project, self._key(before))
                if kept.version() == current.name:
                    return before, kept
        return round_, self.unfinished.open(round_.project, self._key(round_))

    def _key(self, round_: LabelingRound) -> str:
        return training_key(round_, self.settings, self.version_publisher.packages)

    def _require_enough(self, schema: LabelSchema, tasks: ProjectTasks, ledger: Ledger) -> None:
        counts = project_tasks.count_images(schema, tasks, ledger)
        minimum = preconditions.Minimum(
            self.settings.min_labels, self.settings.min_images_per_label
        )
        if reasons := preconditions.reasons(schema, counts, minimum):
            raise Refused(reasons)

    def _publish(
        self,
        round_: LabelingRound,
        trained: TrainedModels,
        trials: Trials,
        promoted: Decision,
        kept: KeptWork,
    ) -> tuple[ModelVersion, bool]:
        """Publish the new version; returns it, and whether no job published it before."""
        if name := kept.version():
            with suppress(NotFound):  # it was deleted meanwhile
                return self.versions.get(round_.project, name), False
        version = self.version_publisher.publish(round_, trained, trials, promoted)
        kept.keep_version(version.name)
        return version, True

    def _predict(
        self, round_: LabelingRound, chosen: ShownModels, progress: Progress, kept: KeptWork
    ) -> Assessment:
        """Predict by the models that people are to see."""
        name = chosen.stays.name if chosen.stays else ""
        keep = KeptPredictions(kept, name, self.crew, round_.job)
        return self.assessor.predict(round_, chosen.models, progress, keep)

    def _assess(
        self,
        round_: LabelingRound,
        easy: Assessment,
        chosen: ShownModels,
        trials: Trials,
        early: EarlyRound,
        progress: Progress,
    ) -> Assessment:
        """Find the hard ones among the predicted images, unless that was done early."""
        of_shown = chosen.trials(trials)
        hard = early.hard(round_.dataset, easy.predicted, of_shown, progress)
        if hard is not None:
            return replace(easy, hard=hard)
        return self.assessor.find_hard(round_, easy, chosen.models, of_shown, progress)

    def _early_picks(
        self, round_: LabelingRound, predicted: ProjectPredictions, early: EarlyRound
    ) -> Sequence[Pick]:
        """Choose what to label next, unless an audit may still be drawn of the images."""
        if round_.request.accept:
            return ()
        picks = early.picks(round_.dataset, predicted)
        return self._picks(round_, predicted) if picks is None else picks

    def _picks(self, round_: LabelingRound, predicted: ProjectPredictions) -> Sequence[Pick]:
        return self.next_picks(round_.dataset, predicted, round_.ledger, round_.tasks)

    def _finish(
        self,
        round_: LabelingRound,
        shown: ModelVersion,
        picks: Sequence[Pick],
        publication: Publication,
    ) -> None:
        cleanup, project = publication.cleanup, round_.project
        cleanup(
            "spreading what to label next",
            lambda: suggestions.spread(self.label_studio, publication.project, shown.name, picks),
        )
        cleanup(
            "deleting the oldest versions",
            lambda: self.versions.prune(project, self.settings.keep_versions),
        )
