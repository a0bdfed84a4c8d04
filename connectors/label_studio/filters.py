"""Filters of the Data Manager, for lists of tasks and for tabs.

Label Studio turns each filter into a term of one SQL expression. SQLite refuses an expression of
more than 1,000 terms, and queries of hundreds of terms take seconds on any database.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from connectors.label_studio.calls import JsonObject

MOST_TERMS = 100
"""Terms that the filters of one request or tab may have; each value of a list counts as one."""

_PLAIN = re.compile(r"[A-Za-z0-9 .,_:()/%+-]+")

HIGHEST_ID = 2**53
"""Ids stay below this, the largest number that JSON carries exactly."""

_FILTER_TYPES = (
    (list, "List"),
    (str, "String"),
    (bool, "Boolean"),
    (datetime, "Datetime"),
    (object, "Number"),
)


def plain_part(text: str) -> str:
    """Return what JSON that has this string contains, however the database writes JSON.

    That is the string in quotes; the longest part that is never escaped, where it has another; ""
    if it has none.
    """
    parts = [part.strip() for part in _PLAIN.findall(text)]
    return f'"{text}"' if parts == [text] else max(parts, key=len, default="")


def where(column: str, operator: str, value: Any) -> JsonObject:
    """One filter of the Data Manager, such as `where("total_annotations", "equal", 0)`.

    Operators: equal, not_equal, less, greater, less_or_equal, greater_or_equal, in, not_in (of
    `{"min", "max"}`), in_list, not_in_list, empty, contains, not_contains, regex. A moment needs
    its time zone.
    """
    return {
        "filter": f"filter:tasks:{column}",
        "operator": operator,
        "type": next(name for kind, name in _FILTER_TYPES if isinstance(value, kind)),
        "value": _moment(value) if isinstance(value, datetime) else value,
    }


def joined(filters: Sequence[Mapping[str, Any]], conjunction: str = "and") -> JsonObject:
    """Join filters by "and" or "or", as requests and tabs contain them.

    Raises:
        ValueError: when they have more than `MOST_TERMS` terms. Split the request, or mark the
            tasks and filter by the mark (see `markers.py`).
    """
    terms = sum(_terms(one["value"]) for one in filters)
    if terms > MOST_TERMS:
        raise ValueError(f"a filter of {terms} terms; Label Studio cannot process many")
    return {"conjunction": conjunction, "items": [dict(one) for one in filters]}


def _moment(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _terms(value: object) -> int:
    return len(cast("list[object]", value)) if isinstance(value, list) else 1
