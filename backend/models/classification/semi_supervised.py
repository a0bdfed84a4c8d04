"""The `precise` algorithm: unlabeled images join the training of the head.

A teacher, which is the head blended with labels spread over the neighbour graph of all images,
gives unlabeled images soft labels; a student head learns from those it is surest of and from
people's. One round, since later ones mostly repeat the teacher's mistakes. Every choice is made by
calibrated out-of-fold log loss, in which a fold's own labels reach neither teacher nor student;
held-out images stay untouched, so the figures on them stay honest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from backend.domain.arrays import Floats, Rows, Targets
from backend.models.classification.cross_validation import (
    Taught,
    calibrated,
    calibrated_loss,
    fit_known,
)
from backend.models.classification.label_propagation import neighbour_graph, spread
from backend.models.classification.logistic import Linear, Space
from backend.models.classification.progress import ThrottledProgress
from backend.models.links import SOFTMAX, Link
from backend.ports.progress import Progress

NEIGHBOURS = 10
ALPHA = 0.9
"""Of the values 10, 20, 50 and 0.9, 0.99 the best at every budget on photos of clothes."""

BLENDS = (0.0, 0.3, 0.6, 1.0)
"""Weights of the graph's log odds beside the head's logits."""

SHARES = (0.5, 1.0)
"""Surest part of the unlabeled images of each label that the student learns from."""

STUDENT_STRENGTH = 30.0
"""Least strength (C) of a student: soft labels carry the caution that a penalty would add."""

FEWEST = 20
MOST_IMAGES = 20_000
MOST_CELLS = 5_000_000
"""Unlabeled images below which there is nothing to gain, and above which a random part serves;
cells are images times labels."""


def improve(
    taught: Taught,
    features: Floats,
    targets: Targets,
    unlabeled: Floats,
    seed: int,
    progress: Progress,
) -> tuple[Taught, Sequence[Mapping[str, Any]]]:
    """The best of head and students, and what was tried: name, log loss and whether it was kept.

    Args:
        taught: the head of `fast`, trained on `features` and `targets`.
        features: (n, d) of labeled images.
        flags: (n, K).
        unlabeled: (m, d).
        seed: draws a part of many unlabeled images.
        progress: told about each step.
    """
    pool = _part(unlabeled, targets.shape[1], seed)
    if len(pool) < FEWEST or not taught.judged.any():
        return taught, []
    throttled = ThrottledProgress(progress, 1 + len(SHARES), "semi-supervised")
    throttled.next()
    school = _School.of(taught, features, targets, pool, throttled)
    blend, blend_loss = school.best_blend()
    candidates = {"linear head": taught}
    for share in SHARES:
        throttled.next()
        name = f"student of the surest {share:.0%}, graph weight {blend}"
        candidates[name] = school.student(blend, share, throttled)
    best = min(candidates, key=lambda name: candidates[name].log_loss)
    tried: list[Mapping[str, Any]] = [
        {"name": name, "log_loss": round(candidate.log_loss, 4), "kept": name == best}
        for name, candidate in candidates.items()
    ]
    teacher = {"name": "teacher, not kept itself", "log_loss": round(blend_loss, 4), "kept": False}
    return candidates[best], [*tried, teacher]


@dataclass(frozen=True, slots=True)
class _School:
    """Labeled images first, the pool after them, and one teacher for each fold and for all.

    `heads` and `odds` (n + m, K), one a fold and the last without a fold left out: calibrated
    logits of the head, and log odds of the labels that reached an image over the graph.
    """

    taught: Taught
    images: Floats
    targets: Targets
    heads: tuple[Floats, ...]
    odds: tuple[Floats, ...]

    @classmethod
    def of(
        cls,
        taught: Taught,
        features: Floats,
        targets: Targets,
        pool: Floats,
        throttled: ThrottledProgress,
    ) -> "_School":
        images = np.concatenate([features, pool])
        graph = neighbour_graph(images, NEIGHBOURS, throttled)
        space, truth = Space.of(features), targets.astype(np.float32)
        heads: list[Floats] = []
        odds: list[Floats] = []
        for rows in _trainings(taught):
            head = space.back(
                fit_known(space.rows[rows], truth[rows], taught.link, taught.c, throttled)
            )
            heads.append(taught.calibration(head.logits(images)))
            odds.append(_odds(graph, targets, rows, len(images), taught.link))
        return cls(taught, images, targets, tuple(heads), tuple(odds))

    def best_blend(self) -> tuple[float, float]:
        """The weight of the graph with the least out-of-fold log loss, and that loss."""
        losses = {blend: self._loss(self._left_out(self._trainable(blend))) for blend in BLENDS}
        best = min(losses, key=lambda blend: losses[blend])
        return best, losses[best]

    def student(self, blend: float, share: float, throttled: ThrottledProgress) -> Taught:
        """A head taught by people and by the surest part of the teachers' soft labels."""
        trainable = self._trainable(blend)
        c = max(self.taught.c, STUDENT_STRENGTH)
        students = [
            self._study(teacher, rows, share, c, throttled)
            for teacher, rows in zip(trainable, _trainings(self.taught), strict=True)
        ]
        logits = self._left_out([student.logits(self.images) for student in students])
        judged = self.taught.judged
        return replace(
            self.taught,
            head=students[-1],
            c=c,
            out_of_fold=logits,
            calibration=calibrated(logits[judged], self.targets[judged], self.taught.link),
            log_loss=self._loss(logits),
        )

    def _trainable(self, blend: float) -> list[Floats]:
        pairs = zip(self.heads, self.odds, strict=True)
        return [head + blend * odds for head, odds in pairs]

    def _study(
        self, teacher: Floats, rows: Rows, share: float, c: float, throttled: ThrottledProgress
    ) -> Linear:
        soft = self.taught.link.probabilities(teacher[len(self.targets) :])
        sure = surest(soft, share, self.taught.link)
        targets = np.concatenate([self.targets[rows].astype(np.float32), soft[sure]])
        importance = np.ones(len(targets), dtype=np.float32)
        importance[len(rows) :] = min(1.0, len(rows) / len(sure))
        space = Space.of(self.images[np.concatenate([rows, len(self.targets) + sure])])
        return space.back(
            fit_known(space.rows, targets, self.taught.link, c, throttled, None, importance)
        )

    def _left_out(self, logits: Sequence[Floats]) -> Floats:
        """Of each labeled image, the logits of the fold that did not know its label."""
        labeled = len(self.targets)
        return np.stack([rows[:labeled] for rows in logits])[self.taught.folds, np.arange(labeled)]

    def _loss(self, logits: Floats) -> float:
        judged = self.taught.judged
        return calibrated_loss(logits[judged], self.targets[judged], self.taught.link)


