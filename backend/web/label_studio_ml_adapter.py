"""Autolabel as a model class of the package label-studio-ml, for deployments based on it.

    from label_studio_ml.api import init_app
    from backend.web.label_studio_ml_adapter import AutolabelModel
    app = init_app(AutolabelModel, model_dir="...")

Works with 1.0.9 from PyPI and with 2.x from GitHub, whose classes have other signatures. All calls
go to the same backend as those of `autolabel serve`; a worker runs the jobs. Nothing in this
package imports this module, because importing label-studio-ml sets the multiprocessing start method
to spawn. `autolabel serve` can do more: it gives reasons for refusals and lists versions.
"""

import inspect
import logging
from collections.abc import Sequence
from functools import cache
from typing import Any, cast

# label-studio-ml is untyped, and not installed where types are checked
from label_studio_ml import api  # pyright: ignore
from label_studio_ml.model import LabelStudioMLBase  # pyright: ignore

from backend import settings, wiring
from backend.domain.errors import Refused
from backend.domain.ids import ProjectId
from backend.domain.jobs import JobRequest
from backend.domain.json import Json
from backend.label_studio import webhooks
from backend.ports.application import Backend

log = logging.getLogger(__name__)


EVENTS = (
    "START_TRAINING",
    "ANNOTATION_CREATED",
    "ANNOTATION_UPDATED",
    "ANNOTATIONS_CREATED",
    "ANNOTATIONS_DELETED",
)
"""Events that reach `fit`; label-studio-ml's own list lacks some. PROJECT_UPDATED is left out: the
backend's own writes cause it."""


def is_1x(base: type) -> bool:
    """Return whether this is the base class of 1.0.9, whose constructor takes `train_output`."""
    return "train_output" in inspect.signature(base.__init__).parameters


@cache
def shared_backend() -> Backend:
    return wiring.backend(settings.load())


def predictions(backend: Backend, tasks: Sequence[Json]) -> list[Json | list[Any]]:
    """Predict with the project's own labeling config; one element per task, in order.

    1.0.9 passes the config of the project that was set up last, 2.x a cached one.
    """
    if not tasks:
        return []
    project = backend.label_studio.project(webhooks.project_of(str(tasks[0]["project"])))
    if not backend.is_same(project.id, project.created_seconds):
        return [[] for _ in tasks]
    return list(backend.predict(project.id, project.label_config, tasks))


def handle_event(backend: Backend, event: str, data: Json) -> dict[str, Any]:
    """Start a job or count a change; label-studio-ml logs the result."""
    match webhooks.event({**data, "action": event}):
        case webhooks.TrainNow(project):
            try:
                job, _ = backend.start(JobRequest(project))
            except Refused as refused:
                log.warning("project %s: %s", project, refused)
                return {"refused": [reason.message for reason in refused.reasons]}
            return {"job": job.id}
        case webhooks.Changed(project, annotations):
            backend.changed(project, annotations)
            return {"noted": annotations}
        case webhooks.Nameless():
            backend.webhooks.hear_nameless()
            return {"ignored": webhooks.NAMELESS}
        case webhooks.Ignored(reason):
            return {"ignored": reason}


class _Model(LabelStudioMLBase):  # pyright: ignore[reportUntypedBaseClass]
    TRAIN_EVENTS = EVENTS
    backend = staticmethod(shared_backend)


class ModelFor1x(_Model):
    """For 1.0.9.

    Its /setup names versions by training time, and Label Studio compares these names with those of
    predictions. Predictions therefore carry no version.
    """

    def predict(self, tasks: Sequence[Json], **_: Any) -> list[Any]:
        found = predictions(self.backend(), tasks)
        return [_unnamed(one) for one in found]

    def fit(self, _tasks: Any, **kwargs: Any) -> dict[str, Any]:
        return handle_event(self.backend(), kwargs["event"], kwargs["data"])


class ModelFor2x(_Model):
    """For 2.x."""

    project_id: str

    @property
    def model_version(self) -> str:
        """The current version, as /setup reports it."""
        return self.backend().version(ProjectId(int(self.project_id or 0)))

    def predict(self, tasks: Sequence[Json], context: Any = None, **_: Any) -> list[Any]:  # noqa: ARG002 - label-studio-ml's name
        return predictions(self.backend(), tasks)

    def fit(self, event: str, data: Json, **_: Any) -> dict[str, Any]:
        return handle_event(self.backend(), event, data)


def _unnamed(prediction: Json | list[Any]) -> Json | list[Any]:
    if isinstance(prediction, list):
        return prediction
    return {name: value for name, value in prediction.items() if name != "model_version"}


if is_1x(cast(type, LabelStudioMLBase)):
    AutolabelModel = ModelFor1x
else:
    AutolabelModel = ModelFor2x
    api.TRAIN_EVENTS = EVENTS  # its /webhook asks this one, not the class
