"""Values of the domain, as plain as possible; keyword arguments change single fields."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from backend.domain.errors import Reason, ReasonCode
from backend.domain.ids import ControlName, JobId, Label, ProjectId, VersionName
from backend.domain.jobs import Job, JobRequest, JobState
from backend.domain.projects import Project
from backend.domain.schema import TaskKind
from backend.domain.versions import ModelVersion

CHOICES = (
    '<View><Image name="img" value="$image"/><Choices name="c" toName="img">'
    '<Choice value="cat"/><Choice value="dog"/></Choices></View>'
)
TOO_FEW_DOGS = Reason(
    ReasonCode.TOO_FEW_IMAGES, "class 'dog' has 3 of 5 images", hint="Label 2 more"
)
NOTHING_LEFT = Reason(ReasonCode.NO_UNLABELED_IMAGES, "no unlabeled image left", hint="Import more")
NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)


def a_project(number: int = 2, title: str = "Pets") -> Project:
    return Project(ProjectId(number), title, CHOICES, "")


def a_version(name: str = "al-0001-3f9c", project: int = 2, **changes: Any) -> ModelVersion:
    card = ModelVersion(
        name=VersionName(name),
        project=ProjectId(project),
        kinds={ControlName("c"): TaskKind.SINGLE},
        labels={ControlName("c"): (Label("cat"), Label("dog"))},
        metrics={ControlName("c"): {"accuracy": 0.93, "ece": 0.04}},
        trained_on={"cat": 20, "dog": 18},
        parent=None,
        created=NOW,
        backbone="efficientnet_lite0",
        device="cpu",
        packages={"torch": "2.4"},
        reason="the first version",
    )
    return replace(card, **changes)


def a_job(
    name: str = "job-1", state: JobState = JobState.RUNNING, project: int = 2, **changes: Any
) -> Job:
    job = Job(JobId(name), JobRequest(ProjectId(project)), state, created_at=NOW)
    return replace(job, **changes)
