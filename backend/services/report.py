"""What a job found out, as `report.json`: the numbers, each with its meaning in the docs."""

from collections.abc import Mapping, Sequence
from typing import Any

from backend.domain import (
    ControlName,
    HardExample,
    Job,
    LabelSchema,
    ModelVersion,
    NoPrediction,
    TaskId,
)
from backend.services import census
from backend.services.labeling import Delivered, Guessed
from backend.services.learning import Material, Models

HARDEST = 20
"""Hard examples listed one by one."""


def content(
    job: Job,
    version: ModelVersion,
    *,
    material: Material,
    guessed: Guessed,
    hard: Mapping[TaskId, HardExample],
    delivered: Delivered,
    unreadable: Sequence[NoPrediction],
    seconds: Mapping[str, float],
    notes: Mapping[ControlName, Mapping[str, Any]],
) -> dict[str, Any]:
    """The report of one job; counts are of images, times in seconds."""
    return {
        "job": job.id,
        "project": job.request.project,
        "mode": job.request.mode.value,
        "algorithm": job.request.algorithm.value,
        "version": version.name,
        "task_kind": "+".join(dict.fromkeys(kind.value for kind in version.kinds.values())),
        "labels": [
            {"control": count.control, "label": count.label, "images": count.images}
            for count in census.count(material.schema, tuple(material.people.values()))
        ],
        "labeled": len(material.people),
        "validation": version.trained_on.get("validation", 0),
        "unlabeled": len(material.unlabeled),
        "predicted": delivered.predicted,
        "hard": len(hard),
        "hardest": [_hard(example) for example in _worst(hard)],
        "accepted": 0,
        "withheld": delivered.predicted,
        "dropped": [_slot(slot) for slot in delivered.dropped],
        "unreadable": [_slot(slot) for slot in unreadable],
        "repairs": _repairs(material),
        "metrics": dict(version.metrics),
        "certificate": None,
        "seconds": {name: round(spent, 3) for name, spent in seconds.items()},
        "device": version.device,
        "backbone": version.backbone,
        "notes": {name: dict(note) for name, note in notes.items()},
        "mean_score": float(guessed.score.mean()) if len(guessed.pictures) else None,
    }


def metrics(models: Models) -> dict[str, float]:
    """The models' metrics; with several controls each name begins with its control's."""
    if len(models) == 1:
        (only,) = models.values()
        return dict(only.metrics)
    return {
        f"{control}.{name}": value
        for control, model in models.items()
        for name, value in model.metrics.items()
    }


def trained_on(schema: LabelSchema, material: Material, held_out: int) -> dict[str, int]:
    """How many images, in all, held out, and for each label."""
    counts = census.count(schema, tuple(material.people.values()))
    used = {f"{count.control}/{count.label}": count.images for count in counts if count.images}
    return {"images": len(material.labeled), "validation": held_out, **used}


def _worst(hard: Mapping[TaskId, HardExample]) -> list[HardExample]:
    return sorted(hard.values(), key=lambda example: -example.coefficient)[:HARDEST]


def _hard(example: HardExample) -> dict[str, Any]:
    reasons = [{"number": number, "words": words} for number, words in example.reasons]
    return {"task": example.task, "coefficient": example.coefficient, "reasons": reasons}


def _slot(slot: NoPrediction) -> dict[str, Any]:
    return {"task": slot.task, "because": slot.because}


def _repairs(material: Material) -> dict[str, int]:
    kinds = {kind for image in material.people.values() for kind in image.repairs}
    return {
        kind: sum(image.repairs.get(kind, 0) for image in material.people.values())
        for kind in sorted(kinds)
    }
