"""Prometheus metrics: requests, predictions, jobs."""

import time
from collections import Counter
from collections.abc import Iterator

from flask import Response, g, request
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client import Counter as Total
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from backend.domain.errors import QueueUnreachable
from backend.domain.jobs import JobState
from backend.ports.application import Backend

RECENT_JOBS = 1000
LATENCIES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 100)
"""Histogram buckets in seconds; Label Studio's timeouts are 1, 3 and 100."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Methods with a label value of their own. Every label value comes from a fixed set, because each
new one takes memory for as long as the process runs."""


class Monitoring:
    """Metrics of one app, in a registry of its own."""

    def __init__(self, backend: Backend) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_JobCollector(backend))
        self._seconds = Histogram(
            "autolabel_request_seconds",
            "Duration of a request.",
            ("route", "method", "status"),
            buckets=LATENCIES,
            registry=self._registry,
        )
        self._predictions = Total(
            "autolabel_predictions_served",
            "Tasks that /predict answered with a prediction.",
            registry=self._registry,
        )

    def start(self) -> None:
        g.started = time.perf_counter()

    def stop(self, response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule else "unmatched"
        method = request.method if request.method in METHODS else "other"
        seconds = time.perf_counter() - g.started
        self._seconds.labels(route, method, response.status_code).observe(seconds)
        self._predictions.inc(g.get("predictions", 0))
        return response

    def page(self) -> Response:
        return Response(generate_latest(self._registry), content_type=CONTENT_TYPE_LATEST)


class _JobCollector:
    """Reads the queue at each scrape."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def describe(self) -> list[GaugeMetricFamily]:
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        health = self._backend.health()
        is_up = bool(health.get("redis"))
        yield GaugeMetricFamily("autolabel_queue_up", "Whether Redis answers.", value=is_up)
        yield GaugeMetricFamily(
            "autolabel_unwatched_projects",
            "Projects whose watching for new annotations fails; the web log says why.",
            value=float(health.get("unwatched_projects", 0)),
        )
        try:
            jobs = self._backend.jobs.history(limit=RECENT_JOBS, reports=False)
            states = Counter(job.state for job in jobs)
        except QueueUnreachable:
            return
        waiting = states[JobState.QUEUED]
        yield GaugeMetricFamily("autolabel_queue_length", "Jobs that wait.", value=waiting)
        gauge = GaugeMetricFamily("autolabel_jobs", "Remembered jobs by state.", labels=["state"])
        for state in JobState:
            gauge.add_metric([state.value], states[state])
        yield gauge
