"""Server-sent events about jobs, so that the page need not be reloaded."""

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
from backend.web.console.views import LiveJob

LISTENERS = 8
"""Largest number of open streams; each one occupies a thread of the web process."""

STREAM_SECONDS = 300
"""Duration of a stream; the browser then reconnects by itself."""

POLL_SECONDS = 1.0
JOBS_SHOWN = 8

_streams = threading.BoundedSemaphore(LISTENERS)


def stream(jobs: Jobs, project: ProjectId | None) -> Response:
    """Send the newest jobs whenever they change; after a 503 the page polls instead."""
    if not _streams.acquire(blocking=False):
        abort(503, "too many pages are following jobs; this one reloads instead")
    events = Response(_EventStream(jobs, project), mimetype="text/event-stream")
    events.headers["X-Accel-Buffering"] = "no"
    return events


class _EventStream:
    """Iterable of events that frees its stream when the server closes it, started or not."""

    def __init__(self, jobs: Jobs, project: ProjectId | None) -> None:
        self._chunks = _events(jobs, project)
        self._open = True

    def __iter__(self) -> Iterator[str]:
        return self._chunks

    def close(self) -> None:
        if self._open:
            self._open = False
            _streams.release()


def _events(jobs: Jobs, project: ProjectId | None) -> Iterator[str]:
    yield "retry: 3000\n\n"
    last, until = "", time.monotonic() + STREAM_SECONDS
    while time.monotonic() < until:
        now = _newest(jobs, project)
        yield ": keep-alive\n\n" if now == last else f"event: jobs\ndata: {now}\n\n"
        last = now
        time.sleep(POLL_SECONDS)


def _newest(jobs: Jobs, project: ProjectId | None) -> str:
    try:
        newest = jobs.history(project, JOBS_SHOWN, reports=False)
    except AutolabelError:
        return "[]"
    return json.dumps([asdict(LiveJob.of(job, datetime.now(UTC))) for job in newest])
