"""The domain as JSON, with the names of the public interface."""

from collections.abc import Sequence
from datetime import datetime

from backend.domain.errors import Reason
from backend.domain.jobs import Job
from backend.domain.json import JsonObject
from backend.domain.metrics import metrics_to_json
from backend.domain.projects import ProjectStatus
from backend.domain.versions import Certificate, ModelVersion
from backend.presentation import metrics, sentences


def job_json(job: Job) -> JsonObject:
    return {
        "id": job.id,
        "project": job.request.project,
        "mode": job.request.mode.value,
        "algorithm": job.request.algorithm.value,
        "state": job.state.value,
        "progress": job.progress,
        "step": job.step,
        "reason": job.reason,
        "summary": sentences.doing(job),
        "created_at": _time(job.created_at),
        "started_at": _time(job.started_at),
        "ended_at": _time(job.ended_at),
        "version": job.version,
        "report": job.report,
    }


def reason_json(reason: Reason) -> JsonObject:
    return {
        "code": reason.code.value,
        "message": reason.message,
        "label": reason.label,
        "have": reason.have,
        "need": reason.need,
        "hint": reason.hint,
    }


def status_json(status: ProjectStatus) -> JsonObject:
    """`labels` has one element a control and label; `version` is the current version's name."""
    return {
        "project": {"id": status.project.id, "title": status.project.title},
        "ready": status.ready,
        "reasons": [reason_json(reason) for reason in status.reasons],
        "warnings": list(status.warnings),
        "labels": [
            {"control": count.control, "label": count.label, "images": count.images}
            for count in status.labels
        ],
        "labeled": status.labeled,
        "unlabeled": status.unlabeled,
        "version": status.version.name if status.version else None,
        "job": job_json(status.job) if status.job else None,
        "trigger": status.trigger.reason if status.trigger else None,
        "summary": list(sentences.sentences(status)),
    }


def versions_json(cards: Sequence[ModelVersion], current: str) -> JsonObject:
    """All model cards; `summary` says why there is none."""
    return {
        "versions": [version_json(card, current) for card in cards],
        "summary": "" if cards else sentences.NO_VERSION,
    }


def version_json(version: ModelVersion, current: str) -> JsonObject:
    """A model card, and whether it is the one in use."""
    return {
        "name": version.name,
        "project": version.project,
        "current": version.name == current,
        "kinds": {control: kind.value for control, kind in version.kinds.items()},
        "labels": {control: list(labels) for control, labels in version.labels.items()},
        "metrics": metrics_to_json(version.metrics),
        "summary": metrics.summary(version.metrics),
        "trained_on": dict(version.trained_on),
        "parent": version.parent,
        "created": _time(version.created),
        "backbone": version.backbone,
        "device": version.device,
        "packages": dict(version.packages),
        "promoted": version.promoted,
        "reason": version.reason,
        "certificate": certificate_json(version.certificate) if version.certificate else None,
    }


def certificate_json(certificate: Certificate) -> JsonObject:
    return {
        "threshold": certificate.threshold,
        "error_rate": certificate.error_rate,
        "confidence": certificate.confidence,
        "accepted": certificate.accepted,
        "mistakes": certificate.mistakes,
        "sample": certificate.sample,
        "promise": certificate.promise,
        "assumption": certificate.assumption,
        "label": certificate.label,
    }


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
