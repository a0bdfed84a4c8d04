"""Auditing: test an audit that people have labeled, and accept what it allows.

A job of its own that trains nothing. It is safe to repeat: the risk of a test is paid once, and an
acceptance that broke off goes on under the certificate that was written before it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Protocol

from backend.domain.answers import Answer, ImageRef, LabeledImage, Prediction, Regions
from backend.domain.audits import (
    Audit,
    AuditLabels,
    BoxCount,
    CertificateFile,
    FrozenPrediction,
    Promise,
)
from backend.domain.ids import AuditId, ControlName, JobId, ProjectId, TaskId
from backend.domain.items import ItemKind
from backend.domain.jobs import Job, JobResult
from backend.domain.schema import LabelSchema
from backend.domain.steps import Step
from backend.domain.tab_titles import TabTitle
from backend.domain.versions import Ledger
from backend.label_studio import codec, labeling_config
from backend.policies.certification import audit_certificate, audit_verdict, risk
from backend.policies.certification.audit_verdict import AuditFindings, AuditVerdict
from backend.policies.certification.correctness import is_right, pairs
from backend.ports.label_studio import PredictionEditor, ProjectContents, TabEditor
from backend.ports.progress import Steps, Work
from backend.ports.stores import Audits, Ledgers
from backend.services import audits, project_tasks
from backend.services.auto_accept import AutoAccept
from backend.services.project_tasks import ProjectTasks

BATCH = 10_000
"""Predictions in one bulk import: Label Studio recounts the whole project at each call."""

UNCLEAR_SHOWN = 20

NONE_OPEN = "no audit is open; start a job with --accept to draw one"


class AuditedContents(ProjectContents, PredictionEditor, TabEditor, Protocol):
    """A project whose labels are compared with frozen predictions."""


@dataclass(frozen=True, slots=True)
class Auditing:
    """The auditing job."""

    label_studio: AuditedContents
    ledgers: Ledgers
    audits: Audits
    auto_accept: AutoAccept

    def __call__(self, job: Job, steps: Steps) -> JobResult:
        """Run the job."""
        project = job.request.project
        opened = self.ledgers.load(project).open_audit
        if opened is None:
            return JobResult(NONE_OPEN)
        schema = labeling_config.parse(self.label_studio.project(project).label_config)
        if schema.unlearned:
            return JobResult(audits.PARTIAL.format(controls=", ".join(schema.unlearned)))
        audit = self.audits.load(project, opened.id)
        owner, unclear = self._interrupted(project, opened.id) or job.id, ""
        with steps(Step.LIST) as progress:
            file = self._certified(project, owner)
            if file is None:
                labels = self.label_studio.audit_labels(project, schema, audits.sample_of(audit))
                if left := sum(not one.opened for one in labels.values()):
                    return JobResult(audits.still_open(opened, left, schema.items))
                tasks = project_tasks.take(self.label_studio, project, schema, progress)
                unclear = _unclear(labels, schema.items)
                verdict, file = self._test(audit, tasks, labels)
                if file is None:
                    self._close(project)
                    return JobResult(_joined(_failed(audit, verdict), unclear), audit.version)
                self.audits.certify(project, owner, file)
        done = self._accept(owner, schema, file, steps)
        return replace(done, reason=_joined(done.reason, unclear))

    def is_answered(self, project: ProjectId) -> bool:
        """Whether an audit is open of which no image waits for a person any more."""
        opened = self.ledgers.load(project).open_audit
        if opened is None:
            return False
        schema = labeling_config.parse(self.label_studio.project(project).label_config)
        if schema.unlearned:  # nothing can be accepted, so there is nothing to test
            return False
        sample = sorted(opened.sample)
        if self.label_studio.any_waiting(project, sample):  # asked after each change
            return False
        labels = self.label_studio.audit_labels(project, schema, sample)
        if not all(one.opened for one in labels.values()):
            return False
        return self.ledgers.load(project).open_audit == opened  # a job may have closed it meanwhile

    def _test(
        self, audit: Audit, tasks: ProjectTasks, labels: Mapping[TaskId, AuditLabels]
    ) -> tuple[AuditVerdict, CertificateFile | None]:
        """Pay for the test, and only then look at it."""
        ledger = self.ledgers.change(
            audit.project,
            lambda now: replace(now, risk=risk.spend(now.risk, audit.id, audit.risk)),
        )
        found = findings(audit, tasks, labels, ledger)
        budget = risk.budget(ledger.risk, audit.terms.max_error, audits.tasks_of(tasks))
        verdict = audit_verdict.judge(audit, found, budget)
        return verdict, audit_certificate.issue(audit, found, verdict, budget)

    def _accept(
        self, owner: JobId, schema: LabelSchema, file: CertificateFile, steps: Steps
    ) -> JobResult:
        project, audit = file.audit.project, file.audit
        with steps(Step.PUSH):
            self._push_missing(schema, file)
        with steps(Step.ACCEPT) as progress:
            accepted = self.auto_accept.carry_out(project, owner, file, progress)
        self._close(project)
        sections = {
            "certificate": asdict(file.certificate),
            "verdict": file.certificate.sentence,
            "items": audit.items.plural,
            "seconds": dict(steps.seconds),
        }
        reason = f"accepted {accepted} labels. {file.certificate.sentence}"
        return JobResult(reason, audit.version, accepted, sections)

    def _push_missing(self, schema: LabelSchema, file: CertificateFile) -> None:
        """Store accepted predictions again that Label Studio does not have any more."""
        project, version = file.audit.project, file.audit.version
        there = self.label_studio.predicted(project, version)
        missing = [one for one in file.accepted if one.task not in there]
        for start in range(0, len(missing), BATCH):
            batch = [
                Prediction(ImageRef(one.task, ""), one.answers, one.score, version, one.size)
                for one in missing[start : start + BATCH]
            ]
            self.label_studio.push(project, codec.serialized(batch, schema))

    def _close(self, project: ProjectId) -> None:
        self.label_studio.list_in_tab(project, TabTitle.AUDIT, ())
        self.ledgers.change(project, lambda now: replace(now, open_audit=None))

    def _interrupted(self, project: ProjectId, audit: AuditId) -> JobId | None:
        """Return the job whose acceptance by this audit broke off."""
        acceptances = self.ledgers.load(project).acceptances
        return next((job for job, one in acceptances.items() if one.audit == audit), None)

    def _certified(self, project: ProjectId, job: JobId) -> CertificateFile | None:
        interrupted = job in self.ledgers.load(project).acceptances
        return self.audits.certificate(project, job) if interrupted else None


@dataclass(frozen=True, slots=True)
class AuditFirst:
    """Runs the auditing job in place of one that accepts, once an open audit is labeled.

    An audit of labels that were stated to be random is labeled when it is drawn, so it is tested
    right after the job that draws it.
    """

    work: Work
    auditing: Auditing

    def __call__(self, job: Job, steps: Steps) -> JobResult:
        """Run one job, or both."""
        request = job.request
        if request.accept and self.auditing.is_answered(request.project):
            return self.auditing(job, steps)
        result = self.work(job, steps)
        if not (request.labels_are_random and self.auditing.is_answered(request.project)):
            return result
        tested = self.auditing(job, steps)
        sections = {**result.sections, **tested.sections}
        return replace(tested, version=result.version, sections=sections)


def findings(
    audit: Audit, tasks: ProjectTasks, labels: Mapping[TaskId, AuditLabels], ledger: Ledger
) -> AuditFindings:
    """Compare the frozen predictions with what people have said since.

    Args:
        audit: as it was drawn.
        tasks: of the project now; a task of the region that is in none of its lists was skipped
            or deleted.
        labels: of the sample.
        ledger: knows which labels a model gave, which tell nothing.
    """
    labeled = {one.image.task: one for one in tasks.labeled}
    unlabeled = {ref.task for ref in tasks.unlabeled}
    sample = set(audits.sample_of(audit))
    known: dict[TaskId, bool | None] = {}
    boxes = list[BoxCount]()
    for one in audit.region:
        if one.task in sample:
            given = _given_blind(labels.get(one.task, AuditLabels()))
            if audit.stated and not _is_answered(one, labeled.get(one.task)):
                given = ()
            known[one.task] = bool(given) and all(_agrees(one.answers, each) for each in given)
        elif one.task not in unlabeled:
            given = _given_since(one, labeled.get(one.task), ledger)
            known[one.task] = _agrees(one.answers, given[0]) if given else None
        else:
            continue
        boxes += [_boxes(one, each) for each in given]
    about_boxes = audit.terms.promise is Promise.BOXES
    return audit_verdict.findings(audit, known, boxes if about_boxes else ())


def _given_blind(labels: AuditLabels) -> Sequence[Mapping[ControlName, Answer]]:
    """Return the answers of an audit image; none unless all who opened it labeled it blind."""
    return labels.answers if labels.blind and not labels.skipped else ()


def _given_since(
    frozen: FrozenPrediction, image: LabeledImage | None, ledger: Ledger
) -> Sequence[Mapping[ControlName, Answer]]:
    """Return the answer that a person gave to another image.

    None if the image is gone, a model's, or leaves open something that was predicted without
    contradicting the rest.
    """
    if image is None or project_tasks.is_of_model(image, ledger):
        return ()
    given = {name: one for name, one in frozen.answers.items() if name in image.answers}
    is_open = given.keys() != frozen.answers.keys() and _agrees(given, image.answers)
    return () if is_open else (image.answers,)


def _is_answered(frozen: FrozenPrediction, image: LabeledImage | None) -> bool:
    """Whether people answered all that was predicted: they labeled the image without an audit."""
    return image is not None and frozen.answers.keys() <= image.answers.keys()


def _agrees(predicted: Mapping[ControlName, Answer], given: Mapping[ControlName, Answer]) -> bool:
    return all(
        name in given and is_right(answer, given[name]) for name, answer in predicted.items()
    )


def _boxes(frozen: FrozenPrediction, given: Mapping[ControlName, Answer]) -> BoxCount:
    matched = missed = 0
    for name, predicted in frozen.answers.items():
        truth = given.get(name)
        if isinstance(predicted, Regions) and isinstance(truth, Regions):
            right = len(pairs(predicted, truth))
            matched, missed = matched + right, missed + len(truth.regions) - right
    return BoxCount(frozen.task, matched, missed)


def _unclear(labels: Mapping[TaskId, AuditLabels], items: ItemKind) -> str:
    """List the audited tasks on which people disagree."""
    tasks = [
        task
        for task, one in labels.items()
        if any(not _agrees(one.answers[0], other) for other in one.answers[1:])
    ]
    if not tasks:
        return ""
    shown = ", ".join(map(str, sorted(tasks)[:UNCLEAR_SHOWN]))
    more = " and more" if len(tasks) > UNCLEAR_SHOWN else ""
    return (
        f"{len(tasks)} audit {items.plural} are unclear, because people disagree: "
        f"tasks {shown}{more}"
    )


def _joined(reason: str, more: str) -> str:
    return f"{reason.rstrip('.')}. {more}" if more else reason


def _failed(audit: Audit, verdict: AuditVerdict) -> str:
    """Say why nothing was accepted."""
    items = audit.items.plural
    if not verdict.tests:
        return f"nothing accepted: no prefix of the audited {items} could pass the test"
    last = verdict.tests[-1]
    if audit.terms.promise is Promise.BOXES:
        wrong = "have boxes that are wrong or missed, which are too many"
    else:
        wrong = "were predicted wrong"
    return (
        f"nothing accepted: {last.mistakes} of the {last.sampled} surest audit {items} {wrong}. "
        f"Their labels teach the next version; label more {items}, then start again"
    )
