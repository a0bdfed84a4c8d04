"""Load large libraries before coverage traces, which doubles the time that they take.

A process of pytest-xdist starts to trace when it collects, after it has read this file.
"""

import os
from importlib import import_module

LARGE = ("matplotlib.pyplot", "sklearn.linear_model", "timm", "torchvision", "transformers")

if "PYTEST_XDIST_WORKER" in os.environ:
    for library in LARGE:
        import_module(library)
