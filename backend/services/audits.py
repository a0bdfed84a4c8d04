"""Draw audits: freeze the surest predictions, and set a random sample of them aside.

The sample's predictions are withheld, so that people label it blind. Everything that the test will
need is written before anyone has seen which images were drawn.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from backend.domain.answers import Regions
from backend.domain.arrays import Floats
from backend.domain.audits import Audit, AuditTerms, FrozenPrediction, OpenAudit, Promise
from backend.domain.batches import ProjectPredictions
from backend.domain.ids import AuditId, ProjectId, TaskId, VersionName
from backend.domain.items import ItemKind
from backend.domain.schema import LabelSchema
from backend.domain.steps import Step
from backend.domain.tab_titles import TabTitle
from backend.domain.versions import Ledger
from backend.policies.certification import audit_region, risk
from backend.policies.certification.audit_plan import plan, region_size
from backend.policies.certification.box_plan import BoxChances, plan_boxes, region_of
from backend.ports.label_studio import DraftReader, PredictionEditor, TabEditor
from backend.ports.progress import Progress
from backend.ports.stores import Audits, Ledgers
from backend.services.assessment import Assessment
from backend.services.labeling_round import LabelingRound
from backend.services.project_tasks import ProjectTasks

FORGOTTEN_AT_ONCE = 100
"""Tasks whose predictions are deleted between two reports of progress, in a few seconds."""

NO_RISK = (
    "No audit was drawn: the audits of this project have used up its confidence of "
    "{confidence:.4g} %. Label the remaining {items} by hand, or ask for a lower confidence."
)
NO_BUDGET = (
    "No audit was drawn: {allowed:,} of the labels of this project may already be wrong, which is "
    "all that {max_error:.4g} % allows. Label the remaining {items} by hand, or ask for the "
    "promise 'accepted'."
)


STATED = (
    "{labels} of the labels that were stated to be random are among the surest {items} and make "
    "the audit; nothing is accepted where they are too few."
)


PARTIAL = (
    "Nothing is accepted, because {controls} is not learned: accepted tasks would lack that "
    "answer. The predictions wait for people to complete and submit them."
)


class AuditedProject(DraftReader, PredictionEditor, TabEditor, Protocol):
    """A project whose audit sample is listed, and cleared of predictions."""


@dataclass(frozen=True, slots=True)
class DrawnAudit:
    """Tasks whose predictions are withheld, and what people read about it."""

    withheld: frozenset[TaskId]
    sentence: str


@dataclass(frozen=True, slots=True)
class _Choice:
    """Rows of the region, the surest first; places of the sample in it; what people read.

    `cap` is the most boxes of an image of the region, for the promise `boxes`.
    """

    rows: tuple[int, ...]
    sample: tuple[int, ...]
    sentence: str
    cap: int = 0


@dataclass(frozen=True, slots=True)
class AuditDraw:
    """Draws an audit for a job that may accept."""

    label_studio: AuditedProject
    ledgers: Ledgers
    audits: Audits
    seed: int

    def apply(
        self,
        round_: LabelingRound,
        version: VersionName,
        assessment: Assessment,
        progress: Progress,
    ) -> Assessment:
        """Draw an audit if the job asks for it; returns the assessment without its sample.

        Raises:
            Stopped: while predictions are deleted; the audit is open then.
        """
        if not round_.request.accept:
            return assessment
        if missing := unlearned(round_.schema, assessment.predicted):
            return replace(assessment, verdict=PARTIAL.format(controls=", ".join(missing)))
        drawn = self.draw(round_, version, assessment.predicted, progress)
        left_out = drawn.withheld | round_.stated
        sentences = [drawn.sentence]
        if round_.request.labels_are_random:
            sentences += [f"{one[:1].upper()}{one[1:]}." for one in uncounted(round_.not_blind)]
        return replace(assessment.without(left_out), verdict=" ".join(sentences))

    def draw(
        self,
        round_: LabelingRound,
        version: VersionName,
        predicted: ProjectPredictions,
        progress: Progress,
    ) -> DrawnAudit:
        """Draw an audit, unless one is open, none pays, or nothing is left to spend.

        Images that somebody has begun to annotate are left out: their prediction was on the screen.

        Args:
            round_: of the job.
            version: whose predictions are frozen.
            predicted: of all images that might be accepted.
            progress: of deleting the predictions of the sample.
        """
        request, ledger = round_.request, self.ledgers.load(round_.project)
        if opened := ledger.open_audit:
            return self._still_open(round_, ledger, opened, progress)
        terms = AuditTerms(request.promise, request.max_error, request.confidence)
        given = risk.risk_of_next_test(ledger.risk, terms.confidence)
        budget = risk.budget(ledger.risk, terms.max_error, tasks_of(round_.tasks))
        if obstacle := _obstacle(round_, ledger, given, budget):
            return DrawnAudit(frozenset(), obstacle)
        number = AuditId(ledger.drawn + 1)
        predicted = predicted.without(self.label_studio.begun(round_.project) - round_.stated)
        chosen = self._choose(round_, predicted, number, terms, given, budget)
        sample = np.array(chosen.sample, dtype=np.intp)
        stops = audit_region.stops(len(chosen.rows), sample, terms, given, budget)
        if not stops:
            return DrawnAudit(frozenset(), chosen.sentence)
        audit = Audit(
            id=number,
            project=round_.project,
            version=version,
            terms=terms,
            risk=given,
            seed=self.seed,
            region=tuple(_frozen(predicted, row, version) for row in chosen.rows),
            sample=chosen.sample,
            budget=budget,
            stops=stops,
            stated=bool(round_.stated),
            cap=chosen.cap,
            items=round_.schema.items,
        )
        return self._open(audit, chosen.sentence, round_.tasks, progress)

    def _still_open(
        self, round_: LabelingRound, ledger: Ledger, opened: OpenAudit, progress: Progress
    ) -> DrawnAudit:
        left = self._show(round_.project, ledger, round_.tasks, progress)
        return DrawnAudit(ledger.withheld, still_open(opened, left, round_.schema.items))

    def _choose(
        self,
        round_: LabelingRound,
        predicted: ProjectPredictions,
        number: AuditId,
        terms: AuditTerms,
        given: float,
        budget: int,
    ) -> _Choice:
        """Choose region and sample; empty where no audit pays."""
        items = round_.schema.items
        chances = 1 - predicted.score.astype(np.float64)
        boxes = _boxes(predicted, chances) if terms.promise is Promise.BOXES else None
        if round_.stated:
            size, cap = _usual_region(chances, boxes, terms, budget)
            rows = _surest(predicted, boxes, cap)[:size]
            tasks = (predicted.images.tasks[row] for row in rows)
            stated = [place for place, task in enumerate(tasks) if task in round_.stated]
            words = STATED.format(labels=len(stated), items=items.plural)
            return _Choice(rows, tuple(stated), words, cap)
        labels = len(round_.dataset.labeled)
        if boxes is None:
            planned = plan(chances, labels, terms, given, budget)
        else:
            planned = plan_boxes(boxes, labels, terms, given)
        if not planned.pays:
            return _Choice((), (), planned.sentence(items))
        rng = audit_region.rng_of(self.seed, number)
        sample = audit_region.draw(planned.region, planned.sample, rng)
        rows = _surest(predicted, boxes, planned.cap)[: planned.region]
        return _Choice(rows, tuple(sample.tolist()), planned.sentence(items), planned.cap)

    def _open(
        self, audit: Audit, sentence: str, tasks: ProjectTasks, progress: Progress
    ) -> DrawnAudit:
        """Write the audit, and only then show which images are to be labeled."""
        self.audits.save(audit)
        sample = frozenset(sample_of(audit))
        opened = OpenAudit(audit.id, audit.version, sample, sentence)
        ledger = self.ledgers.change(
            audit.project, lambda now: replace(now, drawn=audit.id, open_audit=opened)
        )
        self._show(audit.project, ledger, tasks, progress)
        return DrawnAudit(sample, sentence)

    def _show(
        self, project: ProjectId, ledger: Ledger, tasks: ProjectTasks, progress: Progress
    ) -> int:
        """List the audit images that wait, without predictions; returns how many.

        Safe to repeat: a job may have died between the ledger and Label Studio.
        """
        left = waiting(ledger, tasks)
        for start in range(0, len(left), FORGOTTEN_AT_ONCE):
            progress(Step.PUSH, start, len(left), "predictions of the audit are deleted")
            self.label_studio.forget_predictions(project, left[start : start + FORGOTTEN_AT_ONCE])
        self.label_studio.list_in_tab(project, TabTitle.AUDIT, left)
        return len(left)


def unlearned(schema: LabelSchema, predicted: ProjectPredictions) -> tuple[str, ...]:
    """Return the controls that an accepted prediction would leave without an answer."""
    untaught = [one.name for one in schema.controls if one.name not in predicted.predictions]
    return (*schema.unlearned, *(f"'{name}'" for name in untaught))


def waiting(ledger: Ledger, tasks: ProjectTasks) -> tuple[TaskId, ...]:
    """Return the audit images that nobody has labeled or skipped."""
    return tuple(ref.task for ref in tasks.unlabeled if ref.task in ledger.withheld)


def still_open(audit: OpenAudit, left: int, items: ItemKind = ItemKind.IMAGE) -> str:
    """Say how many images, or texts, of an audit wait."""
    if not left:
        return (
            f"All {items.plural} of the audit are labeled; it is tested when the next job starts."
        )
    return (
        f"Audit {audit.id} waits: {left} of {len(audit.sample)} {items.plural} in the tab "
        f"'{TabTitle.AUDIT}' are not labeled yet."
    )


def notes(ledger: Ledger, tasks: int) -> Iterator[str]:
    """Yield what people should know of a project that holds this many tasks now."""
    if ledger.open_audit:
        yield f"audit {ledger.open_audit.id} is open: {ledger.open_audit.sentence}"
    if ledger.note:
        yield ledger.note
    standing = (one for one in ledger.acceptances.values() if one.complete and not one.undone)
    promises = [
        one.certificate.terms.max_error
        for one in standing
        if one.certificate and one.certificate.terms.promise is Promise.DATASET
    ]
    if promises and risk.share_of(min(promises), tasks) < ledger.risk.allowed:
        yield (
            f"a promise about the whole data set no longer holds: {ledger.risk.allowed:,} of its "
            f"labels may be wrong, and it has only {tasks:,} tasks left"
        )


def uncounted(not_blind: int) -> Iterator[str]:
    """Say how many labels are in no sample that was stated to be random."""
    if not_blind:
        labels = "1 label was" if not_blind == 1 else f"{not_blind:,} labels were"
        yield (
            f"{labels} made from predictions, which people tend to believe, and never count as "
            "part of a random sample"
        )


def tasks_of(tasks: ProjectTasks) -> int:
    """Count the tasks of a project, without those that were skipped."""
    return len(tasks.labeled) + len(tasks.unlabeled)


def _obstacle(round_: LabelingRound, ledger: Ledger, given: float, budget: int) -> str:
    request, items = round_.request, round_.schema.items.plural
    if not given:
        return NO_RISK.format(confidence=request.confidence * 100, items=items)
    if request.promise is Promise.DATASET and budget <= 0:
        allowed, max_error = ledger.risk.allowed, request.max_error * 100
        return NO_BUDGET.format(allowed=allowed, max_error=max_error, items=items)
    return ""


def _boxes(predicted: ProjectPredictions, chances: Floats) -> BoxChances:
    """Count the boxes that the version found; `chances` (n,) that an image needs an edit."""
    found, wrong = np.zeros(len(chances)), np.zeros(len(chances))
    for batch in predicted.predictions.values():
        regions = [one.regions if isinstance(one, Regions) else () for one in batch.answers]
        found += [len(one) for one in regions]
        wrong += [sum(1 - (region.score or 0.0) for region in one) for one in regions]
    return BoxChances(chances, found, wrong)


def _usual_region(
    chances: Floats, boxes: BoxChances | None, terms: AuditTerms, budget: int
) -> tuple[int, int]:
    """Return size and cap of the region where the sample is given."""
    if boxes is None:
        return region_size(chances, terms, budget), 0
    return region_of(boxes, terms)


def _surest(predicted: ProjectPredictions, boxes: BoxChances | None, cap: int) -> tuple[int, ...]:
    """Return the rows from the surest on, without images of more boxes than `cap`."""
    order = audit_region.ranked(predicted.score, predicted.images.tasks)
    kept = order if boxes is None else order[boxes.found[order] <= cap]
    return tuple(kept.tolist())


def _frozen(predicted: ProjectPredictions, row: int, version: VersionName) -> FrozenPrediction:
    one = predicted.prediction(row, version)
    return FrozenPrediction(one.image.task, one.score, one.answers, one.size)


def sample_of(audit: Audit) -> Sequence[TaskId]:
    """Return the tasks of the sample."""
    return [audit.region[position].task for position in audit.sample]
