"""Criteria that compare an image with similar images by their features."""

from collections.abc import Iterable

import numpy as np

from backend.domain.arrays import Floats, Rows, Targets
from backend.domain.schema import TaskKind
from backend.policies.certification.correctness import agreement
from backend.policies.hard_examples.evidence import Evidence, HardReason, ramp, robust_z, summary
from backend.policies.hard_examples.neighborhood import NEIGHBORS
from backend.policies.neighbors import NEAR_IDENTICAL, twins

TWINS = 5
"""Nearest near-identical images to compare with; a burst of photos may have hundreds."""

FAR, VERY_FAR = 3.0, 6.0
"""Robust standard deviations of a distance at which the strength leaves 0 and reaches 1."""


def differs_from_neighbors(evidence: Evidence) -> Iterable[HardReason]:
    """Score how many of the nearest labeled images differ (ModelArts' clustering_mining, 2)."""
    near = evidence.near_labeled.positions
    if near.shape[1] < NEIGHBORS:
        return
    votes = evidence.given[near].mean(axis=1)
    predicted, exclusive = evidence.predicted, evidence.control.kind is TaskKind.SINGLE
    label, against = _strongest_objection(votes, predicted, exclusive)

    def describe(i: int) -> str:
        k = int(label[i])
        verb, share = ("lack", 1 - votes[i, k]) if predicted[i, k] else ("say", votes[i, k])
        name = evidence.control.labels[k]
        count = f"{round(NEIGHBORS * float(share))} of {NEIGHBORS} {verb} '{name}'"
        return f"answer differs from similar labeled {evidence.items} ({count})"

    yield HardReason(2, np.clip(against, 0, 1), describe)


def _strongest_objection(votes: Floats, predicted: Targets, exclusive: bool) -> tuple[Rows, Floats]:
    """Return the label (n,) on which the neighbours disagree most, and how strongly (n,).

    Exclusive labels: by how much the votes for another label exceed those for the predicted one.
    Otherwise, label by label: the share of neighbours that disagree, from -1 (none) to 1 (all).

    Args:
        votes: (n, K) share of the neighbours that have each label.
        predicted: (n, K) multi-hot.
        exclusive: an image has exactly one label.
    """
    if exclusive:
        own = (votes * predicted).sum(axis=1)
        against = np.where(predicted, -1, votes) - own[:, None]
    else:
        against = 2 * np.abs(votes - predicted) - 1
    return against.argmax(axis=1), against.max(axis=1)


def unlike_its_label(evidence: Evidence) -> Iterable[HardReason]:
    """Score the distance to images with the predicted label (image_similarity_mining, 3)."""
    predicted, given = evidence.predicted, evidence.given
    outside, inside = evidence.near_labeled.to_label, evidence.among_labeled.to_label
    strength = np.zeros(len(predicted))
    label = np.zeros(len(predicted), dtype=np.intp)
    for k in range(predicted.shape[1]):
        rows, keys = np.flatnonzero(predicted[:, k]), np.flatnonzero(given[:, k])
        if len(rows) and len(keys) >= NEIGHBORS:
            far = _farness(outside[rows, k], inside[keys, k])
            label[rows] = np.where(far > strength[rows], k, label[rows])
            strength[rows] = np.maximum(strength[rows], far)
    labels = evidence.control.labels
    items = evidence.items
    yield HardReason(3, strength, lambda i: f"unlike the labeled '{labels[int(label[i])]}' {items}")


def far_from_all(evidence: Evidence) -> Iterable[HardReason]:
    """Score the distance to every labeled image (ModelArts' anomaly_detection_mining, 30)."""
    if len(evidence.labeled) > NEIGHBORS:
        strength = _farness(evidence.near_labeled.to_any, evidence.among_labeled.to_any)
        yield HardReason(30, strength, lambda _: f"far from all labeled {evidence.items}")


def differs_from_its_twin(evidence: Evidence) -> Iterable[HardReason]:
    """Report near-identical images with another answer (ModelArts' sequential_mining, 4)."""
    answers = [*evidence.predictions.answers, *evidence.labeled_answers]
    tasks = [*evidence.images.tasks, *evidence.labeled.tasks]
    near, cosine = twins([evidence.images.features, evidence.labeled.features], TWINS)
    apart = np.zeros((len(evidence.images), TWINS))
    for i, k in zip(*np.nonzero(cosine[: len(apart)] >= NEAR_IDENTICAL), strict=True):
        apart[i, k] = 1 - agreement(answers[int(i)], answers[int(near[i, k])])
    twin = near[np.arange(len(apart)), apart.argmax(axis=1)]
    yield HardReason(
        4,
        apart.max(axis=1),
        lambda i: f"near-identical task {tasks[twin[i]]} got {summary(answers[int(twin[i])])}",
    )


def _farness(outside: Floats, inside: Floats) -> Floats:
    """Return (n,) how unusual the cosine to the nearest labeled image is.

    Args:
        outside: (n,) cosines of the images.
        inside: (m,) cosines of the labeled images, each to its nearest other.
    """
    return ramp(-robust_z(outside, inside, floor=0.02), FAR, VERY_FAR)
