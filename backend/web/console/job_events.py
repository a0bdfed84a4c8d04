"""News of jobs as server-sent events, so that a page need not be reloaded."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime

from flask import Response, abort

from backend.domain.errors import AutolabelError
from backend.domain.ids import ProjectId
from backend.ports.jobs import Jobs
from backend.web.console.views import Moving

LISTENERS = 8
"""Each one holds a thread of the web process."""

LISTENS_FOR = 300
"""Seconds; then the browser connects again by itself."""

EVERY = 1.0
NEWEST = 8

_places = threading.BoundedSemaphore(LISTENERS)


def stream(jobs: Jobs, project: ProjectId | None) -> Response:
    """The newest jobs whenever they changed; 503 sends the page to its plain fallback."""
    if not _places.acquire(blocking=False):
        abort(503, "too many pages listen already; this one reloads instead")
    events = Response(_Events(jobs, project), mimetype="text/event-stream")
    events.headers["X-Accel-Buffering"] = "no"
    return events


class _Events:
    """The event stream; gives its place back when the server closes it, begun or not."""

    def __init__(self, jobs: Jobs, project: ProjectId | None) -> None:
        self._chunks = _news(jobs, project)
        self._open = True

    def __iter__(self) -> Iterator[str]:
        return self._chunks

    def close(self) -> None:
        if self._open:
            self._open = False
            _places.release()


def _news(jobs: Jobs, project: ProjectId | None) -> Iterator[str]:
    yield "retry: 3000\n\n"
    last, until = "", time.monotonic() + LISTENS_FOR
    while time.monotonic() < until:
        now = _newest(jobs, project)
        yield ": still here\n\n" if now == last else f"event: jobs\ndata: {now}\n\n"
        last = now
        time.sleep(EVERY)


def _newest(jobs: Jobs, project: ProjectId | None) -> str:
    try:
        newest = jobs.history(project, NEWEST, reports=False)
    except AutolabelError:
        return "[]"
    return json.dumps([asdict(Moving.of(job, datetime.now(UTC))) for job in newest])
