"""Autolabel as a model of the package label-studio-ml, for who deploys backends with it.

    from label_studio_ml.api import init_app
    from backend.web.label_studio_ml_adapter import AutolabelModel
    app = init_app(AutolabelModel, model_dir="...")

Works with 1.0.9 from PyPI and with the 2.x line from GitHub, whose classes have other signatures.
Everything is handed to the backend that `autolabel serve` answers with; a worker does the jobs.
Nothing of ours imports this module, because importing label-studio-ml makes a process start its
children by spawning. `autolabel serve` can do more: it tells why it refuses, and names versions.
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
"""What reaches `fit`. Both lines lack some of these by themselves; PROJECT_UPDATED, which our own
writes cause, is none of them."""


def is_first_line(base: type) -> bool:
    """Whether this is the base class of 1.0.9, which is made from the output of a training."""
    return "train_output" in inspect.signature(base.__init__).parameters


@cache
def our_backend() -> Backend:
    return wiring.backend(settings.load())


def predictions(backend: Backend, tasks: Sequence[Json]) -> list[Json | list[Any]]:
    """One element a task, in order. The labeling config is the project's own.

    1.0.9 hands over that of whatever project was set up last, 2.x one that it cached.
    """
    if not tasks:
        return []
    project = backend.label_studio.project(ProjectId(int(tasks[0]["project"])))
    return list(backend.predict(project.id, project.label_config, tasks))


def note(backend: Backend, event: str, data: Json) -> dict[str, Any]:
    """Start a job or count a change; the answer is for the log of label-studio-ml."""
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
        case webhooks.Ignored(because):
            return {"ignored": because}


class _Model(LabelStudioMLBase):  # pyright: ignore[reportUntypedBaseClass]
    TRAIN_EVENTS = EVENTS
    backend = staticmethod(our_backend)


class FirstLineModel(_Model):
    """For 1.0.9.

    Its /setup names versions after moments of training. So that predictions bear the same name,
    which Label Studio compares, they leave theirs out.
    """

    def predict(self, tasks: Sequence[Json], **_: Any) -> list[Any]:
        found = predictions(self.backend(), tasks)
        return [_unnamed(one) for one in found]

    def fit(self, _tasks: Any, **kwargs: Any) -> dict[str, Any]:
        return note(self.backend(), kwargs["event"], kwargs["data"])


class SecondLineModel(_Model):
    """For 2.x."""

    project_id: str

    @property
    def model_version(self) -> str:
        """The name in /setup: that of the version in use."""
        return self.backend().version(ProjectId(int(self.project_id or 0)))

    def predict(self, tasks: Sequence[Json], context: Any = None, **_: Any) -> list[Any]:  # noqa: ARG002 - label-studio-ml's name
        return predictions(self.backend(), tasks)

    def fit(self, event: str, data: Json, **_: Any) -> dict[str, Any]:
        return note(self.backend(), event, data)


def _unnamed(prediction: Json | list[Any]) -> Json | list[Any]:
    if isinstance(prediction, list):
        return prediction
    return {name: value for name, value in prediction.items() if name != "model_version"}


if is_first_line(cast(type, LabelStudioMLBase)):
    AutolabelModel = FirstLineModel
else:
    AutolabelModel = SecondLineModel
    api.TRAIN_EVENTS = EVENTS  # its /webhook asks this one, not the class
