"""A Label Studio project and whether a job may start in it."""

from dataclasses import dataclass
from datetime import datetime

from backend.domain.answers import Gap
from backend.domain.errors import Reason
from backend.domain.ids import ControlName, Label, ProjectId, TaskId, VersionName
from backend.domain.items import ItemKind
from backend.domain.jobs import Decision, Job
from backend.domain.versions import ModelVersion
from backend.domain.workers import Workforce


@dataclass(frozen=True, slots=True)
class Project:
    """A Label Studio project; `label_config` is XML, `model_version` what it shows now.

    `created_at` tells projects of one number apart; None if Label Studio does not say.
    `shows_predictions` says whether annotators see predictions, `reveals_slowly` whether they see
    each one only once they draw around it, `samples_by_uncertainty` whether the labeling stream
    begins with low scores, of one cluster after the other.
    """

    id: ProjectId
    title: str
    label_config: str
    model_version: str
    created_at: datetime | None = None
    shows_predictions: bool = True
    reveals_slowly: bool = False
    samples_by_uncertainty: bool = False

    @property
    def created_seconds(self) -> int | None:
        """Since 1970, as Label Studio writes it behind the number of the project."""
        return int(self.created_at.timestamp()) if self.created_at else None


@dataclass(frozen=True, slots=True)
class ProjectActivity:
    """What people did in a project, as Label Studio counts it.

    `annotations` leaves out skips. `touched` is when labeled tasks were last annotated, newest
    first, at most a hundred of them.
    """

    annotations: int
    tasks: int
    touched: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class BackendLink:
    """How Label Studio calls this backend for a project; people can switch each part off.

    `webhook` and `payload` are None without a webhook of ours. `unreported` are the changes of
    annotations that it leaves out.
    """

    webhook: bool | None = None
    payload: bool | None = None
    interactive: bool = False
    unreported: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LastLook:
    """What was known of a project when the backend last looked at it.

    `served` is how many of its `tasks` were there when the current model `version` last predicted,
    or less; `tasks_when_idle` how many there were when last no job was queued or running.
    """

    annotations: int = 0
    tasks: int = 0
    newest: datetime | None = None
    version: VersionName | None = None
    served: int = 0
    tasks_when_idle: int = 0


@dataclass(frozen=True, slots=True)
class LabelCount:
    """The number of images on which people used a label of a control."""

    control: ControlName
    label: Label
    images: int


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Labeled images that teach a control nothing, for one reason.

    `names` are the labels or controls that caused it, each with its number of images, the most
    frequent first; `tasks` are some of the images.
    """

    control: ControlName
    gap: Gap
    images: int
    names: tuple[tuple[str, int], ...] = ()
    tasks: tuple[TaskId, ...] = ()


@dataclass(frozen=True, slots=True)
class ProjectStatus:
    """The status of a project: whether a job may start and, if not, every reason.

    `skipped` counts tasks that somebody skipped and nobody labeled; they are not in `unlabeled`.
    `missing` is the least number of images to label before a training may start. `workforce` is
    that of the installation, None if it is unknown.
    """

    project: Project
    reasons: tuple[Reason, ...]
    warnings: tuple[str, ...]
    labels: tuple[LabelCount, ...]
    labeled: int
    unlabeled: int
    version: ModelVersion | None
    job: Job | None
    trigger: Decision | None = None
    left_out: tuple[LeftOut, ...] = ()
    skipped: int = 0
    missing: int = 0
    items: ItemKind = ItemKind.IMAGE
    workforce: Workforce | None = None

    @property
    def ready(self) -> bool:
        return not self.reasons
