"""HTTP responses with JSON."""

import json
import math
from collections.abc import Mapping
from typing import Any, cast

from flask import Response


def answer(body: Mapping[str, Any], status: int | str = 200) -> Response:
    """A JSON answer; `status` may carry a reason phrase, as in `409 class 'dog' has 3 images`."""
    text = json.dumps(_finite(body), separators=(",", ":"))
    return Response(text, status, mimetype="application/json")


def _finite(value: object) -> object:
    """The value with null for every number that JSON has no word for."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            items = cast(Mapping[str, object], value)
            return {key: _finite(inner) for key, inner in items.items()}
        case list() | tuple():
            return [_finite(inner) for inner in cast(list[object], value)]
        case _:
            return value
