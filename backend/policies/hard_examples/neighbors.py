"""What similar images tell: labeled neighbours, near-identical images, and none near at all."""

from collections.abc import Iterable

import numpy as np

from backend.domain.arrays import Floats
from backend.domain.schema import TaskKind
from backend.policies.certification.correctness import agreement
from backend.policies.hard_examples.evidence import Evidence, Finding, ramp, robust_z, spoken
from backend.policies.neighbors import NEAR_IDENTICAL, nearest, twins

NEIGHBORS = 5
TWINS = 5
"""Near-identical images that are asked, the nearest first: a burst may have hundreds."""

FAR, VERY_FAR = 3.0, 6.0
"""Robust standard deviations at which a distance begins to tell, and at which it says all."""


def differs_from_neighbors(evidence: Evidence) -> Iterable[Finding]:
    """ModelArts' clustering_mining (2), by the labels of the nearest labeled images."""
    near, _ = nearest(evidence.images.features, evidence.labeled.features, NEIGHBORS)
    if near.shape[1] < NEIGHBORS:
        return
    votes = evidence.labeled_said[near].mean(axis=1)
    said = evidence.said
    if evidence.control.kind is TaskKind.SINGLE:
        own = (votes * said).sum(axis=1)
        against = np.where(said > 0, -1, votes) - own[:, None]
    else:
        against = 2 * np.abs(votes - said) - 1
    label = against.argmax(axis=1)
    rows = np.arange(len(label))
    agree = np.where(said[rows, label] > 0, 1 - votes[rows, label], votes[rows, label])
    word = np.where(said[rows, label] > 0, "lack", "say")

    labels = evidence.control.labels

    def words(i: int) -> str:
        count, name = round(NEIGHBORS * float(agree[i])), labels[int(label[i])]
        many = f"{count} of {NEIGHBORS} {word[i]} '{name}'"
        return f"answer differs from similar labeled images ({many})"

    yield Finding(2, np.clip(against[rows, label], 0, 1), words)


def unlike_its_label(evidence: Evidence) -> Iterable[Finding]:
    """ModelArts' image_similarity_mining (3): far from the images that people gave this label."""
    said, given = evidence.said, evidence.labeled_said
    strength = np.zeros(len(said))
    label = np.zeros(len(said), dtype=np.intp)
    for k in range(said.shape[1]):
        rows, keys = np.flatnonzero(said[:, k]), np.flatnonzero(given[:, k])
        if len(rows) and len(keys) >= NEIGHBORS:
            far = _farness(evidence.images.features[rows], evidence.labeled.features[keys])
            label[rows] = np.where(far > strength[rows], k, label[rows])
            strength[rows] = np.maximum(strength[rows], far)
    labels = evidence.control.labels
    yield Finding(3, strength, lambda i: f"unlike the labeled '{labels[int(label[i])]}' images")


def far_from_all(evidence: Evidence) -> Iterable[Finding]:
    """ModelArts' anomaly_detection_mining (30): far from everything that was trained on."""
    if len(evidence.labeled) > NEIGHBORS:
        strength = _farness(evidence.images.features, evidence.labeled.features)
        yield Finding(30, strength, lambda _: "far from all labeled images")


def differs_from_its_twin(evidence: Evidence) -> Iterable[Finding]:
    """ModelArts' sequential_mining (4): a near-identical image was answered differently."""
    features = np.concatenate([evidence.images.features, evidence.labeled.features])
    answers = [*evidence.predictions.answers, *evidence.labeled_answers]
    tasks = [*evidence.images.tasks, *evidence.labeled.tasks]
    near, cosine = twins(features, TWINS)
    apart = np.zeros((len(evidence.images), TWINS))
    for i, k in zip(*np.nonzero(cosine[: len(apart)] >= NEAR_IDENTICAL), strict=True):
        apart[i, k] = 1 - agreement(answers[int(i)], answers[int(near[i, k])])
    twin = near[np.arange(len(apart)), apart.argmax(axis=1)]
    yield Finding(
        4,
        apart.max(axis=1),
        lambda i: f"near-identical task {tasks[twin[i]]} got {spoken(answers[int(twin[i])])}",
    )


def _farness(queries: Floats, keys: Floats) -> Floats:
    """(n,) how unusual the distance to the nearest key is, next to that of keys to each other."""
    inside = nearest(keys, keys, 1, skip_self=True)[1][:, 0]
    outside = nearest(queries, keys, 1)[1][:, 0]
    return ramp(-robust_z(outside, inside, floor=0.02), FAR, VERY_FAR)
