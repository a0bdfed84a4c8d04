"""Split labeled images into folds, stratified by label."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.domain.arrays import Targets


def stratified(targets: Targets, folds: int, seed: int) -> NDArray[np.intp]:
    """Return the fold of each image, (n,): images are dealt out in turn, rarest label first.

    With several labels an image counts for its rarest label, a simplification of iterative
    stratification (Sechidis et al. 2011). Fold sizes differ by at most one.

    Args:
        targets: (n, K); images without any label form a group of their own.
        folds: number of folds.
        seed: same seed, same folds.
    """
    order = np.random.default_rng(seed).permutation(len(targets))
    ranks = _rarest(targets)[order]
    dealt = order[np.argsort(ranks, kind="stable")]
    fold = np.empty(len(targets), dtype=np.intp)
    fold[dealt] = np.arange(len(targets)) % folds
    return fold


def _rarest(targets: Targets) -> NDArray[Any]:
    """Return the rank of each image's rarest label; K if it has none."""
    by_count = np.argsort(targets.sum(axis=0), kind="stable")
    ranked = targets[:, by_count]
    return np.where(ranked.any(axis=1), ranked.argmax(axis=1), targets.shape[1])
