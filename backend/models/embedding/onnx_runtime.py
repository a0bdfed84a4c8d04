"""Import ONNX Runtime with telemetry disabled.

Otherwise it sends usage data and writes a device id into the home directory.
"""

import os
from importlib import import_module
from typing import Any

VERSION_CARD = "autolabel"
"""Key of the metadata by which an exported version says what it is, as JSON."""


def runtime() -> Any:
    """Return the package. Importing it starts threads, so call this after a fork."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read once, when the package is imported
    return import_module("onnxruntime")
