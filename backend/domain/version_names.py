"""Names of versions, groups, lists of tasks and the folders of controls."""

import hashlib
import re
import secrets
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from backend.domain.ids import ControlName, VersionName

TRAINED, IMPORTED = "al", "im"
"""First part of the names of versions that were trained here, and of models from elsewhere."""

VERSION_NAME = re.compile(rf"({TRAINED}|{IMPORTED})-[0-9]{{4,}}-[0-9a-f]{{4}}")
"""Of one width up to the 9,999th version, so no name is the beginning of another."""

PUBLISHED_MODEL = re.compile(r"[\w-][\w.-]*\.pt|(timm|torchvision):[\w-][\w.-]*")
"""Name of a model that others publish, such as `yolo11n.pt` or `timm:resnet18`. Never a path, so
that a request cannot name any file of the machine."""

GROUP_NAME = re.compile(r"group-[0-9]{3}")
"""Name of a group of similar images; of one width too."""

LIST_NAME = re.compile(r"(list-[0-9a-f]{6}-)([0-9]{4})-([0-9]{2})")
"""Name of a list of chosen tasks: which list, its edition, and the tasks' place in it."""

REVIEW_NAME = re.compile(r"reviewed-[0-9a-f]{8}")
"""Name of predictions that people corrected on the review page, in one batch."""

MARKER_PREFIXES = ("group-", "list-")
"""With these begin the model versions of predictions that are no answers."""

RECOUNT = VersionName("list-000000-0001-00")
"""Name of a marker that no tab uses, so that a cleanup deletes it if it is left."""

_LONGEST = 255
"""Bytes that a file name may have; percent-encoded, a Chinese character takes nine."""


def group_name(number: int) -> VersionName:
    return VersionName(f"group-{number:03}")


def list_edition(title: str, known: Iterable[str]) -> str:
    """Return the beginning of the names of a new edition of a list.

    Editions are numbered, because the tab shows the last one until the next one is complete.

    Args:
        title: of the tab.
        known: all names that are in use.
    """
    stem = f"list-{hashlib.blake2b(title.encode(), digest_size=3).hexdigest()}-"
    editions = [
        int(found[2]) for name in known if (found := LIST_NAME.fullmatch(name)) and found[1] == stem
    ]
    return f"{stem}{max(editions, default=0) % 9999 + 1:04}-"


def list_place(edition: str, position: int, length: int) -> VersionName:
    """Return the name that orders a task of a list; names of long lists are shared."""
    return VersionName(f"{edition}{position * 100 // max(length, 100):02}")


def list_edition_of(name: str) -> str | None:
    """Return the edition that a name belongs to, None if it is not the name of a list."""
    found = LIST_NAME.fullmatch(name)
    return f"{found[1]}{found[2]}-" if found else None


def review_name() -> VersionName:
    """Return a new name for predictions that people corrected on the review page."""
    return VersionName(f"reviewed-{secrets.token_hex(4)}")


def is_answer_of_ours(name: str) -> bool:
    """Return whether a model version names answers of Autolabel, corrected ones included."""
    return bool(VERSION_NAME.fullmatch(name) or REVIEW_NAME.fullmatch(name))


def is_published_model(name: str) -> bool:
    """Return whether a name is that of a model to import, and not that of a version."""
    return bool(PUBLISHED_MODEL.fullmatch(name))


def control_folder(version: Path, control: ControlName) -> Path:
    """Return the folder of one control; names that no file may have are percent-encoded.

    A name that would be too long ends in a digest, after `%-`, which no encoded name contains.
    """
    name = quote(control, safe=" ")
    if len(name) > _LONGEST:
        digest = hashlib.blake2b(control.encode(), digest_size=16).hexdigest()
        return version / f"{name[:200]}%-{digest}"
    return version / (name if name.strip(".") else name.replace(".", "%2E"))
