"""Criterion: an image statistic is unusual (ModelArts' feature_distribution_mining, 5 to 10)."""

from collections.abc import Callable, Iterable
from functools import partial

import numpy as np

from backend.domain.arrays import Floats
from backend.domain.batches import IMAGE_STATS
from backend.policies.hard_examples.evidence import Evidence, HardReason, ramp, robust_z

UNUSUAL, VERY_UNUSUAL = 3.5, 7.0
"""Robust standard deviations at which the strength leaves 0 and reaches 1."""

ImageStat = tuple[int, Callable[[Floats], Floats], float, str, str]

WIDTH, HEIGHT, BRIGHTNESS, SATURATION, COLORFULNESS, SHARPNESS = range(len(IMAGE_STATS))

IMAGE_STAT_TABLE: tuple[ImageStat, ...] = (
    (5, lambda t: np.log(t[:, WIDTH] * t[:, HEIGHT]), 0.2, "smaller image", "larger image"),
    (6, lambda t: np.log(t[:, WIDTH] / t[:, HEIGHT]), 0.1, "taller image", "wider image"),
    (7, lambda t: t[:, BRIGHTNESS], 0.05, "darker", "brighter"),
    (8, lambda t: t[:, SATURATION], 0.05, "paler", "more saturated"),
    (9, lambda t: np.log1p(t[:, COLORFULNESS]), 0.2, "less colorful", "more colorful"),
    (10, lambda t: np.log1p(t[:, SHARPNESS]), 0.3, "more blurred", "sharper or noisier"),
)
"""Number, function of (n, statistics), least spread, words when low and when high."""


def unusual_images(evidence: Evidence) -> Iterable[HardReason]:
    """Compare each image statistic with its spread over the labeled images."""
    values = _positive(evidence.images.image_stats)
    known = _positive(evidence.labeled.image_stats)
    for number, statistic, floor, low, high in IMAGE_STAT_TABLE:
        yield unusual(number, statistic(values), statistic(known), floor, (low, high))


def unusual(
    number: int, values: Floats, known: Floats, floor: float, words: tuple[str, str]
) -> HardReason:
    """Score how far each value lies from the known ones; `words` for too low and too high."""
    z = robust_z(values, known, floor)
    return HardReason(
        number, ramp(np.abs(z), UNUSUAL, VERY_UNUSUAL), partial(_description, z, words)
    )


def _description(z: Floats, words: tuple[str, str], position: int) -> str:
    return f"{words[int(z[position] > 0)]} than the labeled images"


def _positive(image_stats: Floats) -> Floats:
    return np.maximum(image_stats.astype(np.float64), 1e-6)
