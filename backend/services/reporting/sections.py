"""The sections of `report.json`."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from backend.domain.answers import HardExample, ImageRef, LabeledImage, NoPrediction
from backend.domain.faults import faults_of
from backend.domain.ids import TaskId, VersionName
from backend.domain.items import ItemKind
from backend.domain.jobs import JobResult, Mode
from backend.domain.json import JsonObject
from backend.domain.metrics import metrics_to_json
from backend.domain.steps import TIMED_STEPS, Step
from backend.domain.versions import ModelVersion
from backend.policies import left_out
from backend.policies.hard_examples.consistency import AUGMENTATIONS, reason_unused
from backend.policies.hard_examples.reasons import phrase
from backend.policies.label_issues import LabelIssue
from backend.ports.images import ExtractionLog
from backend.services import project_tasks
from backend.services.assessment import Assessment
from backend.services.labeling_round import LabelingRound
from backend.services.project_tasks import ProjectTasks
from backend.services.publishing.publisher import Publication
from backend.services.training.dataset import Dataset
from backend.services.training.train import TrainedModels

HARDEST = 20
"""Hard examples listed one by one."""

HISTOGRAM_BINS = 20
"""Of equal width over [0, 1]."""


def of_round(
    round_: LabelingRound,
    version: ModelVersion,
    assessment: Assessment,
    publication: Publication,
) -> JsonObject:
    """Report what a round worked on, predicted and accepted; counts are of images.

    `version` is the one that the job made or chose. If it was kept aside, `shown` is another: the
    one whose predictions are counted and were accepted.
    """
    return {
        "shown": publication.shown,
        **of_confidence(assessment, round_.schema.items),
        "task_kind": "+".join(dict.fromkeys(kind.value for kind in version.kinds.values())),
        **_of_dataset(round_.dataset, version),
        "left_out": _left_out(round_),
        "unlabeled": len(round_.tasks.unlabeled),
        **_of_predictions(assessment, publication, round_.schema.items),
        **_of_unreadable((*round_.unreadable, *assessment.unreadable)),
        "augmentations": _augmentations(version),
        "metrics": metrics_to_json(version.metrics),
        "certificate": None,
        "verdict": assessment.verdict,
        "made_from_predictions": round_.not_blind,
        "device": version.device,
        "backbone": version.backbone,
    }


def _of_dataset(dataset: Dataset, version: ModelVersion) -> JsonObject:
    images = tuple(dataset.annotations.values())
    return {
        "labels": [asdict(count) for count in project_tasks.count(dataset.schema, images)],
        "labeled": len(images),
        "validation": version.trained_on.get("validation", 0),
        "repairs": _repairs(images),
    }


def _left_out(round_: LabelingRound) -> list[JsonObject]:
    """Report the labeled images that teach a control nothing."""
    annotated = (*round_.tasks.labeled, *round_.tasks.unplaced)
    usable = project_tasks.trainable(annotated, round_.ledger)
    return [asdict(one) for one in left_out.left_out(round_.schema, usable)]


def _of_predictions(
    assessment: Assessment, publication: Publication, items: ItemKind
) -> JsonObject:
    return {
        "predicted": publication.predictions.predicted,
        "hard": len(assessment.hard),
        "hardest": [_hard(example) for example in _worst(assessment.hard)],
        "hard_reasons": hard_reasons(assessment.hard, items),
        "withheld": len(assessment.predicted.images),
        "dropped": [_slot(slot) for slot in publication.predictions.dropped],
    }


def of_confidence(assessment: Assessment, items: ItemKind) -> JsonObject:
    """Count the predictions by their confidence."""
    counts = np.histogram(assessment.predicted.score, HISTOGRAM_BINS, (0, 1))[0]
    return {"items": items.plural, "confidence_histogram": counts.tolist()}


def of_selection_job(
    extractor: ExtractionLog,
    *,
    reason: str,
    tasks: ProjectTasks,
    unreadable: Sequence[NoPrediction],
    spent: Mapping[Step, float],
    **sections: Any,
) -> JobResult:
    """Report a job that neither trained nor published a model; `sections` are its own."""
    common = {
        "labeled": len(tasks.labeled),
        "unlabeled": len(tasks.unlabeled),
        **_of_unreadable(unreadable),
        "seconds": seconds({**spent, **extractor.timings()}),
        "device": extractor.device,
        "backbone": extractor.backbone,
        "remarks": list(extractor.remarks("")),
    }
    return JobResult(reason, sections={**common, **sections})


def of_training(learned: TrainedModels, issues: Sequence[LabelIssue]) -> JsonObject:
    """Return the sections of a report about the training.

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
        "label_issues": [asdict(issue) for issue in issues],
    }


def of_earlier_training(version: VersionName, reports: Iterable[Mapping[str, Any]]) -> JsonObject:
    """Return these sections from the report of the job that trained a version, if it still exists.

    Reports of other versions of Autolabel may have another shape, of which nothing is taken.
    """
    about: JsonObject = {"notes": {}, "metrics_from": "held-out", "per_class": []}
    for report in reports:
        if (report.get("version"), report.get("mode")) == (version, Mode.ACTIVE_LEARNING.value):
            fits = {name: isinstance(report.get(name), type(none)) for name, none in about.items()}
            return {name: report[name] if fits[name] else none for name, none in about.items()}
    return about


def hardest(assessment: Assessment) -> list[ImageRef]:
    """Return the images of the hard examples that the report lists."""
    refs = {ref.task: ref for ref in assessment.predicted.images.refs}
    return [refs[example.task] for example in _worst(assessment.hard)]


def hard_reasons(
    hard: Mapping[TaskId, HardExample], items: ItemKind = ItemKind.IMAGE
) -> list[JsonObject]:
    """Count the images, or texts, of each reason, most frequent first."""
    counts = Counter(
        number for example in hard.values() for number in {number for number, _ in example.reasons}
    )
    return [
        {"number": number, "words": phrase(number, items), "images": images}
        for number, images in counts.most_common()
    ]


def _augmentations(version: ModelVersion) -> list[JsonObject]:
    """List what each augmentation does to right answers, and whether it is used."""
    return [
        {
            "control": control,
            "words": AUGMENTATIONS[trial.number],
            **asdict(trial),
            "reason": reason_unused(trial),
        }
        for control, trials in version.augmentations.items()
        for trial in trials
    ]


def _worst(hard: Mapping[TaskId, HardExample]) -> list[HardExample]:
    return sorted(hard.values(), key=lambda example: -example.coefficient)[:HARDEST]


def _hard(example: HardExample) -> JsonObject:
    reasons = [{"number": number, "words": words} for number, words in example.reasons]
    return {"task": example.task, "coefficient": example.coefficient, "reasons": reasons}


def seconds(spent: Mapping[Step, float]) -> dict[str, float]:
    """Round the seconds of every step; 0 for one that the job did not have."""
    return {step: round(spent.get(step, 0.0), 3) for step in TIMED_STEPS}


def _of_unreadable(slots: Sequence[NoPrediction]) -> JsonObject:
    """Report each image that cannot be read, and how many have the same fault."""
    faults = [asdict(fault) for fault in faults_of(slots)]
    return {"unreadable": [_slot(slot) for slot in slots], "unreadable_faults": faults}


def _slot(slot: NoPrediction) -> JsonObject:
    return {"task": slot.task, "reason": slot.reason}


def _repairs(images: Sequence[LabeledImage]) -> dict[str, int]:
    kinds = {kind for image in images for kind in image.repairs}
    return {kind: sum(image.repairs.get(kind, 0) for image in images) for kind in sorted(kinds)}
