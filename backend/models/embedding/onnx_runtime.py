"""ONNX Runtime, which would else send what it does to its maker and put an id below the home."""

import os
from importlib import import_module
from typing import Any


def runtime() -> Any:
    """The package, imported with nothing sent and nothing written; importing it starts threads."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read once, when the package is imported
    return import_module("onnxruntime")
