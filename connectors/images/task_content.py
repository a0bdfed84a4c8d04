"""Images whose content is in the task's data, as a long `data:` address.

Ten thousand of them fill the memory of a job. So a list of tasks keeps a short address in place of
each, and the content is read from Label Studio again when the image is fetched.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Final, cast

from connectors.errors import FetchFailed

LONGEST: Final = 8_192
"""Characters of a `data:` address that is kept as it is."""

SCHEME: Final = "task-data"
_CODED: Final = re.compile(r"\s*data:(?!text/)[^,\s]{0,100};base64,", re.IGNORECASE)
_SHORT: Final = re.compile(rf"{SCHEME}:(\d+)/([0-9a-f]{{32}})")


def shortened(uri: str, project: int) -> str:
    """Return an address that stands for a long `data:` address of an image; any other as it is."""
    if len(uri) <= LONGEST or not _CODED.match(uri):
        return uri
    return f"{SCHEME}:{project}/{_digest(uri)}"


def project_of(short: str) -> int:
    """Return the project in whose task the content is.

    Raises:
        FetchFailed: when it is not an address that `shortened` made.
    """
    if found := _SHORT.fullmatch(short):
        return int(found[1])
    raise FetchFailed("not an address that can be fetched")


def long_address(short: str, data: Mapping[str, object]) -> str:
    """Return the `data:` address in a task's data that a short one stands for.

    Raises:
        FetchFailed: when the data has another image by now.
    """
    digest = short.rpartition("/")[2]
    for text in _texts(data):
        if len(text) > LONGEST and _digest(text) == digest:
            return text
    raise FetchFailed("the image in the task's data changed meanwhile", "Start the job again")


def _texts(value: object) -> Iterator[str]:
    """Yield all texts in a task's data, however nested."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in cast(Mapping[str, object], value).values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in cast(list[object], value):
            yield from _texts(inner)


def _digest(uri: str) -> str:
    return hashlib.blake2b(uri.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
