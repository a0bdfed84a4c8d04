"""Every error as an HTTP answer: one table from error class to status and code."""

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
    (UnsupportedConfig, 400, "unsupported_labeling_config"),
    (BadInput, 400, "bad_input"),
    (NotFound, 404, "not_found"),
    (Refused, 409, "preconditions"),
    (Stopped, 409, "stopped"),
    (UnreadableImage, 422, "unreadable_image"),
    (LabelStudioUnreachable, 503, "label_studio_unreachable"),
    (LabelStudioDenied, 503, "label_studio_denied"),
    (QueueUnreachable, 503, "queue_unreachable"),
    (Unavailable, 503, "unavailable"),
    (NoWeights, 503, "no_base_weights"),
    (OutOfSpace, 507, "out_of_space"),
    (AutolabelError, 500, "failed"),
)
"""The first row that fits counts, so the special stands before the general."""

LONGEST_PHRASE = 120

FOR_PEOPLE = "Begin at the list of all projects, below"
"""What people are told who opened an address that shows nothing."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What an answer says about what went wrong."""

    status: int
    code: str
    message: str
    hint: str = ""
    reasons: tuple[Reason, ...] = ()

    @property
    def status_line(self) -> str:
        """The status with a reason phrase: all that Label Studio keeps of a refusal."""
        return f"{self.status} {_phrase(self._headline)}"

    @property
    def _headline(self) -> str:
        if not self.reasons:
            return self.message
        others = len(self.reasons) - 1
        return self.reasons[0].message + (f" (and {others} more)" if others else "")

    @property
    def sentences(self) -> tuple[str, ...]:
        """What happened, or every reason for a refusal, and what to do."""
        if self.reasons:
            return sentences.refusal(self.reasons)
        return tuple(sentences.sentence(said) for said in (self.message, self.hint) if said)

    def json(self) -> Json:
        """The one shape of an error, below `error`; only `hint` and `reasons` may be missing."""
        error: Json = {"code": self.code, "message": self.message, "summary": list(self.sentences)}
        if self.hint:
            error["hint"] = self.hint
        if reasons := self.reasons or self._itself:
            error["reasons"] = list(reasons)
        return {"error": error}

    @property
    def _itself(self) -> tuple[Reason, ...]:
        """An error that has a reason code says so where programs look for reasons."""
        known = self.code in set(ReasonCode)
        return (Reason(ReasonCode(self.code), self.message, hint=self.hint),) if known else ()


def of_ours(error: AutolabelError) -> Failure:
    status, code = next((row[1], row[2]) for row in TABLE if isinstance(error, row[0]))
    reasons = error.reasons if isinstance(error, Refused) else ()
    return Failure(status, code, error.message, error.hint, reasons)


def of_http(error: HTTPException, path: str, *, person: bool) -> Failure:
    """What the web framework refused by itself, to a program or to a person."""
    status = error.code or 500
    code = error.name.lower().replace(" ", "_")
    hint = FOR_PEOPLE if person else "See /api/openapi.json"
    if status == 404:
        return Failure(404, "not_found", f"there is nothing at {path}", hint)
    message = (error.description or error.name).rstrip(".")
    if status == 405:
        shown = f"{path} only takes what a form sends" if person else message
        return Failure(405, code, shown, hint)
    return Failure(status, code, message)


def of_a_bug(request_id: str) -> Failure:
    """What a crash says: nothing of its inside, and where to look for it."""
    message = f"the backend failed on this request ({request_id})"
    return Failure(500, "internal", message, f"Look for {request_id} in the backend's log")


def _phrase(message: str) -> str:
    """The message as a reason phrase may be: one short line of ASCII."""
    letters = (sign for sign in unicodedata.normalize("NFKD", message) if not combining(sign))
    plain = "".join(sign if sign.isprintable() else " " for sign in letters)
    line = " ".join(plain.encode("ascii", "replace").decode().split())
    return line if len(line) <= LONGEST_PHRASE else line[: LONGEST_PHRASE - 3] + "..."
