"""Number inputs of the start forms, with the limits of job requests."""

from dataclasses import dataclass

from backend.domain.json import Json
from backend.jobs.requests import limits

PERCENT_STEP = 0.01
"""Shares are entered in percent. An excluded end of the range moves inwards by this much, because
HTML knows inclusive limits only."""


@dataclass(frozen=True, slots=True)
class NumberField:
    """Attributes of `<input type="number">`, as text."""

    name: str
    min: str
    max: str
    value: str


def number_fields() -> dict[str, NumberField]:
    """Return the inputs by name; counts as they are, shares in percent."""
    numbers = {"number": _percent, "integer": _count}
    return {
        name: numbers[schema["type"]](name, schema)
        for name, schema in limits().items()
        if schema.get("type") in numbers
    }


def _count(name: str, schema: Json) -> NumberField:
    return NumberField(name, str(schema["minimum"]), str(schema["maximum"]), str(schema["default"]))


def _percent(name: str, schema: Json) -> NumberField:
    low = _end(schema, "minimum", "exclusiveMinimum", PERCENT_STEP)
    high = _end(schema, "maximum", "exclusiveMaximum", -PERCENT_STEP)
    return NumberField(name, low, high, f"{100 * schema['default']:g}")


def _end(schema: Json, inclusive: str, exclusive: str, step: float) -> str:
    if inclusive in schema:
        return f"{100 * schema[inclusive]:g}"
    return f"{100 * schema[exclusive] + step:g}"
