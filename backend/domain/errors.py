"""Everything that can go wrong, as a user would name it.

AutolabelError                 what happened, and what to do
├── BadInput                   the caller sent something we cannot read          HTTP 400, exit 2
│   └── UnsupportedConfig      the labeling config has no control we can learn
├── NotFound                   no such project, task, job or version              HTTP 404, exit 2
├── Refused                    the preconditions do not hold; carries the reasons HTTP 409, exit 3
├── Unavailable                something we depend on does not answer             HTTP 503, exit 1
│   ├── LabelStudioUnreachable
│   ├── LabelStudioDenied      wrong, expired or disabled token
│   ├── ImagesUnreachable      too many images cannot be fetched for now
│   └── QueueUnreachable
├── NoWeights                  a model's base weights cannot be had
├── UnreadableImage            one image cannot be fetched or decoded; costs that image only
├── OutOfSpace                 the disk is full
└── Stopped                    someone asked the job to stop; not a failure
    └── ShutDown               the worker was asked to end
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from backend.domain.redaction import redact


class ReasonCode(StrEnum):
    """Why a job may not start; part of the public interface."""

    TOO_FEW_LABELS = "too_few_labels"
    TOO_FEW_IMAGES = "too_few_images"
    NO_UNLABELED_IMAGES = "no_unlabeled_images"
    UNSUPPORTED_LABELING_CONFIG = "unsupported_labeling_config"
    LABEL_STUDIO_UNREACHABLE = "label_studio_unreachable"
    PROMISE_NEEDS_BOXES = "promise_needs_boxes"
    MODEL_MISMATCH = "model_mismatch"
    UNKNOWN_VERSION = "unknown_version"
    NO_BASE_WEIGHTS = "no_base_weights"
    UNLEARNED_CONTROLS = "unlearned_controls"
    JOB_IS_RUNNING = "job_is_running"
    AUDIT_IS_OPEN = "audit_is_open"


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason for a refusal, in words and in numbers, and what to do about it."""

    code: ReasonCode
    message: str
    label: str | None = None
    have: int | None = None
    need: int | None = None
    hint: str = ""

    @property
    def text(self) -> str:
        """The reason and the hint as sentences, for the page, the terminal and the dialog."""
        return f"{self.message}. {self.hint.rstrip('.')}." if self.hint else self.message


class AutolabelError(Exception):
    """What happened (`message`) and what to do about it (`hint`), without secrets."""

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = redact(message)
        self.hint = redact(hint)
        super().__init__(f"{self.message}. {self.hint}" if hint else self.message)


class BadInput(AutolabelError):
    """The caller sent something we cannot read."""


class UnsupportedConfig(BadInput):
    """The labeling config has no control that we can learn."""


class NotFound(AutolabelError):
    """No such project, task, job or version."""


class Refused(AutolabelError):
    """The preconditions of a job do not hold."""

    def __init__(self, reasons: Sequence[Reason]) -> None:
        hints = dict.fromkeys(reason.hint for reason in reasons if reason.hint)
        super().__init__("; ".join(reason.message for reason in reasons), ". ".join(hints))
        self.reasons = tuple(reasons)


class Unavailable(AutolabelError):
    """Something we depend on does not answer; trying again later may help."""


class LabelStudioUnreachable(Unavailable):
    """Label Studio does not answer."""


class LabelStudioDenied(Unavailable):
    """Label Studio answers, but not to this token."""


class ImagesUnreachable(Unavailable):
    """Too many images cannot be fetched now for a job to go on with the others."""


class QueueUnreachable(Unavailable):
    """Redis does not answer."""


class NoWeights(AutolabelError):
    """A model's base weights are not on this machine and cannot be downloaded."""


class UnreadableImage(AutolabelError):
    """One image cannot be fetched or decoded."""


class OutOfSpace(AutolabelError):
    """The disk is full."""


class Stopped(AutolabelError):
    """Someone asked the job to stop."""

    def __init__(self) -> None:
        super().__init__("stopped on request")


class ShutDown(Stopped):
    """The worker was asked to end, so its job must, too."""
