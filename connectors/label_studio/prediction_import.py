"""Import predictions in bulk: none lost, none stored twice, and a reason for each refused one."""

import logging
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Unpack

from connectors.errors import ConnectorError, Rejected, TooLarge
from connectors.http import RequestOptions
from connectors.label_studio.calls import Calls, batches, send_in_parts
from connectors.label_studio.predictions import RECENT, Predictions
from connectors.label_studio.projects import Projects
from connectors.label_studio.request_size import RequestSize
from connectors.label_studio.send_once import BETWEEN_LOOKS, RUNS_ON, SendOnce
from connectors.label_studio.tasks import Tasks
from connectors.label_studio.validation import Validator

log = logging.getLogger(__name__)

_SECONDS = 600.0

_PART_RUNS_ON = 15.0
"""Seconds for which Label Studio may work on a request that was to take a few."""

_PATIENCE = 10.0
"""Seconds for which a question is repeated that a job can do without."""

DELETED = "the task is no longer in the project"

RECOUNTS_SENT_ONLY = "task ID 0 not found"
"""Part of a refusal by a Label Studio that recounts only the tasks of an import."""

Prediction = Mapping[str, Any]
"""`task`, `model_version`, `score` in [0, 1] and `result`."""


@dataclass(frozen=True, slots=True)
class Imported:
    """The number of stored predictions, and (task id, reason) of each one that was not stored."""

    created: int = 0
    dropped: tuple[tuple[int, str], ...] = ()

    def __add__(self, other: "Imported") -> "Imported":
        return Imported(self.created + other.created, self.dropped + other.dropped)