def surest(probabilities: Floats, share: float, link: Link) -> Rows:
    """Rows of the surest `share` of the images of each likeliest label.

    Taking the same share of each keeps easy labels from crowding out hard ones. Where labels
    stand alone the surest share of all images is taken, by the probability of the whole answer.

    Args:
        probabilities: (m, K).
        share: in (0, 1]; rounded up to whole images.
        link: how labels relate.
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
    """Log odds of each label by what spreads from the labeled `rows`, (images, K)."""
    seeds = np.zeros((images, targets.shape[1] + 1), dtype=np.float32)
    seeds[rows, :-1], seeds[rows, -1] = targets[rows], 1
    reached = np.clip(spread(graph, seeds, ALPHA), 0, None)
    share = np.clip(reached[:, :-1] / np.maximum(reached[:, -1:], 1e-12), 0, 1)
    chance = 0.99 * share + 0.01 * targets[rows].mean(axis=0)
    chance = np.clip(chance, 1e-4, 1 - 1e-4)
    return np.log(chance) - (0.0 if link is SOFTMAX else np.log1p(-chance))


def _trainings(taught: Taught) -> list[Rows]:
    """Labeled rows to learn from: all but each fold in turn, then all."""
    folds = [np.flatnonzero(taught.folds != fold) for fold in range(taught.folds.max() + 1)]
    return [*folds, np.arange(len(taught.folds))]


def _part(unlabeled: Floats, labels: int, seed: int) -> Floats:
    most = min(MOST_IMAGES, MOST_CELLS // labels)
    if len(unlabeled) <= most:
        return unlabeled
    drawn = np.random.default_rng(seed).choice(len(unlabeled), most, replace=False)
    return unlabeled[np.sort(drawn)]
