"""Publish the predictions of a version in Label Studio.

Everything is pushed before anything is switched, so a job that ends early leaves what people see as
it was.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from backend.domain.errors import BadInput
from backend.domain.ids import ProjectId, TaskId, VersionName
from backend.domain.projects import Project
from backend.domain.schema import LabelSchema, TaskKind
from backend.domain.tab_titles import TabTitle
from backend.domain.task_lists import ListDraft, TaskList
from backend.domain.versions import ModelVersion
from backend.label_studio import labeling_config
from backend.ports.label_studio import (
    PredictionEditor,
    ProjectReader,
    SerializedPrediction,
    TabEditor,
    WallEditor,
)
from backend.ports.progress import Progress
from backend.ports.reviews import Reviews
from backend.ports.stores import Ledgers, StoredPredictions, Versions
from backend.ports.unfinished import KeptWork
from backend.services.assessment import Assessment
from backend.services.labeling_round import LabelingRound
from backend.services.publishing.cleanup import Cleanup
from backend.services.publishing.offering import Offering, Offers
from backend.services.publishing.pushing import PushedPredictions, Pushing
from backend.services.side_work import beside

FORGET_AT_ONCE = 300
"""Superseded predictions that a job deletes itself, in a few seconds."""


class PublishedProject(ProjectReader, PredictionEditor, TabEditor, WallEditor, Protocol):
    """A project whose predictions and tabs are kept up to date."""


@dataclass(frozen=True, slots=True)
class Target:
    """The project before a push, and an empty draft of each list by its title."""

    project: Project
    drafts: Mapping[str, ListDraft]

    def draft(self, chosen: TaskList) -> ListDraft:
        return replace(self.drafts[chosen.title], tasks=chosen)


@dataclass(frozen=True, slots=True)
class Publication:
    """What arrived in Label Studio, of the version `shown`.

    `project` is as it was when the push began. `cleanup` runs what is left to do and notes what
    could not be done.
    """

    project: Project
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

    def look(self, round_: LabelingRound, titles: Sequence[str] = ()) -> Target:
        """Ask Label Studio for what a push must know; `titles` are those of the lists to show.

        Raises:
            BadInput: when the labeling config changed since the job read it.
        """
        titles = (*titles, TabTitle.HARD_AND_EMPTY) if _may_be_empty(round_.schema) else titles
        lists = [TaskList(title, ()) for title in titles]
        drafts = self.label_studio.draft_lists(round_.project, lists)
        found = self._same_config(round_.project, round_.schema)
        return Target(found, {draft.tasks.title: draft for draft in drafts})

    def first_batch(
        self, round_: LabelingRound, version: VersionName, assessment: Assessment
    ) -> Sequence[SerializedPrediction]:
        """Serialize what is pushed first; nothing yet where an audit may be drawn of it."""
        return () if round_.request.accept else self._pushing.batch(round_, version, assessment, 0)

    @property
    def _pushing(self) -> Pushing:
        return Pushing(self.label_studio, self.stored)

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
        target: Target | None = None,
        first: Sequence[SerializedPrediction] = (),
        illustrate: Callable[[], None] = lambda: None,
    ) -> Publication:
        """Push all, then switch, then clean up.

        `activate` makes the version the current one. One that `is_new` has no predictions in Label
        Studio, also none of a job that broke off, about which `kept` knows. `lists` are shown in
        tabs of their own. `target` is what `look` found, `first` the first batch, where they are
        there already. `illustrate` draws the plots of the report while Label Studio stores the
        predictions.

        Raises:
            BadInput: when the labeling config changed since the job read it.
        """
        cleanup = Cleanup()
        target = target or self.look(round_, [one.title for one in lists])
        if _may_be_empty(round_.schema):
            empty = TaskList(TabTitle.HARD_AND_EMPTY, tuple(hard_and_empty(assessment)))
            lists = (*lists, empty)
        drafts = [target.draft(one) for one in lists]
        with beside(lambda: cleanup("drawing plots and thumbnails", illustrate)) as drawn:
            pushed, offers = self._pushing(
                round_, version.name, assessment, progress, drafts, kept, first, is_new=is_new
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
            self._clean_up(round_, version.name, keep, assessment, offers, cleanup)
            cleanup("listing the chosen tasks", lambda: self._show_lists(round_, drafts))
        return Publication(target.project, version.name, pushed, cleanup)

    def _clean_up(
        self,
        round_: LabelingRound,
        version: VersionName,
        keep: Collection[VersionName],
        assessment: Assessment,
        offers: Offers,
        cleanup: Cleanup,
    ) -> None:
        """Remove the predictions of all versions but those to keep, and update the tabs."""
        project = round_.project

        def prune() -> None:
            name = "removing the stored predictions of other versions"
            cleanup(name, lambda: self.stored.prune(project, keep))

        with beside(prune) as pruned:
            cleanup(
                "removing the predictions of other versions",
                lambda: self._forget_versions(round_, keep, assessment),
            )
            cleanup("refreshing the tabs", lambda: self.label_studio.refresh_tabs(project))
            offering = Offering(self.label_studio, self.stored, self.ledgers, self.reviews)
            cleanup(
                "updating what can be confirmed", lambda: offering.offer(round_, version, offers)
            )
        pruned.result()

    def _show_lists(self, round_: LabelingRound, drafts: Sequence[ListDraft]) -> None:
        """Show the lists; only the first training deletes the markers of earlier ones itself.

        These are of a whole wall, whose images people are about to see among the predicted ones.
        """
        for draft in drafts:
            self.label_studio.show_list(round_.project, draft, tidy=round_.current is None)

    def _forget_versions(
        self, round_: LabelingRound, keep: Collection[VersionName], assessment: Assessment
    ) -> None:
        """Delete superseded predictions if they are few; many wait for a deferred cleanup."""
        if self.label_studio.count_superseded(round_.project, keep) <= FORGET_AT_ONCE:
            spare = unpredicted(round_, assessment)
            self.label_studio.forget_versions(round_.project, keep, spare)

    def _same_config(self, project: ProjectId, schema: LabelSchema) -> Project:
        """Return the project as it is now. Raises BadInput where it asks for something else."""
        found = self.label_studio.project(project)
        now = labeling_config.parse(found.label_config)
        if (now.images, now.controls) != (schema.images, schema.controls):
            raise BadInput("the labeling config changed while the job ran", "Start the job again")
        return found


def _may_be_empty(schema: LabelSchema) -> bool:
    """Whether a prediction may have no label at all."""
    return any(control.kind is not TaskKind.SINGLE for control in schema.controls)


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
