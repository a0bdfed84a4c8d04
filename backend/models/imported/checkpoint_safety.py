"""Tell what loading a pickled checkpoint would run, without loading it.

A pickle names the functions and classes that it calls. Genuine checkpoints of Ultralytics name
layers of torch and of Ultralytics, and a few functions that rebuild tensors. Anything else could do
anything, so such a file needs the word of the user.
"""

import pickletools
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from backend.domain.errors import BadInput

_HARMLESS: Final = re.compile(
    r"(collections OrderedDict"
    r"|(__builtin__|builtins) set"
    r"|torch (\w+Storage|Size|float16|float32|bfloat16|device)"
    r"|torch\._utils (_rebuild_parameter|_rebuild_tensor_v2)"
    r"|torch\.nn\.modules\.(activation|batchnorm|container|conv|dropout|linear|normalization"
    r"|pooling|upsampling) [A-Z]\w*"
    r"|ultralytics\.nn\.modules\.\w+ [A-Z]\w*"
    r"|ultralytics\.nn\.tasks (Classification|Detection)Model"
    r"|ultralytics\.utils IterableSimpleNamespace)"
)
_CALLS_OF_UNKNOWN_NAMES: Final = {"STACK_GLOBAL", "EXT1", "EXT2", "EXT4", "INST"}


def require_harmless(path: Path) -> None:
    """Check that a checkpoint calls nothing but what rebuilds layers and tensors.

    Raises:
        BadInput: when it is no checkpoint, or names anything else.
    """
    hint = "Import it with --trust if you trust whoever made it: loading it can run any code"
    try:
        unknown = sorted({name for name in _names(path) if not _HARMLESS.fullmatch(name)})
    except (OSError, ValueError, IndexError, zipfile.BadZipFile) as exc:
        raise BadInput(f"{path.name} is not a checkpoint that can be read ({exc})") from exc
    if unknown:
        listed = ", ".join(name.replace(" ", ".") for name in unknown[:3])
        raise BadInput(f"{path.name} is a pickle that runs more than layers: {listed}", hint)


def _names(path: Path) -> Iterator[str]:
    """Yield what a checkpoint calls, as `module name`."""
    with zipfile.ZipFile(path) as archive:
        pickles = [name for name in archive.namelist() if name.endswith(".pkl")]
        if not pickles:
            raise ValueError("it holds no pickle")
        for name in pickles:
            for operation, argument, _ in pickletools.genops(archive.read(name)):
                if operation.name == "GLOBAL":
                    yield str(argument)
                elif operation.name in _CALLS_OF_UNKNOWN_NAMES:
                    yield f"something {operation.name}"
