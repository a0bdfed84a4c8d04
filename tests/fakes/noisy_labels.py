"""Labels of which some are wrong, and the probabilities of a model that learned them."""

import numpy as np


def noisy(count=600, wrong=60, seed=0):
    """Probabilities of a decent model, true labels, and given ones of which some are wrong."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, 3, count)
    logits = rng.normal(0, 1, (count, 3)) + 4 * np.eye(3)[true]
    table = np.exp(logits)
    table /= table.sum(axis=1, keepdims=True)
    given = true.copy()
    given[:wrong] = (true[:wrong] + rng.integers(1, 3, wrong)) % 3
    return table, given
