"""Publish the predictions of a version in Label Studio.

Everything is pushed before anything is switched, so a job that ends early leaves what people see as
it was.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from backend.domain.answers import NoPrediction
from backend.domain.errors import BadInput
from backend.domain.ids import ProjectId, TaskId, VersionName
from backend.domain.reviews import ReviewImage
from backend.domain.schema import LabelSchema, TaskKind
from backend.domain.steps import Step
from backend.domain.tab_titles import TabTitle
from backend.domain.task_lists import ListDraft, TaskList
from backend.domain.versions import ModelVersion
from backend.label_studio import codec, labeling_config
from backend.label_studio.reviewed_predictions import label_confidence
from backend.policies.walls import choose_walls
from backend.ports.label_studio import PredictionEditor, ProjectReader, TabEditor, WallEditor
from backend.ports.progress import Progress
from backend.ports.reviews import Reviews
from backend.ports.stores import Ledgers, StoredPredictions, Versions
from backend.ports.unfinished import KeptWork
from backend.services.assessment import Assessment
from backend.services.labeling_round import LabelingRound
from backend.services.publishing.cleanup import Cleanup
from backend.services.side_work import beside

BATCH, LARGEST_BATCH = 10_000, 20_000
"""Predictions in one bulk import, in projects of up to 50,000 tasks and of 100,000: Label Studio
recounts the whole project at each call, 0.9 ms a task. Together with the marks of lists they fit
into a single request of the connector."""

FORGET_AT_ONCE = 300
"""Superseded predictions that a job deletes itself, in a few seconds."""


class PublishedProject(ProjectReader, PredictionEditor, TabEditor, WallEditor, Protocol):
    """A project whose predictions and tabs are kept up to date."""


@dataclass(frozen=True, slots=True)
class PushedPredictions:
    """Predictions in Label Studio, earlier ones included, and those that it dropped."""

    predicted: int
    dropped: tuple[NoPrediction, ...]


@dataclass(frozen=True, slots=True)
class Publication:
    """What arrived in Label Studio, of the version `shown`.

    `cleanup` runs what is left to do and notes what could not be done.
    """

    shown: VersionName
    predictions: PushedPredictions
    cleanup: Cleanup


@dataclass(frozen=True, slots=True)
class Publisher:
    """Publishes the predictions of one version, and removes those of others."""

    label_studio: PublishedProject
    stored: StoredPredictions
    ledgers: Ledgers
    versions: Versions
    reviews: Reviews

    def publish(
        self,
        round_: LabelingRound,
        version: ModelVersion,
        assessment: Assessment,
        progress: Progress,
        *,
        kept: KeptWork,
        activate: bool,
        is_new: bool = False,
        lists: Sequence[TaskList] = (),
        illustrate: Callable[[], None] = lambda: None,
    ) -> Publication:
        """Push all, then switch, then clean up.

        `activate` makes the version the current one. One that `is_new` has no predictions in Label
        Studio, also none of a job that broke off, about which `kept` knows. `lists` are shown in
        tabs of their own. `illustrate` draws the plots of the report while Label Studio stores the
        predictions.

        Raises:
            BadInput: when the labeling config changed since the job read it.
        """
        cleanup = Cleanup()
        if any(control.kind is not TaskKind.SINGLE for control in round_.schema.controls):
            empty = TaskList(TabTitle.HARD_AND_EMPTY, tuple(hard_and_empty(assessment)))
            lists = (*lists, empty)
        drafts = self.label_studio.draft_lists(round_.project, lists)
        with beside(lambda: cleanup("drawing plots and thumbnails", illustrate)) as drawn:
            pushed = self._push(
                round_, version.name, assessment, progress, drafts, kept, is_new=is_new
            )
        drawn.result()
        if activate:
            self.versions.activate(round_.project, version.name)
        self.label_studio.show_version(round_.project, version.name)
        # read again: a person may have activated another version while the job ran
        current = self.versions.current(round_.project)
        keep = {version.name, current.name} if current else {version.name}
        opened = self.ledgers.load(round_.project).open_audit
        if opened:  # its predictions are accepted once people have labeled the sample
            keep.add(opened.version)
        keep |= self.reviews.unsaved_versions(round_.project)
        with self.label_studio.changing_tabs(round_.project):
            self._clean_up(round_, version.name, keep, assessment, cleanup)
            cleanup("listing the chosen tasks", lambda: self._show_lists(round_, drafts))
        return Publication(version.name, pushed, cleanup)

    def _push(
        self,
        round_: LabelingRound,
        version: VersionName,
        assessment: Assessment,
        progress: Progress,
        drafts: Sequence[ListDraft],
        kept: KeptWork,
        *,
        is_new: bool,
    ) -> PushedPredictions:
        """Push the predictions that are not there yet, in large batches; the last marks the lists.

        A version that `is_new` has none, which saves a pass through the whole project.
        """
        project, schema, predicted = round_.project, round_.schema, assessment.predicted
        self._require_same_config(project, schema)
        there = frozenset[TaskId]() if is_new else self._there(project, version, kept)
        tasks, total = predicted.images.tasks, len(predicted.images)
        count, dropped = sum(task in there for task in tasks), list[NoPrediction]()
        at_once = _at_once(len(round_.tasks.labeled) + len(round_.tasks.unlabeled))
        for start in range(0, max(total, 1), at_once):
            progress(Step.PUSH, start, total)
            batch = [
                predicted.prediction(row, version, assessment.hard.get(tasks[row]))
                for row in range(start, min(start + at_once, total))
            ]
            self.stored.put(
                project, version, {one.image: codec.serialize(one, schema) for one in batch}
            )
            new = [one for one in batch if one.image.task not in there]
            lists = drafts if start + at_once >= total else ()
            kept.keep_pushing([one.image.task for one in new])
            pushed = self.label_studio.push(project, schema, new, lists)
            kept.keep_pushing(())
            count += pushed.created
            dropped += pushed.dropped
        progress(Step.PUSH, total, total)
        return PushedPredictions(count, tuple(dropped))

    def _there(self, project: ProjectId, version: VersionName, kept: KeptWork) -> frozenset[TaskId]:
        """Return the tasks that have a prediction, once a call of a dead process has ended."""
        if late := kept.pushing():
            self.label_studio.await_late(project, version, late)
            kept.keep_pushing(())
        return self.label_studio.predicted(project, version)

    def _clean_up(
        self,
        round_: LabelingRound,
        version: VersionName,
        keep: Collection[VersionName],
        assessment: Assessment,
        cleanup: Cleanup,
    ) -> None:
        """Remove the predictions of all versions but those to keep, and update the tabs."""
        project = round_.project
        cleanup(
            "removing the predictions of other versions",
            lambda: self._forget_versions(round_, keep, assessment),
        )
        cleanup(
            "removing the stored predictions of other versions",
            lambda: self.stored.prune(project, keep),
        )
        cleanup("refreshing the tabs", lambda: self.label_studio.refresh_tabs(project))
        cleanup("updating what can be confirmed", lambda: self._offer(round_, version))

    def _show_lists(self, round_: LabelingRound, drafts: Sequence[ListDraft]) -> None:
        """Show the lists; only the first training deletes the markers of earlier ones itself.

        These are of a whole wall, whose images people are about to see among the predicted ones.
        """
        for draft in drafts:
            self.label_studio.show_list(round_.project, draft, tidy=round_.current is None)

    def _offer(self, round_: LabelingRound, version: VersionName) -> None:
        """Offer all predictions of the version, of this job and of earlier ones, to be confirmed.

        They go to the review page, and the most frequent answers get a wall each. Both show one
        image a task, so where labels are about several, nothing is offered.
        """
        project, schema = round_.project, round_.schema
        withheld = self.ledgers.load(project).withheld
        refs = [ref for ref in round_.tasks.unlabeled if ref.task not in withheld]
        if len(schema.images) > 1:
            refs = []
        stored = self.stored.get(project, version, refs)
        answers = {ref: codec.answers(one["result"], schema) for ref, one in stored.items()}
        images = (
            ReviewImage(ref.task, one["score"], label_confidence(one, answers[ref], schema))
            for ref, one in stored.items()
        )
        self.reviews.index(project, version, images)
        walls = choose_walls(schema, answers.values())
        self.label_studio.show_walls(project, schema, version, walls)

    def _forget_versions(
        self, round_: LabelingRound, keep: Collection[VersionName], assessment: Assessment
    ) -> None:
        """Delete superseded predictions if they are few; many wait for a deferred cleanup."""
        if self.label_studio.count_superseded(round_.project, keep) <= FORGET_AT_ONCE:
            spare = unpredicted(round_, assessment)
            self.label_studio.forget_versions(round_.project, keep, spare)

    def _require_same_config(self, project: ProjectId, schema: LabelSchema) -> None:
        now = labeling_config.parse(self.label_studio.project(project).label_config)
        if (now.images, now.controls) != (schema.images, schema.controls):
            raise BadInput("the labeling config changed while the job ran", "Start the job again")


def _at_once(tasks: int) -> int:
    """Return the size of one import: a fifth of the project, within the limits."""
    return min(max(BATCH, tasks // 5), LARGEST_BATCH)


def unpredicted(round_: LabelingRound, assessment: Assessment) -> list[TaskId]:
    """Return the unlabeled tasks without a new prediction, whose old ones stay.

    Their images could not be read, or they were not chosen. Images of the audit sample are to have
    none.
    """
    done = round_.ledger.withheld.union(assessment.predicted.images.tasks)
    return [ref.task for ref in round_.tasks.unlabeled if ref.task not in done]


def hard_and_empty(assessment: Assessment) -> list[TaskId]:
    """Return the hard examples without any predicted label, the hardest first."""
    tasks = assessment.predicted.images.tasks
    labeled = {
        task
        for predictions in assessment.predicted.predictions.values()
        for task, answer in zip(tasks, predictions.answers, strict=True)
        if answer.labels
    }
    empty = [example for example in assessment.hard.values() if example.task not in labeled]
    return [example.task for example in sorted(empty, key=lambda one: -one.coefficient)]
