"""Pseudo labels: boxes that a trained detector is confident of become training examples.

One round of self-training (STAC, arXiv 2005.04757), with a threshold per label (class-adaptive as
in FlexMatch, arXiv 2110.08263): a label that the detector finds hard gets a lower threshold than
one that it finds easy. An image with an undecided box is left out, because that box would be
learned as background.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from backend.domain.answers import Regions
from backend.domain.arrays import Floats
from backend.domain.batches import ImageBatch
from backend.domain.ids import Label
from backend.models.detection.comparison import BoxComparison, PooledDetections, score
from backend.ports.model_family import TrainingSet

PRECISION = 0.9
"""Precision that the boxes of a label must have on held-out images from its threshold on."""

BACKGROUND = 0.2
"""Score below which a candidate is background."""

PER_LABELED = 2
"""Pseudo-labeled images per labeled image, at most, so that human labels are not outweighed."""

EXAMINED = 10
"""Unlabeled images on which the detector runs for each that may get pseudo labels."""

_NEVER = 2.0
"""A threshold that no score reaches."""


@dataclass(frozen=True, slots=True)
class PseudoLabels:
    """Positions of unlabeled images in their batch, and the boxes of each."""

    positions: tuple[int, ...]
    answers: tuple[Regions, ...]


def sampled(training_set: TrainingSet) -> TrainingSet:
    """Draw at random the unlabeled images that the detector examines."""
    most = EXAMINED * PER_LABELED * len(training_set.train)
    rng = np.random.default_rng(training_set.seed)
    drawn = rng.permutation(len(training_set.unlabeled))[:most]
    return replace(training_set, unlabeled=training_set.unlabeled.take(np.sort(drawn)))


def confident_thresholds(
    images: Sequence[BoxComparison], shown: Mapping[Label, float]
) -> Mapping[Label, float]:
    """Find the lowest score of each label from which its boxes reach `PRECISION`.

    Above 1 where no score does; never below the threshold from which boxes are `shown`.
    """
    pooled = PooledDetections.of(images)
    return {
        label: max(threshold, _lowest_precise(pooled.of_label(label)))
        for label, threshold in shown.items()
    }


def select(
    detections: Sequence[Regions],
    confidence: Floats,
    thresholds: Mapping[Label, float],
    limit: int,
) -> PseudoLabels:
    """Select the images of highest confidence whose candidates are all decided.

    A candidate is decided if it is background or reaches its label's threshold.

    Args:
        detections: candidates of each unlabeled image.
        confidence: in each image's answer, (len(detections),).
        thresholds: as `confident_thresholds` finds them.
        limit: images to select at most.
    """
    decided = [at for at, image in enumerate(detections) if _is_decided(image, thresholds)]
    best = sorted(decided, key=lambda at: -float(confidence[at]))[:limit]
    return PseudoLabels(tuple(best), tuple(_confident(detections[at], thresholds) for at in best))


def extended(training_set: TrainingSet, pseudo_labels: PseudoLabels) -> TrainingSet:
    """Add the pseudo-labeled images to those to train on."""
    more = training_set.unlabeled.take(pseudo_labels.positions)
    train = ImageBatch(
        training_set.train.refs + more.refs,
        np.concatenate([training_set.train.features, more.features]),
        np.concatenate([training_set.train.image_stats, more.image_stats]),
    )
    answers = [*training_set.train_answers, *pseudo_labels.answers]
    return replace(training_set, train=train, train_answers=answers)


def _lowest_precise(detections: PooledDetections) -> float:
    ranked = np.lexsort((~detections.right[0], -detections.scores))  # of equal scores right first
    precision = np.cumsum(detections.right[0, ranked]) / np.arange(1, len(ranked) + 1)
    enough = np.flatnonzero(precision >= PRECISION)
    return float(detections.scores[ranked[enough[-1]]]) if len(enough) else _NEVER


def _is_decided(image: Regions, thresholds: Mapping[Label, float]) -> bool:
    possible = [box for box in image.regions if score(box) >= BACKGROUND]
    confident = [box for box in possible if score(box) >= thresholds.get(box.label, _NEVER)]
    return 0 < len(possible) == len(confident)


def _confident(image: Regions, thresholds: Mapping[Label, float]) -> Regions:
    return Regions(
        tuple(box for box in image.regions if score(box) >= thresholds.get(box.label, _NEVER))
    )
