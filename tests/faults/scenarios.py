"""What is going on when a fault strikes: a job of some kind, or a request of Label Studio."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import httpx

from tests.faults.site import JOB_SECONDS, LABELS, Digits, Site, label_config
from tests.integration.polling import eventually

Arm = Callable[[], object]
"""Sets the fault; called as soon as the right request may come."""


@dataclass(frozen=True)
class Ending:
    """`completed` where the work was done in spite of the fault; `said` is for the table."""

    completed: bool
    said: str


class Scenario(Protocol):
    """`is_job` says whether a worker does the work, and may be killed meanwhile."""

    is_job: bool

    def project(self, site: Site) -> Digits:
        """A project in which the work can begin."""
        ...

    def run(self, site: Site, digits: Digits, arm: Arm) -> Ending:
        """Do the work, with the fault in it."""
        ...

    def repeat(self, site: Site, digits: Digits) -> None:
        """Do it again without any fault, and require what only this scenario brings."""
        ...


@dataclass(frozen=True)
class Training:
    """A job of active learning, after some others of the same project."""

    rounds_before: int = 0
    is_job: bool = True

    def project(self, site: Site) -> Digits:
        digits = site.new_project()
        for _ in range(self.rounds_before):
            finished(site, digits)
        return digits

    def run(self, site: Site, digits: Digits, arm: Arm) -> Ending:
        return under_fault(site, digits, arm)

    def repeat(self, site: Site, digits: Digits) -> None:
        """Every scenario ends with such a job."""


@dataclass(frozen=True)
class PreLabeling:
    """A job that labels new images with the version in use."""

    is_job: bool = True

    def project(self, site: Site) -> Digits:
        digits = site.new_project()
        finished(site, digits)
        site.add_images(digits)
        return digits

    def run(self, site: Site, digits: Digits, arm: Arm) -> Ending:
        return under_fault(site, digits, arm, **self._request(site, digits))

    def repeat(self, site: Site, digits: Digits) -> None:
        """Label them again; with a new version if the labels have changed meanwhile."""
        project = site.call("GET", f"/api/projects/{digits.id}/")
        if project["label_config"] != label_config():
            finished(site, digits)
        finished(site, digits, **self._request(site, digits))

    def _request(self, site: Site, digits: Digits) -> Mapping[str, Any]:
        shown = site.call("GET", f"/api/projects/{digits.id}/")["model_version"]
        return {"mode": "pre-labeling", "model_version": shown}


@dataclass(frozen=True)
class Accepting:
    """A job that accepts what a test on random labels allows; then it is taken back.

    Half of the labels are for the test, by the lot of their task's id. There are so many of them
    that the others are enough to train on, whatever the ids are.
    """

    accepted: int = 16
    is_job: bool = True

    def project(self, site: Site) -> Digits:
        labeled = 30
        return site.new_project(labeled + self.accepted // len(LABELS), labeled)

    def run(self, site: Site, digits: Digits, arm: Arm) -> Ending:
        terms = {"max_error": 0.5, "confidence": 0.5, "labels_are_random": True}
        return under_fault(site, digits, arm, accept=True, **terms)

    def repeat(self, site: Site, digits: Digits) -> None:
        """Take back all that was accepted: the images are to be confirmed again."""
        for job in site.ledger(digits).acceptances:
            if undoing := site.undo(job):
                ended = site.job_ended(undoing)
                assert ended["state"] == "finished", ended["reason"]
        assert not site.ledger(digits).accepted


@dataclass(frozen=True)
class Undoing:
    """A job that takes back what another one accepted: by id where that is less than ten labels."""

    accepted: int = 16
    is_job: bool = True

    def project(self, site: Site) -> Digits:
        accepting = Accepting(self.accepted)
        digits = accepting.project(site)
        ending = accepting.run(site, digits, lambda: None)
        assert ending.completed, ending.said
        assert site.ledger(digits).accepted, ending.said
        return digits

    def run(self, site: Site, digits: Digits, arm: Arm) -> Ending:
        started = site.undo(site.jobs(digits)[0]["id"])
        assert started
        return ended_under_fault(site, started, arm)

    def repeat(self, site: Site, digits: Digits) -> None:
        Accepting().repeat(site, digits)


@dataclass(frozen=True)
class Predicting:
    """Label Studio asks for predictions of images that nobody has predicted yet."""

    is_job: bool = False
    new: set[int] = field(default_factory=set)

    def project(self, site: Site) -> Digits:
        digits = site.new_project()
        finished(site, digits)
        self.new.clear()
        self.new.update(site.add_images(digits))
        return digits

    def run(self, site: Site, digits: Digits, arm: Arm) -> Ending:
        body = self._body(site, digits)
        arm()
        ending = answered(site, "/predict", body)
        assert ending.completed or ending.said.startswith("no answer"), ending.said
        return ending

    def repeat(self, site: Site, digits: Digits) -> None:
        body = self._body(site, digits)

        def all_predicted() -> bool:
            results = site.ours.call("POST", "/predict", body).json()["results"]
            assert len(results) == len(body["tasks"])
            return all(results)

        eventually(all_predicted, 120)

    def _body(self, site: Site, digits: Digits) -> Mapping[str, Any]:
        tasks = [one for one in site.tasks(digits.id) if one["id"] in self.new]
        asked = [{"id": one["id"], "data": one["data"]} for one in tasks]
        created = datetime.fromisoformat(
            site.call("GET", f"/api/projects/{digits.id}/")["created_at"]
        )
        return {
            "project": f"{digits.id}.{int(created.timestamp())}",
            "label_config": label_config(),
            "tasks": asked,
        }


@dataclass(frozen=True)
class StartTraining:
    """Somebody presses "Start training" in Label Studio."""

    is_job: bool = False

    def project(self, site: Site) -> Digits:
        return site.new_project()

    def run(self, site: Site, digits: Digits, arm: Arm) -> Ending:
        arm()
        return answered(site, "/webhook", self._event(digits))

    def repeat(self, site: Site, digits: Digits) -> None:
        """Press it twice: both times the same job answers, or the one that was started before."""
        answers = [site.ours.call("POST", "/webhook", self._event(digits)) for _ in range(2)]
        assert all(answer.is_success for answer in answers), [one.text for one in answers]
        jobs = {answer.json()["job"] for answer in answers}
        for job in jobs:
            ended = site.job_ended(job)
            assert ended["state"] == "finished", ended["reason"]
        live = [one for one in site.jobs(digits) if one["id"] not in jobs]
        for one in live:
            site.job_ended(one["id"])

    def _event(self, digits: Digits) -> Mapping[str, Any]:
        labeled = len(digits.annotations)
        project = {"id": digits.id, "num_tasks_with_annotations": labeled}
        return {"action": "START_TRAINING", "project": project}


def finished(site: Site, digits: Digits, **request: Any) -> Mapping[str, Any]:
    """A job without faults, which must finish."""
    job = site.job_ended(site.start_job(digits, **request))
    assert job["state"] == "finished", job["reason"]
    return job


def under_fault(site: Site, digits: Digits, arm: Arm, **request: Any) -> Ending:
    """Start a job, arm the fault, and wait for the end of the job."""
    return ended_under_fault(site, site.start_job(digits, **request), arm)


def ended_under_fault(site: Site, started: str, arm: Arm) -> Ending:
    arm()
    job = site.job_ended(started)
    assert job["reason"]
    return Ending(job["state"] == "finished", f"{job['state']}: {job['reason']}")


def answered(site: Site, path: str, body: Mapping[str, Any]) -> Ending:
    """Send a request to the backend; dead parts are started again meanwhile."""
    answers: list[httpx.Response | httpx.HTTPError] = []

    def send() -> None:
        try:
            answers.append(site.ours.call("POST", path, body))
        except httpx.HTTPError as exc:
            answers.append(exc)

    thread = threading.Thread(target=send)
    thread.start()
    eventually(lambda: site.revive() or not thread.is_alive(), JOB_SECONDS)
    (answer,) = answers
    if isinstance(answer, httpx.HTTPError):
        return Ending(False, f"no answer: {type(answer).__name__}")
    assert answer.status_code != 500, answer.text
    return Ending(answer.is_success, f"answered {answer.status_code}")
