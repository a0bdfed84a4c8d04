"""Overlap of boxes."""

from collections.abc import Sequence

import numpy as np

from backend.domain.answers import Region
from backend.domain.arrays import Floats


def overlaps(ones: Sequence[Region], others: Sequence[Region]) -> Floats:
    """Return the IoU of every box with every other, (len(ones), len(others))."""
    one, other = _corners(ones)[:, None], _corners(others)[None, :]
    low, high = np.maximum(one[..., :2], other[..., :2]), np.minimum(one[..., 2:], other[..., 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=-1)
    areas = [np.prod(box[..., 2:] - box[..., :2], axis=-1) for box in (one, other)]
    return shared / (areas[0] + areas[1] - shared)


def _corners(regions: Sequence[Region]) -> Floats:
    rows = [
        (region.box.left, region.box.top, region.box.right, region.box.bottom) for region in regions
    ]
    return np.array(rows, dtype=np.float64).reshape(-1, 4)
