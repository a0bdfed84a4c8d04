"""The named steps, each known by the request that Label Studio gets in it."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.proxy import Request
from tests.faults.scenarios import (
    Accepting,
    Predicting,
    PreLabeling,
    Scenario,
    StartTraining,
    Training,
    Undoing,
)

TRAINING = Training()
PROJECT = r"^/api/projects/\d+/?(\?|$)"
IMAGE = r"^/data/upload/"
PUSH = r"/import/predictions"


@dataclass(frozen=True)
class Step:
    """A point of a scenario: requests of this method, path and content."""

    name: str
    method: str
    path: str
    body: str = ""
    scenario: Scenario = TRAINING

    @property
    def matches(self) -> Callable[[Request], bool]:
        path, body = re.compile(self.path), self.body.encode()

        def matches(request: Request) -> bool:
            return (
                request.method == self.method
                and path.search(request.path) is not None
                and body in request.body
            )

        return matches


STEPS = (
    Step("read config", "GET", PROJECT),
    Step("list tasks", "GET", r"^/api/tasks"),
    Step("fetch image", "GET", IMAGE),
    Step("push predictions", "POST", PUSH),
    Step("show version", "PATCH", PROJECT, "model_version"),
    Step("list versions", "GET", r"/model-versions"),
    Step("delete old predictions", "DELETE", r"/model-versions", scenario=Training(1)),
    Step("read tabs", "GET", r"^/api/dm/views"),
    Step("write tabs", "POST", r"^/api/dm/views"),
    Step("accept", "POST", r"id=predictions_to_annotations", scenario=Accepting()),
    Step("undo", "POST", r"id=delete_tasks_annotations", scenario=Undoing()),
    Step("undo a few", "DELETE", r"^/api/annotations/\d+", scenario=Undoing(accepted=8)),
    Step("pre-label", "POST", PUSH, scenario=PreLabeling()),
    Step("/predict", "GET", IMAGE, scenario=Predicting()),
    Step("/webhook", "GET", PROJECT, scenario=StartTraining()),
)
