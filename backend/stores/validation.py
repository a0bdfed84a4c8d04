"""Read dataclasses back from JSON files."""

from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from backend.domain.errors import BadInput

Parsed = TypeVar("Parsed")


def parse_json(adapter: TypeAdapter[Parsed], text: str | bytes, what: str) -> Parsed:
    """Parse and validate JSON.

    Raises:
        BadInput: "not WHAT", with the first field that does not fit.
    """
    try:
        return adapter.validate_json(text)
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        problem = f"{where}: {first['msg']}" if where else first["msg"]
        raise BadInput(f"not {what}: {problem}") from exc
