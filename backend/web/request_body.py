"""Read JSON request bodies; errors name the field."""

import json
from collections.abc import Mapping
from typing import Any, TypeVar, cast

from flask import request

from backend.domain.errors import BadInput

T = TypeVar("T")

JSON_NAMES: Mapping[type, str] = {str: "a string", list: "a list", dict: "an object"}


def json_object() -> Mapping[str, Any]:
    """Parse the body as a JSON object; an empty body is an empty object.

    Raises:
        BadInput: with the position of the syntax error.
    """
    text = request.get_data(cache=False)
    if not text.strip():
        return {}
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise BadInput(f"the request body is not JSON: {exc}") from exc
    if not isinstance(body, dict):
        raise BadInput("the request body is not a JSON object", 'Send {"name": value}')
    return cast(Mapping[str, Any], body)


def field(body: Mapping[str, Any], name: str, kind: type[T]) -> T:
    """Return a required field of the given type.

    Raises:
        BadInput: naming the field.
    """
    if name not in body:
        raise BadInput(f"{name}: this field is missing")
    if not isinstance(body[name], kind):
        raise BadInput(f"{name}: this must be {JSON_NAMES[kind]}")
    return body[name]
