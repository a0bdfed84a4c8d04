"""Estimate how many more validation images a certificate needs, for messages and plans."""

from math import ceil

import numpy as np

from backend.policies.certification.acceptance_test import Validation, log_choose, max_mistakes
from backend.policies.certification.certificates import Terms


def how_many_more(validation: Validation, terms: Terms) -> int | None:
    """Estimate how many more validation images would certify something in four of five cases.

    None if even fifty times as many would not: the model must become better first.
    """
    size = len(validation.right)
    regions = _regions(validation, terms.max_error)
    need = max(float(size), 20.0)
    while need <= 50 * max(size, 100):
        need *= 1.1
        for share, error, pool, labeled_since in regions:
            inside = int(share * need)
            allowed = max_mistakes(inside, pool, terms.max_error, terms.risk, labeled_since)
            if _binomial_tail(allowed, inside, error) >= 0.8:
                return ceil(need) - size
    return None


def too_few(validation: Validation, terms: Terms) -> str:
    """Say why nothing is accepted, and what would help."""
    size, more = len(validation.right), how_many_more(validation, terms)
    if more is None:
        return (
            f"nothing accepted: {int(np.sum(~validation.right))} of {size} answers to random "
            "validation images were wrong; the model must become better first"
        )
    if more >= len(validation.pool):
        return (
            f"nothing accepted: a guarantee for the {len(validation.pool)} unlabeled images would "
            f"need about {more} more validation images; label them by hand instead"
        )
    return too_small(size, more, terms)


def too_small(size: int, more: int, terms: Terms) -> str:
    return (
        f"nothing accepted: {size} random validation images are too few for "
        f"{terms.max_error:.1%} error at {terms.confidence:.1%} confidence; about {more} more "
        "would do"
    )


def unseen(images: int) -> Validation:
    """Return a validation without any sample, to plan for accepting `images` with a good model."""
    return Validation(np.empty(0), np.empty(0, dtype=np.bool_), np.ones(images))


def _regions(validation: Validation, max_error: float) -> list[tuple[float, float, int, int]]:
    """Return ten nested regions: share of the images, estimated error, pool, labeled since.

    The estimate has a prior of 20 images at a quarter of `max_error`, as of a good model.
    """
    order = np.argsort(-validation.confidence, kind="stable")
    mistakes = np.concatenate([[0], np.cumsum(~validation.right[order])])
    regions = list[tuple[float, float, int, int]]()
    for share in np.arange(0.1, 1.01, 0.1):
        inside = int(share * len(order))
        error = (mistakes[inside] + 20 * max_error / 4) / (inside + 20)
        pool = max(1, int(share * len(validation.pool)))
        regions.append(
            (float(share), float(error), pool, int(share * len(validation.labeled_since)))
        )
    return regions


def _binomial_tail(mistakes: int, accepted: int, error: float) -> float:
    """Return the probability of at most `mistakes` in `accepted` independent draws; 0 for -1."""
    x = np.arange(0, mistakes + 1)
    logs = [log_choose(accepted, int(k)) for k in x]
    return float(np.exp(logs + x * np.log(error) + (accepted - x) * np.log1p(-error)).sum())
