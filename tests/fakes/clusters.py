"""Features of made-up images that fall into noisy clusters, one a label."""

import numpy as np
from numpy.typing import NDArray


def clusters(
    images: int = 60, labels: int = 3, width: int = 8, seed: int = 0
) -> tuple[NDArray[np.float16], NDArray[np.intp]]:
    """Return features (images, width), rows of length 1, and the label of each row."""
    rng = np.random.default_rng(seed)
    truth = np.arange(images) % labels
    rows = rng.normal(size=(labels, width))[truth] + rng.normal(size=(images, width))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float16), truth
