"""Errors as HTTP responses: one table from error class to status and code."""

import unicodedata
from dataclasses import dataclass
from unicodedata import combining

from werkzeug.exceptions import HTTPException

from backend.domain.errors import (
    AutolabelError,
    BadInput,
    LabelStudioDenied,
    LabelStudioUnreachable,
    NotFound,
    NoWeights,
    OutOfSpace,
    QueueUnreachable,
    Reason,
    ReasonCode,
    Refused,
    Stopped,
    Unavailable,
    UnreadableImage,
    UnsupportedConfig,
)
from backend.domain.json import Json
from backend.presentation import sentences

TABLE: tuple[tuple[type[AutolabelError], int, str], ...] = (
    (UnsupportedConfig, 400, ReasonCode.UNSUPPORTED_LABELING_CONFIG),
    (BadInput, 400, "bad_input"),
    (NotFound, 404, "not_found"),
    (Refused, 409, "preconditions"),
    (Stopped, 409, "stopped"),
    (UnreadableImage, 422, "unreadable_image"),
    (LabelStudioUnreachable, 503, ReasonCode.LABEL_STUDIO_UNREACHABLE),
    (LabelStudioDenied, 503, "label_studio_denied"),
    (QueueUnreachable, 503, "queue_unreachable"),
    (Unavailable, 503, "unavailable"),
    (NoWeights, 503, ReasonCode.NO_BASE_WEIGHTS),
    (OutOfSpace, 507, "out_of_space"),
    (AutolabelError, 500, "failed"),
)
"""The first matching row counts, so subclasses come before their base class."""

LONGEST_PHRASE = 120

BROWSER_HINT = "Go to the list of projects, below"
"""Hint for a browser at an address without a page."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The content of an error response."""

    status: int
    code: str
    message: str
    hint: str = ""
    reasons: tuple[Reason, ...] = ()

    @property
    def status_line(self) -> str:
        """Status and reason phrase; of a refusal, Label Studio keeps nothing else."""
        return f"{self.status} {_phrase(self._headline)}"

    @property
    def _headline(self) -> str:
        if not self.reasons:
            return self.message
        others = len(self.reasons) - 1
        return self.reasons[0].message + (f" (and {others} more)" if others else "")

    @property
    def sentences(self) -> tuple[str, ...]:
        """What happened, or every reason of a refusal, and what to do."""
        if self.reasons:
            return sentences.refusal(self.reasons)
        return tuple(sentences.sentence(text) for text in (self.message, self.hint) if text)

    def json(self) -> Json:
        """Return the body; see `ErrorJson`."""
        error: Json = {"code": self.code, "message": self.message, "summary": list(self.sentences)}
        if self.hint:
            error["hint"] = self.hint
        if reasons := self.reasons or self._as_reason:
            error["reasons"] = list(reasons)
        return {"error": error}

    @property
    def _as_reason(self) -> tuple[Reason, ...]:
        """List the error itself among the reasons if its code is a reason code."""
        known = self.code in set(ReasonCode)
        return (Reason(ReasonCode(self.code), self.message, hint=self.hint),) if known else ()


def of_autolabel(error: AutolabelError) -> Failure:
    """Look an expected error up in the table."""
    status, code = next((row[1], row[2]) for row in TABLE if isinstance(error, row[0]))
    reasons = error.reasons if isinstance(error, Refused) else ()
    return Failure(status, code, error.message, error.hint, reasons)


def of_http(error: HTTPException, path: str, *, browser: bool) -> Failure:
    """Describe what the web framework or the security checks refused."""
    status = error.code or 500
    code = error.name.lower().replace(" ", "_")
    hint = BROWSER_HINT if browser else "See /api/openapi.json"
    if status == 404:
        return Failure(
            404,
            "not_found",
            f"there is nothing at {path}",
            hint,
        )
    message = (error.description or error.name).rstrip(".")
    if status == 405:
        shown = f"{path} accepts form submissions only" if browser else message
        return Failure(405, code, shown, hint)
    return Failure(status, code, message)


def of_crash(request_id: str) -> Failure:
    """Describe an unhandled exception: no internals, only the request id to search the log for."""
    message = f"the backend failed on this request ({request_id})"
    return Failure(500, "internal", message, f"Look for {request_id} in the backend's log")


def _phrase(message: str) -> str:
    """Reduce the message to a valid reason phrase: one short line of ASCII."""
    letters = (sign for sign in unicodedata.normalize("NFKD", message) if not combining(sign))
    plain = "".join(sign if sign.isprintable() else " " for sign in letters)
    line = " ".join(plain.encode("ascii", "replace").decode().split())
    return line if len(line) <= LONGEST_PHRASE else line[: LONGEST_PHRASE - 3] + "..."
