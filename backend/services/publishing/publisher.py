"""Publish the predictions of a version in Label Studio.

Everything is pushed before anything is switched, so a job that ends early leaves what people see as
it was.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from backend.domain.errors import BadInput
from backend.domain.ids import ProjectId, VersionName
from backend.domain.projects import Project
from backend.domain.schema import LabelSchema, TaskKind
from backend.domain.tab_titles import TabTitle
from backend.domain.task_lists import ListDraft, TaskList
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
from backend.services.labeling_round import LabelingRound
from backend.services.publishing.cleanup import Cleanup
from backend.services.publishing.offering import Offering, Offers
from backend.services.publishing.pushing import PushedPredictions, Pushing
from backend.services.publishing.release import Release
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
        self.label_studio.prepare_push(round_.project, len(round_.tasks.unlabeled))
        return Target(found, {draft.tasks.title: draft for draft in drafts})

    def first_batch(self, release: Release) -> Sequence[SerializedPrediction]:
        """Serialize what is pushed first; nothing yet where an audit may be drawn of it."""
        return () if release.round_.request.accept else self._pushing.batch(release, 0)

    @property
    def _pushing(self) -> Pushing:
        return Pushing(self.label_studio, self.stored)

    def publish(
        self,
        release: Release,
        kept: KeptWork,
        progress: Progress,
        *,
        target: Target | None = None,
        first: Sequence[SerializedPrediction] = (),
        illustrate: Callable[[], None] = lambda: None,
    ) -> Publication:
        """Push all, then switch, then clean up.

        `kept` knows what a job that broke off has pushed. `target` is what `look` found, `first`
        the first batch, where they are there already. `illustrate` draws the plots of the report
        while Label Studio stores the predictions.

        Raises:
            BadInput: when the labeling config changed since the job read it.
        """
        cleanup, project = Cleanup(), release.project
        target = target or self.look(release.round_, [one.title for one in release.lists])
        drafts = [target.draft(one) for one in _all_lists(release)]
        with beside(lambda: cleanup("drawing plots and thumbnails", illustrate)) as drawn:
            pushed, offers = self._pushing(release, drafts, first, kept, progress)
        drawn.result()
        if release.activate:
            self.versions.activate(project, release.version.name)
        self.label_studio.show_version(project, release.version.name)
        with self.label_studio.changing_tabs(project):
            self._clean_up(release, offers, cleanup)
            cleanup("listing the chosen tasks", lambda: self._show_lists(release.round_, drafts))
        return Publication(target.project, release.version.name, pushed, cleanup)

    def _clean_up(self, release: Release, offers: Offers, cleanup: Cleanup) -> None:
        """Remove the predictions of all versions but those to keep, and update the tabs."""
        project, keep = release.project, self._to_keep(release)

        def prune() -> None:
            name = "removing the stored predictions of other versions"
            cleanup(name, lambda: self.stored.prune(project, keep))

        with beside(prune) as pruned:
            cleanup(
                "removing the predictions of other versions",
                lambda: self._forget_versions(release, keep),
            )
            cleanup("refreshing the tabs", lambda: self.label_studio.refresh_tabs(project))
            offering = Offering(self.label_studio, self.stored, self.ledgers, self.reviews)
            cleanup(
                "updating what can be confirmed",
                lambda: offering.offer(release.round_, release.version.name, offers),
            )
        pruned.result()

    def _to_keep(self, release: Release) -> set[VersionName]:
        """Return the versions whose predictions stay."""
        # read again: a person may have activated another version while the job ran
        current = self.versions.current(release.project)
        keep = {release.version.name, current.name} if current else {release.version.name}
        opened = self.ledgers.load(release.project).open_audit
        if opened:  # its predictions are accepted once people have labeled the sample
            keep.add(opened.version)
        return keep | self.reviews.unsaved_versions(release.project)

    def _show_lists(self, round_: LabelingRound, drafts: Sequence[ListDraft]) -> None:
        """Show the lists; only the first training deletes the markers of earlier ones itself.

        These are of a whole wall, whose images people are about to see among the predicted ones.
        """
        for draft in drafts:
            self.label_studio.show_list(round_.project, draft, tidy=round_.current is None)

    def _forget_versions(self, release: Release, keep: Collection[VersionName]) -> None:
        """Delete superseded predictions if they are few; many wait for a deferred cleanup."""
        project = release.project
        if self.label_studio.count_superseded(project, keep) <= FORGET_AT_ONCE:
            self.label_studio.forget_versions(project, keep, release.unpredicted)

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


def _all_lists(release: Release) -> Sequence[TaskList]:
    """Return the lists to show, with that of hard examples without a label if there may be any."""
    if not _may_be_empty(release.round_.schema):
        return release.lists
    empty = TaskList(TabTitle.HARD_AND_EMPTY, tuple(release.hard_and_empty))
    return (*release.lists, empty)
