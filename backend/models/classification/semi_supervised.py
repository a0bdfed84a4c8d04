"""The `precise` algorithm: unlabeled images join the training of the head.

Self-training with a teacher and a student. The teacher blends the head with labels propagated over
the neighbour graph of all images, and gives the unlabeled images soft labels. The student is a
head trained on the human labels and on the most confident soft labels. There is one round, since
later rounds mostly repeat the teacher's mistakes. Every choice is made by calibrated out-of-fold
log loss, in which a fold's own labels reach neither teacher nor student. Held-out images are not
used, so metrics on them are unbiased.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from backend.domain.arrays import Floats, Rows, Targets
from backend.domain.large_arrays import take
from backend.models.classification.cross_validation import (
    CrossValidated,
    calibrated,
    calibrated_loss,
    fit_known,
)
from backend.models.classification.label_propagation import neighbour_graph, spread
from backend.models.classification.logistic import Linear, Space
from backend.models.classification.progress import ThrottledProgress
from backend.models.link_functions import SOFTMAX, Link
from backend.ports.progress import Progress

NEIGHBOURS = 10
ALPHA = 0.9
"""The best of 10, 20, 50 and of 0.9, 0.99 at every label budget on photos of clothes."""

BLENDS = (0.0, 0.3, 0.6, 1.0)
"""Candidate weights of the graph's log odds, added to the head's logits."""

SHARES = (0.5, 1.0)
"""Candidate shares of the unlabeled images of each label, most confident first."""

STUDENT_STRENGTH = 30.0
"""Least C of a student: soft labels already regularize."""

FEWEST = 20
MOST_IMAGES = 20_000
MOST_CELLS = 5_000_000
"""With fewer unlabeled images there is nothing to gain; of more images, or cells (images times
labels), a random sample is used."""


def improve(
    validated: CrossValidated,
    features: Floats,
    targets: Targets,
    unlabeled: Floats,
    seed: int,
    progress: Progress,
) -> tuple[CrossValidated, Sequence[Mapping[str, Any]]]:
    """Return the best of head and students, and what was tried: name, log loss, whether kept.

    Args:
        validated: the head of the fast algorithm on `features` and `targets`.
        features: (n, d) of labeled images.
        targets: (n, K).
        unlabeled: (m, d).
        seed: of the sample of many unlabeled images.
        progress: called for each step.
    """
    pool = _part(unlabeled, targets.shape[1], seed)
    if len(pool) < FEWEST or not validated.scored.any():
        return validated, []
    throttled = ThrottledProgress(progress, 1 + len(SHARES), "semi-supervised")
    throttled.next()
    training = _TeacherStudent.of(validated, features, targets, pool, throttled)
    blend, blend_loss = training.best_blend()
    candidates = {"linear head": validated}
    for share in SHARES:
        throttled.next()
        name = f"student of the most confident {share:.0%}, graph weight {blend}"
        candidates[name] = training.student(blend, share, throttled)
    best = min(candidates, key=lambda name: candidates[name].log_loss)
    tried: list[Mapping[str, Any]] = [
        {"name": name, "log_loss": round(candidate.log_loss, 4), "kept": name == best}
        for name, candidate in candidates.items()
    ]
    teacher = {"name": "teacher, not kept itself", "log_loss": round(blend_loss, 4), "kept": False}
    return candidates[best], [*tried, teacher]


@dataclass(frozen=True, slots=True)
class _TeacherStudent:
    """One teacher for each fold and one for all, over the labeled images and then the pool.

    `heads` and `odds` (n + m, K) hold one entry a fold and one without a fold left out: the
    calibrated logits of the head, and the log odds of the labels propagated over the graph. All
    students are fitted in the `space` of all images, since its axes take seconds to compute.
    """

    validated: CrossValidated
    images: Floats
    space: Space
    targets: Targets
    heads: tuple[Floats, ...]
    odds: tuple[Floats, ...]

    @classmethod
    def of(
        cls,
        validated: CrossValidated,
        features: Floats,
        targets: Targets,
        pool: Floats,
        throttled: ThrottledProgress,
    ) -> "_TeacherStudent":
        images = np.concatenate([features, pool])
        graph = neighbour_graph(images, NEIGHBOURS, throttled)
        labeled, truth = Space.of(features), targets.astype(np.float32)
        heads: list[Floats] = []
        odds: list[Floats] = []
        for rows in _trainings(validated):
            head = labeled.back(
                fit_known(labeled.rows[rows], truth[rows], validated.link, validated.c, throttled)
            )
            heads.append(validated.calibration(head.logits(images)))
            odds.append(_odds(graph, targets, rows, len(images), validated.link))
        return cls(validated, images, Space.of(images), targets, tuple(heads), tuple(odds))

    def best_blend(self) -> tuple[float, float]:
        """Return the graph weight of the least out-of-fold log loss, and that loss."""
        losses = {blend: self._loss(self._left_out(self._trainable(blend))) for blend in BLENDS}
        best = min(losses, key=lambda blend: losses[blend])
        return best, losses[best]

    def student(self, blend: float, share: float, throttled: ThrottledProgress) -> CrossValidated:
        """Train a head on the human labels and the most confident part of the soft labels."""
        trainable = self._trainable(blend)
        c = max(self.validated.c, STUDENT_STRENGTH)
        students = [
            self._study(teacher, rows, share, c, throttled)
            for teacher, rows in zip(trainable, _trainings(self.validated), strict=True)
        ]
        logits = self._left_out([student.logits(self.images) for student in students])
        scored = self.validated.scored
        return replace(
            self.validated,
            head=students[-1],
            c=c,
            out_of_fold=logits,
            calibration=calibrated(logits[scored], self.targets[scored], self.validated.link),
            log_loss=self._loss(logits),
        )

    def _trainable(self, blend: float) -> list[Floats]:
        pairs = zip(self.heads, self.odds, strict=True)
        return [head + blend * odds for head, odds in pairs]

    def _study(
        self, teacher: Floats, rows: Rows, share: float, c: float, throttled: ThrottledProgress
    ) -> Linear:
        soft = self.validated.link.probabilities(teacher[len(self.targets) :])
        sure = surest(soft, share, self.validated.link)
        targets = np.concatenate([self.targets[rows].astype(np.float32), soft[sure]])
        importance = np.ones(len(targets), dtype=np.float32)
        importance[len(rows) :] = min(1.0, len(rows) / len(sure))
        study = self.space.rows[np.concatenate([rows, len(self.targets) + sure])]
        return self.space.back(
            fit_known(study, targets, self.validated.link, c, throttled, None, importance)
        )

    def _left_out(self, logits: Sequence[Floats]) -> Floats:
        """Return the logits of each labeled image by the fold that did not know its label."""
        labeled = len(self.targets)
        return np.stack([rows[:labeled] for rows in logits])[
            self.validated.folds, np.arange(labeled)
        ]

    def _loss(self, logits: Floats) -> float:
        scored = self.validated.scored
        return calibrated_loss(logits[scored], self.targets[scored], self.validated.link)


def surest(probabilities: Floats, share: float, link: Link) -> Rows:
    """Return the rows of the most confident `share` of the images of each predicted label.

    The same share of each label keeps easy labels from crowding out hard ones. With a sigmoid it
    is the share of all images, by the probability of the whole answer.

    Args:
        probabilities: (m, K).
        share: in (0, 1]; rounded up to whole images.
        link: softmax or sigmoid.
    """
    if link is SOFTMAX:
        confidence, group = probabilities.max(axis=1), probabilities.argmax(axis=1)
    else:
        confidence = np.maximum(probabilities, 1 - probabilities).prod(axis=1)
        group = np.zeros(len(probabilities), dtype=np.intp)
    order = np.lexsort((-confidence, group))
    sizes = np.bincount(group)
    ranks = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.sort(order[ranks < np.repeat(np.ceil(share * sizes), sizes)])


def _odds(graph: Any, targets: Targets, rows: Rows, images: int, link: Link) -> Floats:
    """Return the log odds of each label propagated from the labeled `rows`, (images, K)."""
    seeds = np.zeros((images, targets.shape[1] + 1), dtype=np.float32)
    seeds[rows, :-1], seeds[rows, -1] = targets[rows], 1
    reached = np.clip(spread(graph, seeds, ALPHA), 0, None)
    share = np.clip(reached[:, :-1] / np.maximum(reached[:, -1:], 1e-12), 0, 1)
    prior = targets[rows].mean(axis=0)
    probability = np.clip(0.99 * share + 0.01 * prior, 1e-4, 1 - 1e-4)
    return np.log(probability) - (0.0 if link is SOFTMAX else np.log1p(-probability))


def _trainings(validated: CrossValidated) -> list[Rows]:
    """Return the labeled rows to train on: all but each fold in turn, then all."""
    folds = [np.flatnonzero(validated.folds != fold) for fold in range(validated.folds.max() + 1)]
    return [*folds, np.arange(len(validated.folds))]


def _part(unlabeled: Floats, labels: int, seed: int) -> Floats:
    most = min(MOST_IMAGES, MOST_CELLS // labels)
    if len(unlabeled) <= most:
        return unlabeled
    drawn = np.random.default_rng(seed).choice(len(unlabeled), most, replace=False)
    return take(unlabeled, np.sort(drawn))
