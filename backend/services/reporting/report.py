"""What a job found out, as `report.json`: the numbers, each with its meaning in the docs."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from backend.domain.answers import HardExample, ImageRef, NoPrediction
from backend.domain.arrays import Floats
from backend.domain.ids import TaskId, VersionName
from backend.domain.jobs import JobResult, Mode
from backend.domain.json import JsonObject
from backend.domain.metrics import metrics_to_json
from backend.domain.schema import LabelSchema
from backend.domain.steps import TIMED_STEPS, Step
from backend.domain.versions import ModelVersion
from backend.policies.hard_examples.reasons import PHRASES
from backend.policies.label_issues import LabelIssue
from backend.ports.images import ExtractionLog
from backend.services import project_tasks
from backend.services.assessment import Assessment
from backend.services.project_tasks import ProjectTasks
from backend.services.publishing.finishing import Finished
from backend.services.training.train import Dataset, Learned

HARDEST = 20
"""Hard examples listed one by one."""

HISTOGRAM_BINS = 20
"""Of equal width over [0, 1]."""


def sections(
    version: ModelVersion,
    *,
    people: ProjectTasks,
    dataset: Dataset,
    findings: Assessment,
    finished: Finished,
    unreadable: Sequence[NoPrediction],
    seconds: Mapping[Step, float],
) -> JsonObject:
    """The report of one job; counts are of images, times in seconds.

    `version` is the one that the job made or chose. Where that was kept aside, `shown` is another:
    the one whose predictions are counted and were accepted.
    """
    predicted = len(findings.predicted.images)
    certificates = [asdict(one) for one in findings.verdict.certificates]
    return {
        "shown": finished.shown,
        "task_kind": "+".join(dict.fromkeys(kind.value for kind in version.kinds.values())),
        "labels": [
            {"control": count.control, "label": count.label, "images": count.images}
            for count in project_tasks.count(dataset.schema, tuple(dataset.people.values()))
        ],
        "labeled": len(dataset.people),
        "validation": len(dataset.validation) or version.trained_on.get("validation", 0),
        "unlabeled": len(people.unlabeled),
        "predicted": finished.published.predicted,
        "hard": len(findings.hard),
        "hardest": [_hard(example) for example in _worst(findings.hard)],
        "hard_reasons": hard_reasons(findings.hard),
        "withheld": predicted - finished.accepted,
        "dropped": [_slot(slot) for slot in finished.published.dropped],
        "unreadable": [_slot(slot) for slot in unreadable],
        "repairs": _repairs(dataset),
        "metrics": metrics_to_json(version.metrics),
        "confidence_histogram": _histogram(findings.predicted.score),
        "certificate": certificates[0] if certificates else None,
        "certificates": certificates,
        "verdict": findings.verdict.reason,
        "seconds": _seconds(seconds),
        "device": version.device,
        "backbone": version.backbone,
    }


def of_looking(
    extractor: ExtractionLog,
    *,
    reason: str,
    people: ProjectTasks,
    unreadable: Sequence[NoPrediction],
    seconds: Mapping[Step, float],
    **sections: Any,
) -> JobResult:
    """Report a job that neither trained nor published a model; `sections` are its own."""
    common = {
        "labeled": len(people.labeled),
        "unlabeled": len(people.unlabeled),
        "unreadable": [_slot(slot) for slot in unreadable],
        "seconds": _seconds({**seconds, **extractor.timings()}),
        "device": extractor.device,
        "backbone": extractor.backbone,
    }
    return JobResult(reason, sections={**common, **sections})


def of_training(learned: Learned, doubts: Sequence[LabelIssue]) -> JsonObject:
    """What a report has more when something was trained.

    `metrics_from` says on which images the metrics were measured: `held-out`, or `out-of-fold`
    where there are too few of those.
    """
    notes = {name: dict(model.notes) for name, model in learned.models.items()}
    sources = {str(about["metrics_from"]) for about in notes.values() if "metrics_from" in about}
    return {
        "notes": notes,
        "metrics_from": " and ".join(sorted(sources)) or "held-out",
        "per_class": [
            {"control": name, **row}
            for name, about in notes.items()
            for row in about.get("per_label", ())
        ],
        "doubted_labels": [asdict(issue) for issue in doubts],
    }


def of_earlier_training(version: VersionName, reports: Iterable[Mapping[str, Any]]) -> JsonObject:
    """What was found out when a version was trained, by the report of that job if it is here."""
    about: JsonObject = {"notes": {}, "metrics_from": "held-out", "per_class": []}
    for report in reports:
        if report["version"] == version and report["mode"] == Mode.ACTIVE_LEARNING.value:
            return {name: report.get(name, nothing) for name, nothing in about.items()}
    return about


def hardest(findings: Assessment) -> list[ImageRef]:
    """The images of the hard examples that the report lists."""
    refs = {ref.task: ref for ref in findings.predicted.images.refs}
    return [refs[example.task] for example in _worst(findings.hard)]


def hard_reasons(hard: Mapping[TaskId, HardExample]) -> list[JsonObject]:
    """On how many images each reason was given, the most frequent first."""
    counts = Counter(
        number for example in hard.values() for number in {number for number, _ in example.reasons}
    )
    return [
        {"number": number, "words": PHRASES[number], "images": images}
        for number, images in counts.most_common()
    ]


def trained_on(schema: LabelSchema, dataset: Dataset, held_out: int) -> dict[str, int]:
    """How many images, in all, held out, and for each label."""
    trainable = [dataset.people[task] for task in dataset.labeled.tasks]
    used = {
        f"{count.control}/{count.label}": count.images
        for count in project_tasks.count(schema, trainable)
        if count.images
    }
    return {"images": len(dataset.labeled), "validation": held_out, **used}


def _histogram(scores: Floats) -> list[int]:
    return np.histogram(scores, HISTOGRAM_BINS, (0, 1))[0].tolist()


def _worst(hard: Mapping[TaskId, HardExample]) -> list[HardExample]:
    return sorted(hard.values(), key=lambda example: -example.coefficient)[:HARDEST]


def _hard(example: HardExample) -> JsonObject:
    reasons = [{"number": number, "words": words} for number, words in example.reasons]
    return {"task": example.task, "coefficient": example.coefficient, "reasons": reasons}


def _seconds(spent: Mapping[Step, float]) -> dict[str, float]:
    return {step: round(spent.get(step, 0.0), 3) for step in TIMED_STEPS}


def _slot(slot: NoPrediction) -> JsonObject:
    return {"task": slot.task, "reason": slot.reason}


def _repairs(dataset: Dataset) -> dict[str, int]:
    kinds = {kind for image in dataset.people.values() for kind in image.repairs}
    return {
        kind: sum(image.repairs.get(kind, 0) for image in dataset.people.values())
        for kind in sorted(kinds)
    }
