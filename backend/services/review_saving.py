"""Save in Label Studio what people decided on the review page, in batches.

A decision is a wish about one image. Saving compares it with what Label Studio shows: what was
confirmed before and is not any more is taken back first, then the new wish is fulfilled. So
every change of mind, every repetition and every restart ends in what was decided last.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from backend.domain.answers import Prediction
from backend.domain.ids import ProjectId, TaskId, VersionName
from backend.domain.json import Json
from backend.domain.reviews import OPEN, ReviewVerdict, UnsavedReview, corrected
from backend.domain.schema import LabelSchema
from backend.label_studio import codec, labeling_config
from backend.label_studio.reviewed_predictions import marked_wrong
from backend.ports.reviews import ReviewProject, Reviews
from backend.ports.stores import Ledgers, ProjectOrigins, StoredPredictions

BATCH = 300
"""Decisions saved at once."""

LABELED_ELSEWHERE = "somebody labeled, skipped or deleted it in Label Studio first; that stays"
CHANGED = "somebody has changed its annotation since; that stays"
AUDITED = "it is audited now"
UNMARKED = "it has no prediction any more that could be marked"


@dataclass(frozen=True, slots=True)
class ReviewSaving:
    """Saves decisions; `new_name` names the corrected predictions of one batch."""

    label_studio: ReviewProject
    reviews: Reviews
    stored: StoredPredictions
    ledgers: Ledgers
    origins: ProjectOrigins
    new_name: Callable[[], VersionName]

    def save(self, project: ProjectId) -> int:
        """Save the oldest decisions that are not saved yet; returns how many there were.

        Raises:
            BadInput: when they are about another project of this number.
        """
        unsaved = self.reviews.unsaved(project, BATCH)
        if not unsaved:
            return 0
        found = self.label_studio.project(project)
        self.origins.require(found)
        schema = labeling_config.parse(found.label_config)
        left = self._take_back(project, schema, unsaved)
        withheld = self.ledgers.load(project).withheld
        for one in left:
            if one.task in withheld:
                self.reviews.saved(project, one, None, AUDITED)
        left = [one for one in left if one.task not in withheld]
        for version in dict.fromkeys(one.version for one in left):
            mine = [one for one in left if one.version == version]
            self._confirm(project, version, _of(mine, ReviewVerdict.CONFIRMED))
            self._mark_wrong(project, schema, version, _of(mine, ReviewVerdict.WRONG))
            self._relabel(project, schema, version, _of(mine, ReviewVerdict.RELABELED))
        return len(unsaved)

    def _take_back(
        self, project: ProjectId, schema: LabelSchema, reviews: Sequence[UnsavedReview]
    ) -> list[UnsavedReview]:
        """Undo what is shown and not wanted any more; returns the wishes that are left."""
        made = self._unwanted(project, reviews)
        kept = frozenset[TaskId]()
        if made:
            done = self.label_studio.take_back(project, made)
            kept = done.changed | done.drafted
        for version in dict.fromkeys(one.version for one in reviews):
            marked = [
                one.task
                for one in reviews
                if one.version == version and one.saved.verdict is ReviewVerdict.WRONG
            ]
            originals = self._originals(project, schema, version, marked)
            self.label_studio.replace_results(project, version, originals)
        left: list[UnsavedReview] = []
        for one in reviews:
            if one.task in kept:
                self.reviews.saved(project, one, None, CHANGED)
            elif one.wanted == OPEN:
                self.reviews.saved(project, one, None)
            else:
                left.append(replace(one, annotation=None, saved=OPEN))
        return left

    def _unwanted(
        self, project: ProjectId, reviews: Sequence[UnsavedReview]
    ) -> Mapping[TaskId, int]:
        """Return the annotations to delete: those we noted, and those of calls that broke off."""
        made = {one.task: one.annotation for one in reviews if one.annotation is not None}
        withdrawn = (ReviewVerdict.OPEN, ReviewVerdict.WRONG)
        lost = [one for one in reviews if one.batch and one.wanted.verdict in withdrawn]
        for batch in dict.fromkeys(one.batch for one in lost):
            tasks = [one.task for one in lost if one.batch == batch]
            made |= self.label_studio.find_accepted(project, VersionName(batch), tasks)
        return made

    def _confirm(
        self, project: ProjectId, version: VersionName, reviews: Sequence[UnsavedReview]
    ) -> None:
        """Turn the predictions of a version into annotations."""
        if not reviews:
            return
        lost = [one.task for one in reviews if one.batch]  # a call began and nobody saw its end
        made = dict(self.label_studio.find_accepted(project, version, lost)) if lost else {}
        rest = [one for one in reviews if one.task not in made]
        self.reviews.begin(project, version, rest)
        made |= self.label_studio.accept(project, version, [one.task for one in rest])
        self._note(project, reviews, made)

    def _relabel(
        self,
        project: ProjectId,
        schema: LabelSchema,
        version: VersionName,
        reviews: Sequence[UnsavedReview],
    ) -> None:
        """Import corrected predictions in bulk, and turn those into annotations."""
        for name, batch in self._named(reviews).items():
            tasks = [one.task for one in batch]
            self.reviews.begin(project, name, batch)
            found = self.label_studio.waiting_predictions(project, schema, version, tasks)
            there = self.label_studio.predicted(project, name) if batch[0].batch else ()
            new = [
                _corrected(found[one.task], name, one)
                for one in batch
                if one.task in found and one.task not in there
            ]
            self.label_studio.push(project, codec.serialized(new, schema))
            made = dict(self.label_studio.find_accepted(project, name, list(there)))
            rest = [task for task in tasks if task not in made]
            made |= self.label_studio.accept(project, name, rest)
            self._note(project, batch, made)

    def _named(
        self, reviews: Iterable[UnsavedReview]
    ) -> Mapping[VersionName, Sequence[UnsavedReview]]:
        """Group reviews by the name of their corrected predictions; one new name for all others."""
        fresh, named = self.new_name(), dict[VersionName, list[UnsavedReview]]()
        for one in reviews:
            named.setdefault(VersionName(one.batch) if one.batch else fresh, []).append(one)
        return named

    def _note(
        self,
        project: ProjectId,
        reviews: Iterable[UnsavedReview],
        made: Mapping[TaskId, int],
    ) -> None:
        for one in reviews:
            problem = "" if one.task in made else LABELED_ELSEWHERE
            self.reviews.saved(project, one, made.get(one.task), problem)

    def _mark_wrong(
        self,
        project: ProjectId,
        schema: LabelSchema,
        version: VersionName,
        reviews: Sequence[UnsavedReview],
    ) -> None:
        """Put predictions first among those to be confirmed, and take them off their wall."""
        tasks = [one.task for one in reviews]
        originals = self._originals(project, schema, version, tasks)
        marked = {task: marked_wrong(one) for task, one in originals.items()}
        self.label_studio.replace_results(project, version, marked)
        for one in reviews:
            self.reviews.saved(project, one, None, "" if one.task in marked else UNMARKED)

    def _originals(
        self,
        project: ProjectId,
        schema: LabelSchema,
        version: VersionName,
        tasks: Collection[TaskId],
    ) -> Mapping[TaskId, Json]:
        """Return predictions as they were published; those without a region have no place."""
        if not tasks:
            return {}
        refs = list(self.label_studio.refs(project, schema, list(tasks)))
        stored = self.stored.get(project, version, refs)
        return {ref.task: one for ref, one in stored.items() if one["result"]}


def _of(reviews: Iterable[UnsavedReview], verdict: ReviewVerdict) -> list[UnsavedReview]:
    return [one for one in reviews if one.wanted.verdict is verdict]


def _corrected(prediction: Prediction, name: VersionName, review: UnsavedReview) -> Prediction:
    answers = corrected(prediction.answers, review.wanted.changes)
    return replace(prediction, answers=answers, version=name, score=1.0, hard=None)
