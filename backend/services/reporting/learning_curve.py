"""The learning curve of a report: the quality of each version, and what more labels would bring."""

from collections.abc import Sequence
from dataclasses import asdict

from backend.domain.ids import ControlName
from backend.domain.json import JsonObject
from backend.domain.metrics import headline
from backend.domain.versions import ModelVersion
from backend.policies.learning_curve import PastTraining, ahead


def learning_curves(versions: Sequence[ModelVersion], images: int) -> list[JsonObject]:
    """Return one curve for each control that was measured, oldest version first.

    Args:
        versions: of the project, newest first; those that were trained elsewhere count no images.
        images: of the project, labeled or not.
    """
    curves: dict[tuple[ControlName, str], list[PastTraining]] = {}
    for version in reversed(versions):
        trained = version.trained_on.get("images", 0)
        for control, own in version.metrics.items() if trained else ():
            if metric := headline(own):
                curve = curves.setdefault((control, metric), [])
                curve.append(PastTraining(trained, own[metric]))
    return [
        {
            "control": control,
            "metric": metric,
            "points": [asdict(point) for point in points],
            "ahead": [asdict(point) for point in ahead(points, images)],
        }
        for (control, metric), points in curves.items()
    ]
