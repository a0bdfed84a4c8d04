"""Types of arrays; each use documents its shape."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
"""Features, probabilities, scores."""

Targets = NDArray[np.bool_]
"""Multi-hot labels, or a mask of rows."""

Rows = NDArray[np.intp]
"""Positions along the first axis."""

Pixels = NDArray[np.uint8]
"""Images (height, width, 3), RGB unless said otherwise."""
