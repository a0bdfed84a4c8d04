"""HTTP responses with JSON bodies."""

from dataclasses import dataclass

from flask import Response

from backend.presentation.serializers import JobJson, json_text


@dataclass(frozen=True, slots=True)
class JobAnswer:
    """The job that a request started, joined or stopped, or that undoes another one."""

    job: JobJson


def answer(body: object, status: int | str = 200) -> Response:
    """Return a JSON response; `status` may have a reason phrase: `409 class 'dog' has 3 images`."""
    return Response(json_text(body), status, mimetype="application/json")
