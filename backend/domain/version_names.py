"""Names of versions, of groups and of the folders of controls."""

import hashlib
import re
from pathlib import Path
from urllib.parse import quote

from backend.domain.ids import ControlName, VersionName

VERSION_NAME = re.compile(r"al-[0-9]{4,}-[0-9a-f]{4}")
"""Of one width up to the 9,999th version, so no name is the beginning of another."""

GROUP_NAME = re.compile(r"group-[0-9]{3}")
"""Name of a group of similar images; of one width too."""


_LONGEST = 255
"""Bytes that a file name may have; percent-encoded, a Chinese character takes nine."""


def group_name(number: int) -> VersionName:
    return VersionName(f"group-{number:03}")


def control_folder(version: Path, control: ControlName) -> Path:
    """Return the folder of one control; names that no file may have are percent-encoded.

    A name that would be too long ends in a digest, after `%-`, which no encoded name contains.
    """
    name = quote(control, safe=" ")
    if len(name) > _LONGEST:
        digest = hashlib.blake2b(control.encode(), digest_size=16).hexdigest()
        return version / f"{name[:200]}%-{digest}"
    return version / (name if name.strip(".") else name.replace(".", "%2E"))
