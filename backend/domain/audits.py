"""Audits: what is frozen when one is drawn, what its test found, and what it certifies."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from backend.domain.answers import Answer, number_of_boxes
from backend.domain.ids import AuditId, ControlName, ProjectId, TaskId, VersionName
from backend.domain.items import ItemKind


class Promise(StrEnum):
    """What at most `max_error` of may be wrong."""

    DATASET = "dataset"
    """All labels of the finished project."""
    ACCEPTED = "accepted"
    """The labels that one audit accepts."""
    BOXES = "boxes"
    """The boxes that one audit accepts; and of the true boxes of those images, missed."""


@dataclass(frozen=True, slots=True)
class AuditTerms:
    """What the user asked for.

    Attributes:
        max_error: share of wrong labels, or of wrong and of missed boxes, in (0, 1).
        confidence: in [0.5, 1), that every promise made in this project holds.
    """

    promise: Promise = Promise.DATASET
    max_error: float = 0.05
    confidence: float = 0.95


@dataclass(frozen=True, slots=True)
class FrozenPrediction:
    """A prediction as it stood when the audit was drawn; `size` is that of its image, in pixels."""

    task: TaskId
    score: float
    answers: Mapping[ControlName, Answer]
    size: tuple[int, int] = (0, 0)

    @property
    def boxes(self) -> int:
        """Number of boxes in all answers."""
        return sum(map(number_of_boxes, self.answers.values()))


@dataclass(frozen=True, slots=True)
class Audit:
    """An audit as it was drawn; nothing in it changes afterwards.

    Attributes:
        risk: probability of a broken promise that its test may spend.
        seed: of the project; the sample is drawn by `default_rng([seed, id])`.
        region: predictions that might be accepted, highest score first.
        sample: positions in `region` of the images that people label blind, ascending.
        budget: mistakes that all labels of the project might still hold at the draw; it decides
            which prefixes are tested when the promise is `dataset`.
        stops: sizes of the prefixes of `region` to test, strict to loose.
        stated: the sample was not drawn but labeled before, and stated to be random.
        items: what the project's tasks show, for what people read about the audit.
        cap: most boxes of one image that count, when the promise is `boxes`: no prediction of
            `region` has more, and missed boxes of one image count up to this number.
    """

    id: AuditId
    project: ProjectId
    version: VersionName
    terms: AuditTerms
    risk: float
    seed: int
    region: tuple[FrozenPrediction, ...]
    sample: tuple[int, ...]
    budget: int
    stops: tuple[int, ...]
    stated: bool = False
    cap: int = 0
    items: ItemKind = ItemKind.IMAGE


@dataclass(frozen=True, slots=True)
class OpenAudit:
    """An audit that waits for people, as the ledger names it.

    Attributes:
        sample: tasks to label blind; they have no prediction that anyone could see.
        sentence: price and yield in words.
    """

    id: AuditId
    version: VersionName
    sample: frozenset[TaskId]
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class AuditLabels:
    """What people did to one task of an audit sample.

    Attributes:
        answers: of each annotation.
        skipped: whether anyone skipped it.
        blind: whether no annotation was made from a prediction.
    """

    answers: tuple[Mapping[ControlName, Answer], ...] = ()
    skipped: bool = False
    blind: bool = True

    @property
    def opened(self) -> bool:
        """Whether the task no longer waits for a person."""
        return bool(self.answers) or self.skipped


@dataclass(frozen=True, slots=True)
class BoxCount:
    """The boxes of one image, by the labels of one person.

    Attributes:
        matched: boxes of the frozen prediction that are right: a true box of their label overlaps
            them by an IoU of 0.5 or more, and each true box counts once.
        missed: true boxes without such a box.
    """

    task: TaskId
    matched: int
    missed: int


@dataclass(frozen=True, slots=True)
class StopTest:
    """The test of one prefix of the region.

    Attributes:
        size: images in the prefix.
        sampled: audit images among them, of which `mistakes` were predicted wrong.
        left: other images among them that people labeled or deleted since the draw;
            `left_mistakes` of them are known to have been predicted wrong.
        allowed: mistakes that may remain among the images that would be accepted.
        p_value: of the null hypothesis that more remain.
    """

    size: int
    sampled: int
    mistakes: int
    left: int
    left_mistakes: int
    allowed: int
    p_value: float

    @property
    def accepted(self) -> int:
        """Images that would be accepted."""
        return self.size - self.sampled - self.left


@dataclass(frozen=True, slots=True)
class AuditCertificate:
    """A promise about accepted labels, and the audit that it rests on.

    Attributes:
        accepted: labels it covers.
        threshold: lowest score among the images of the prefix that passed.
        region: images that might have been accepted (n).
        audited: audit images in the whole region (m), of which `mistakes` were predicted wrong.
        allowed: mistakes that may remain among the accepted labels.
        risk: probability of a broken promise that the test spent.
        sentence: the promise in words.
    """

    audit: AuditId
    terms: AuditTerms
    accepted: int
    threshold: float
    region: int
    audited: int
    mistakes: int
    allowed: int
    risk: float
    sentence: str


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """What one test cost its project.

    Attributes:
        risk: probability of a broken promise that the test was given, whether it passed or not.
        allowed: mistakes that may remain among the labels it accepted.
        undone: whether those labels were taken back. The risk stays spent.
    """

    audit: AuditId
    risk: float
    allowed: int = 0
    undone: bool = False


@dataclass(frozen=True, slots=True)
class RiskLedger:
    """The tests of a project, oldest first."""

    records: tuple[AuditRecord, ...] = ()

    @property
    def spent(self) -> float:
        """Risk of all tests together."""
        return sum(record.risk for record in self.records)

    @property
    def allowed(self) -> int:
        """Mistakes that may stand among all labels accepted so far."""
        return sum(record.allowed for record in self.records if not record.undone)


@dataclass(frozen=True, slots=True)
class CertificateFile:
    """The content of `certificate.json`: a certificate and all that is needed to check it.

    Attributes:
        audit: as it was drawn.
        budget: mistakes that all labels of the project might still hold before this acceptance,
            when the promise is `dataset`; None when it is `accepted`.
        mistakes: audit images that were predicted wrong, skipped or deleted.
        left: other images of the region that people labeled or deleted between draw and test.
        left_mistakes: those of them that were predicted wrong.
        accepted: the predictions that became labels.
        boxes: when the promise is `boxes`, what people found in images of the sample and of
            `left`, one entry for each of their annotations. An audit image without an entry counts
            as wrong and missed throughout.
    """

    certificate: AuditCertificate
    audit: Audit
    budget: int | None
    mistakes: tuple[TaskId, ...]
    left: tuple[TaskId, ...]
    left_mistakes: tuple[TaskId, ...]
    accepted: tuple[FrozenPrediction, ...]
    boxes: tuple[BoxCount, ...] = ()
