"""The named steps of a job, each known by the request that Label Studio gets in it."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.proxy import Request


@dataclass(frozen=True)
class Step:
    """A point of a job. `second` steps happen only where an earlier version has predictions."""

    name: str
    method: str
    path: str
    body: str = ""
    accepting: bool = False
    second: bool = False

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
    Step("read config", "GET", r"^/api/projects/\d+/?$"),
    Step("list tasks", "GET", r"^/api/tasks"),
    Step("fetch image", "GET", r"^/data/upload/"),
    Step("push predictions", "POST", r"/import/predictions"),
    Step("show version", "PATCH", r"^/api/projects/\d+/?$", "model_version"),
    Step("list versions", "GET", r"/model-versions"),
    Step("delete old predictions", "DELETE", r"/model-versions", second=True),
    Step("read tabs", "GET", r"^/api/dm/views"),
    Step("write tabs", "POST", r"^/api/dm/views"),
)
