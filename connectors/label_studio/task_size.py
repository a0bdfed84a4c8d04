"""How many tasks fit into a page: an image in the data of a task, as base64, may have megabytes."""

from collections.abc import Mapping, Sequence
from typing import Any, cast


def fitting(page: Sequence[Mapping[str, Any]], most_characters: int) -> int:
    """Return how many tasks like those of a page have so many characters of data; at least 1."""
    each = sum(characters(row.get("data")) for row in page) / len(page)
    return max(1, int(most_characters / max(1, each)))


def characters(value: object) -> int:
    """Return the number of characters in all texts of a JSON value."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(map(characters, cast(Mapping[str, object], value).values()))
    return sum(map(characters, cast(list[object], value))) if isinstance(value, list) else 0
