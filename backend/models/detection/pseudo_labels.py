"""Teacher and student: boxes that a trained detector is sure of become examples to learn from.

One round (STAC, arXiv 2005.04757), with a threshold of its own for each label (class-adaptive as
in FlexMatch, arXiv 2110.08263): a label that the detector finds hard need not be as sure as one
that it finds easy. An image with an undecided box is left out, because the box would be learned
as background.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.domain.answers import Regions
from backend.domain.batches import ImageBatch
from backend.domain.ids import Label
from backend.models.detection.confidence import BoxConfidence, hits
from backend.models.detection.thresholds import score
from backend.ports.model_family import TrainingSet

SURE = 0.9
"""Precision that a label's boxes should have on held-out images from its threshold on."""

DOUBTFUL = 0.2
"""Score below which a candidate is background."""

PER_LABELED = 2
"""Pseudo-labeled images for each labeled one, at most: people's labels should keep their say."""


LOOKED_AT = 10
"""Unlabeled images that the teacher looks at for each that it may label."""


@dataclass(frozen=True, slots=True)
class Taught:
    """Unlabeled images that the teacher labeled, by position, and what it said."""

    positions: tuple[int, ...]
    answers: tuple[Regions, ...]


def sampled(training_set: TrainingSet) -> TrainingSet:
    """The lesson with no more unlabeled images than the teacher will look at, drawn at random."""
    most = LOOKED_AT * PER_LABELED * len(training_set.train)
    drawn = np.random.default_rng(training_set.seed).permutation(len(training_set.unlabeled))[:most]
    return replace(training_set, unlabeled=training_set.unlabeled.take(np.sort(drawn)))


def sure_thresholds(
    candidates: Sequence[Regions], truths: Sequence[Regions], judge: BoxConfidence
) -> Mapping[Label, float]:
    """For each label the lowest score from which on its boxes are right nine times in ten.

    Where no score reaches that, none is sure: the threshold is above 1.
    """
    scores: dict[Label, list[tuple[float, bool]]] = {label: [] for label in judge.thresholds}
    for image, truth in zip(candidates, truths, strict=True):
        for box, hit in zip(image.regions, hits(image, truth), strict=True):
            scores.get(box.label, []).append((score(box), hit))
    return {
        label: max(judge.thresholds[label], _lowest_sure(found)) for label, found in scores.items()
    }


def teach(
    found: Sequence[Regions],
    confidence: NDArray[np.floating[Any]],
    sure: Mapping[Label, float],
    limit: int,
) -> Taught:
    """The most confident images in which every candidate is either sure or background."""
    decided = [at for at, image in enumerate(found) if image.regions and _is_decided(image, sure)]
    best = sorted(decided, key=lambda at: -float(confidence[at]))[:limit]
    return Taught(tuple(best), tuple(_sure(found[at], sure) for at in best))


def extended(training_set: TrainingSet, taught: Taught) -> TrainingSet:
    """The lesson with the taught images among those to learn from."""
    more = training_set.unlabeled.take(taught.positions)
    train = ImageBatch(
        training_set.train.refs + more.refs,
        np.concatenate([training_set.train.features, more.features]),
        np.concatenate([training_set.train.image_stats, more.image_stats]),
    )
    return replace(
        training_set, train=train, train_answers=[*training_set.train_answers, *taught.answers]
    )


def _lowest_sure(found: Sequence[tuple[float, bool]]) -> float:
    ranked = sorted(found, reverse=True)
    precision = np.cumsum([hit for _, hit in ranked]) / np.arange(1, len(ranked) + 1)
    enough = np.flatnonzero(precision >= SURE)
    return ranked[int(enough[-1])][0] if len(enough) else 2.0


def _is_decided(image: Regions, sure: Mapping[Label, float]) -> bool:
    return all(
        score(box) < DOUBTFUL or score(box) >= sure.get(box.label, 2.0) for box in image.regions
    ) and any(score(box) >= DOUBTFUL for box in image.regions)


def _sure(image: Regions, sure: Mapping[Label, float]) -> Regions:
    return Regions(tuple(box for box in image.regions if score(box) >= sure.get(box.label, 2.0)))