class PredictionImport:
    """Stores predictions in bulk.

    A batch is large because Label Studio recounts the whole project after each import, 0.9 ms of
    processor time a task, while a prediction itself takes 0.25 ms. It is not larger because SQLite
    takes no other write while a batch is stored, and gives up on one after 5 s. In projects of more
    than 50,000 tasks it is larger, up to twice as large. Its regions are limited too, since Label
    Studio checks each before it stores anything.

    Where Label Studio recounts only the tasks of an import, a batch is sent in requests of some
    seconds each. That is what its switch for memory-efficient imports changes, too.

    A caller that sends batches of its own asks how large one should be (`most_at_once`), and may
    add the marks of some lists to it, for which there is `room`.

    Label Studio stores the predictions first and recounts last. Where SQLite is locked in between,
    it runs the whole call again and reports success. So it is asked for its numbers.
    """

    batch_size, largest_batch, room = 10_000, 20_000, 1_000
    batch_regions = 50_000
    quick = 2_000
    """Predictions of a first request that should take some seconds, recounting included."""

    def __init__(
        self,
        calls: Calls,
        tasks: Tasks,
        projects: Projects,
        predictions: Predictions,
        send_once: SendOnce,
        clock: Callable[[], float],
    ) -> None:
        self._calls = calls
        self._tasks = tasks
        self._projects = projects
        self._predictions = predictions
        self._send_once = send_once
        self._most = self.largest_batch + self.room
        self.request_size = RequestSize(clock, self.quick, self.quick // 8, self._most)
        self._recounts: bool | None = None

    def most_at_once(self, tasks: int) -> int:
        """Return how many predictions to store at once: a fifth of the tasks, within the limits."""
        return min(max(self.batch_size, tasks // 5), self.largest_batch)

    def prepare(self, project: int, predictions: int) -> None:
        """Ask what `store` would ask for so many predictions before it sends them."""
        if predictions > self.quick:
            self.recounts_all(project)

    def recounts_all(self, project: int) -> bool:
        """Whether each import makes Label Studio recount the whole project, as it does by default.

        It tells by the words in which it refuses a prediction without a task. Asked for once; where
        the question fails, it counts as the default, and is asked again the next time.
        """
        if self._recounts is None:
            try:
                # may be repeated, since nothing is stored
                self._post(
                    project,
                    [{"task": 0, "result": []}],
                    idempotent=True,
                    timeout=60.0,
                    patience=_PATIENCE,
                )
            except Rejected as exc:
                self._recounts = RECOUNTS_SENT_ONLY not in exc.message
            except ConnectorError as exc:
                log.info("project %s: what an import recounts is unknown: %s", project, exc.message)
                return True
            else:
                self._recounts = True
        return self._recounts

    def store(self, project: int, predictions: Sequence[Prediction]) -> Imported:
        """Store predictions; an invalid one is dropped and does not affect the others.

        Send only tasks that have no prediction of the version yet: when the connection breaks,
        tasks that have one count as stored.

        Raises:
            TooLarge: when a proxy refuses the body of a single prediction.
            Rejected: when Label Studio refuses a batch and none of its tasks was deleted.
        """
        total, most = Imported(), self.most_at_once(0) + self.room
        if len(predictions) > most:
            most = self.most_at_once(self._projects.count_tasks(project)) + self.room
        for batch in self._batches(predictions, most):
            total += self._store_batch(project, batch)
        return total

    @contextmanager
    def without_doubles(self, project: int, predictions: Sequence[Prediction]) -> Generator[None]:
        """Delete doubles of predictions that are stored in the block by other calls."""
        before = self._count(project, predictions, RECENT)
        yield
        if self._count(project, predictions) > before + len(predictions):
            self._delete_doubles(project, predictions)

    def await_late(self, project: int, version: str, tasks: Collection[int]) -> None:
        """Wait until these tasks have a prediction of a version, for up to a minute.

        After the death of a process Label Studio may still be working on its last call. Where it
        recounts only the tasks of an import, that is one of seconds, and others were never sent.
        """
        longest = RUNS_ON if self.recounts_all(project) else _PART_RUNS_ON
        waited, between = 0.0, (min(tasks), max(tasks))
        wanted = {(task, version) for task in tasks}
        while waited < longest and wanted - self._tasks.predicted_versions(
            project, [version], between
        ):
            self._send_once.pause(BETWEEN_LOOKS)
            waited += BETWEEN_LOOKS

    def _batches(
        self, predictions: Sequence[Prediction], most: int
    ) -> Iterator[Sequence[Prediction]]:
        batch, regions = list[Prediction](), 0
        for one in predictions:
            more = len(one["result"])
            if batch and (len(batch) == most or regions + more > self.batch_regions):
                yield batch
                batch, regions = [], 0
            batch.append(one)
            regions += more
        if batch:
            yield batch

    def _store_batch(self, project: int, batch: Sequence[Prediction]) -> Imported:
        deleted = set[int]()

        def missing(sent: Sequence[Prediction]) -> Sequence[Prediction]:
            return _without(sent, self._stored(project, sent), deleted)

        def send(left: Sequence[Prediction]) -> int:
            try:
                return sum(self._post_parts(project, left))
            except TooLarge:
                raise
            except Rejected as exc:
                deleted.update(self._deleted(project, left, exc))
                # a part may have been stored before the refusal
                rest = missing(left)
                return send(rest) if rest else 0

        created, before = list[int](), self._count(project, batch, RECENT)
        is_doubtful = self._send_once(batch, lambda left: created.append(send(left)), missing)
        if is_doubtful or self._count(project, batch) > before + len(batch):
            self._delete_doubles(project, batch)
        if created == [len(batch)]:
            return Imported(len(batch))
        return self._outcome(project, batch, deleted)

    def _post_parts(self, project: int, predictions: Sequence[Prediction]) -> list[int]:
        """Send predictions in requests that a proxy in front of Label Studio lets through.

        What it took before is remembered: each refused body has been sent in vain.
        """
        counts = list[int]()
        for part in self._parts(project, predictions):
            self._send_once.pause(0)  # which hears a stop
            sent = send_in_parts(part, lambda some: (self._post(project, some), len(some)))
            self._most = max(size for _, size in sent) if len(sent) > 1 else self._most
            counts += [count for count, _ in sent]
        return counts

    def _parts(
        self, project: int, predictions: Sequence[Prediction]
    ) -> Iterator[Sequence[Prediction]]:
        whole = len(predictions) <= self.quick or self.recounts_all(project)
        for part in [predictions] if whole else self.request_size.parts(predictions):
            yield from batches(part, self._most)

    def _post(
        self, project: int, predictions: Sequence[Prediction], **options: Unpack[RequestOptions]
    ) -> int:
        """Send predictions; `options` go to `HttpClient.request_json`."""
        path = f"/api/projects/{project}/import/predictions"
        sent: RequestOptions = {"timeout": _SECONDS, **options, "json": list(predictions)}
        return int(self._calls.object("POST", path, **sent)["created"])

    def _count(self, project: int, sent: Sequence[Prediction], max_age: float = 0.0) -> int:
        """Count the project's predictions of these versions."""
        stored = self._predictions.versions(project, max_age)
        return sum(stored.get(version, 0) for version in _versions(sent))

    def _stored(self, project: int, sent: Sequence[Prediction]) -> set[tuple[int, str]]:
        """Return the tasks and versions of those that are stored."""
        tasks = _task_ids(sent)
        between = (min(tasks), max(tasks))
        found = self._tasks.predicted_versions(project, _versions(sent), between)
        return found.intersection(map(_key, sent))

    def _deleted(self, project: int, sent: Sequence[Prediction], refusal: Rejected) -> set[int]:
        """Tasks that do not exist any more. Raises Rejected if all do."""
        tasks = _task_ids(sent)
        deleted = tasks - {row["id"] for row in self._tasks.among(project, tasks, ("id",))}
        if not deleted:  # the refusal quotes the predictions, so its text is not repeated
            raise Rejected(f"Label Studio refused predictions of project {project}") from refusal
        return deleted

    def _delete_doubles(self, project: int, sent: Sequence[Prediction]) -> None:
        """Keep the oldest prediction of each task and version that was sent."""
        versions, fields = _versions(sent), ("id", "predictions", "model_version")
        for row in self._tasks.among(project, _task_ids(sent), fields, "all"):
            by_version = dict[str, list[int]]()
            for one in row["predictions"]:
                by_version.setdefault(one["model_version"], []).append(one["id"])
            for version in versions & by_version.keys():
                for double in sorted(by_version[version])[1:]:
                    self._predictions.delete(double)

    def _outcome(
        self, project: int, sent: Sequence[Prediction], deleted: Collection[int]
    ) -> Imported:
        """Count what was stored, and say why each of the others was not."""
        stored = self._stored(project, sent)
        gone = [(task, DELETED) for task in sorted(deleted)]
        refused = _without(sent, stored, deleted)
        if refused:
            validator = Validator(self._projects.get(project)["label_config"])
            gone += [(int(one["task"]), validator.reason(one) or "refused") for one in refused]
        return Imported(len(stored), tuple(gone))


def _task_ids(predictions: Iterable[Prediction]) -> set[int]:
    return {int(one["task"]) for one in predictions}


def _versions(predictions: Iterable[Prediction]) -> set[str]:
    return {str(one["model_version"]) for one in predictions}


def _key(prediction: Prediction) -> tuple[int, str]:
    return int(prediction["task"]), str(prediction["model_version"])


def _without(
    predictions: Sequence[Prediction],
    stored: Collection[tuple[int, str]],
    deleted: Collection[int],
) -> Sequence[Prediction]:
    return [one for one in predictions if one["task"] not in deleted and _key(one) not in stored]
